"""Where methods come from: entry points, or a class that a scenario names; a broken one is one plain error."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fedray.methods import METHODS, known_method, method_defaults, resolved, scenario_schema
from fedray.methods.origin import GROUP, OWN, section_name
from fedray.scenario import ScenarioError
from tests.conftest import PROJECT
from tests.outside_package import on_path, write_package

PLAIN = "schema_version: 1\nname: x\ntask: none\nmodel: {target_modules: [query]}\n"
GOOD = """
from typing import Literal
from fedray.methods import Method, MethodSection
class Section(MethodSection):
    name: Literal["good"]
class Good(Method[Section]):
    section = Section
    def adapter(self): ...
    def plan(self, view): ...
class Unfinished(Method[Section]):
    section = Section
    def adapter(self): ...
class NoSection(Good):
    section = dict
class Nameless(Good):
    section = MethodSection
"""


def test_fedrays_own_methods_are_registered_as_any_package_registers_its_own() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"][GROUP] == OWN
    assert list(METHODS) == list(OWN)
    assert {name: section_name(method.section) for name, method in METHODS.items()} == {name: name for name in OWN}


def test_asking_for_one_method_imports_no_other() -> None:
    code = (
        "import sys; from fedray.methods import known_method; known_method('legend')\n"
        "print(sorted(one for one in sys.modules if one.startswith('fedray.methods.')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert "fedray.methods.legend" in found.stdout
    assert not any(f"fedray.methods.{name}'" in found.stdout for name in OWN if name != "legend")


@pytest.mark.model
@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (
            "broken:Good",
            "importing broken fails at {folder}/broken.py:2: ModuleNotFoundError: No module named",
        ),
        ("crooked:Good", "importing crooked fails at {folder}/crooked.py:1: SyntaxError: "),
        ("failing:Good", "importing failing fails at {folder}/failing.py:1: ZeroDivisionError: "),
        ("good:Missing", "good ({folder}/good.py) has no Missing"),
        ("good:Literal", "it is no subclass of fedray.methods.Method"),
        ("good:Section", "it is no subclass of fedray.methods.Method"),
        ("good:Unfinished", "it does not define plan"),
        ("good:NoSection", "its section is no subclass of fedray.methods.MethodSection"),
        ("good:Nameless", "its section has no field name: Literal['…'] of one name"),
        ("good:Good", "it is registered as 'wrong', but its section is named 'good'"),
    ],
)
def test_a_broken_method_is_one_line_with_its_place_and_harms_no_other(
    target, problem, tmp_path: Path, monkeypatch, fedray
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    for module, code in (("broken", "\nimport absent\n"), ("crooked", "def"), ("failing", "1 / 0\n"), ("good", GOOD)):
        (folder / f"{module}.py").write_text(code)
    write_package(folder, "a_package", "", wrong=target)
    on_path(folder, monkeypatch)
    for module in ("broken", "crooked", "failing", "good"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    path = tmp_path / "s.yaml"
    expected = problem.format(folder=folder)

    path.write_text(PLAIN + "method: {name: wrong}\n")
    refused = fedray("validate", path)
    assert (refused.code, refused.err.count("\n"), refused.out) == (2, 1, "")
    assert refused.err.startswith(f"{path}:5: method.name: cannot use {target} of a_package 1.0: {expected}")
    assert refused.err.endswith("; repair or uninstall a_package\n")

    if "registered" not in problem:  # by its class it has no name to differ from
        path.write_text(PLAIN + f"method: {{name: '{target}'}}\n")
        refused = fedray("validate", path)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert refused.err.startswith(f"{path}:5: method.name: cannot use {target}: {expected}")

    path.write_text(PLAIN + "method: {name: fedit}\n")
    assert fedray("validate", path).code == 0
    entries = json.loads(fedray("catalog", "methods", "--json").out)
    assert expected in entries["wrong"]["problem"]
    assert entries["fedit"]["problem"] is None
    assert scenario_schema()["properties"]["method"]["oneOf"][0]["title"] == "FedITSection"


def test_a_name_that_two_packages_register_and_a_bad_name_are_refused(tmp_path: Path, monkeypatch, scenario) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    write_package(tmp_path, "one", "", good="good:Good")
    write_package(tmp_path, "other", "", good="good:Good", Shout="good:Good", legend="good:Good")
    on_path(tmp_path, monkeypatch)
    with pytest.raises(ScenarioError, match="'good' is registered by one and by other; uninstall one of them"):
        resolved(scenario(PLAIN + "method: {name: good}\n"))
    with pytest.raises(ScenarioError, match=r"cannot use good:Good of other 1\.0: a name has at most 64"):
        resolved(scenario(PLAIN + "method: {name: Shout}\n"))
    assert known_method("legend").__module__ == "fedray.methods.legend"
    assert resolved(scenario(PLAIN + "method: {name: 'good:Good'}\n")).scenario.method["rank"] == 8


def test_an_outside_method_is_listed_validated_and_completed_as_fedrays_own(outside: Path, fedray, scenario) -> None:
    entries = json.loads(fedray("catalog", "methods", "--json").out)
    assert entries["fedprox"] == {
        "about": "FedProx: the same LoRA on every device, kept near the global adapter by a proximal term.",
        "package": "fedray-fedprox",
        "version": "0.1.0",
        "target": "fedray_fedprox.fedprox:FedProx",
        "problem": None,
    }
    assert "fedray-fedprox 0.1.0" in fedray("catalog", "methods").out
    sections = scenario_schema()["properties"]["method"]["oneOf"]
    (section,) = (one for one in sections if one["title"] == "FedProxSection")
    assert section["properties"]["mu"]["default"] == 0.01
    for name in ("fedprox", "fedray_fedprox.fedprox:FedProx"):
        method = resolved(scenario(f"schema_version: 1\nmethod: {{name: '{name}', rank: 4}}\n")).scenario.method
        assert (method["name"], method["rank"], method["mu"]) == (name, 4, 0.01)
        assert method_defaults(name) == method | {"rank": 8}
    for line, problem in (
        ("{name: fedprocks}", r"given 'fedprocks' \(did you mean 'fedprox'\?\); allowed: fedit .* ffa-lora .*:Class"),
        ("{name: fedprox, muh: 1}", r"method.muh: unknown key \(did you mean 'mu'\?\)"),
        ("{name: 'fedray_fedprox.fedprox:FedProx', mu: -1}", "method.mu: given -1; allowed: a number ≥ 0"),
    ):
        with pytest.raises(ScenarioError, match=problem):
            resolved(scenario(f"schema_version: 1\nmethod: {line}\n"))


def test_a_wrong_outside_scenario_is_refused_without_torch_and_ray_in_a_second(outside: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("schema_version: 1\nmethod: {name: fedprox, muh: 1}\n")
    code = (
        "import resource, sys\nfrom fedray.cli import main\ntry:\n    main()\n"
        "except SystemExit as leaving:\n    heavy = {'torch', 'ray', 'transformers'} & set(sys.modules)\n"
        "    spent = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    print(spent.ru_utime + spent.ru_stime)\n"
        "    sys.exit(f'imported {heavy}' if heavy else leaving.code)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code, "validate", path], capture_output=True, text=True)
    assert answer.returncode == 2, answer.stderr
    assert "method.muh: unknown key (did you mean 'mu'?)" in answer.stderr
    assert float(answer.stdout) < 1.5  # seconds of CPU: 0.6 on an idle core, a loaded one counts more


HOOKED = """
from dataclasses import dataclass
from typing import Literal
from fedray.methods.fedit import FedIT
from fedray.methods import MethodSection
from fedray.protocol import LocalHook
@dataclass(frozen=True)
class Hook(LocalHook):
    runner = "fedray.absent:Runner"
class Section(MethodSection):
    name: Literal["hooked"]
    depth: None = None
class Hooked(FedIT):
    section = Section
    def plan(self, view):
        return self.uniform_plan(view, self.adapter(), Hook())
"""


@pytest.mark.model
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_hook_that_cannot_run_is_refused_before_anything_runs(command, tmp_path: Path, monkeypatch, fedray) -> None:
    (tmp_path / "hooked.py").write_text(HOOKED)
    on_path(tmp_path, monkeypatch)
    path = tmp_path / "s.yaml"
    path.write_text(PLAIN + "method: {name: 'hooked:Hooked'}\n")
    refused = fedray(command, path)
    assert (refused.code, refused.err.count("\n")) == (2, 1), refused.err
    place = f"{path}:5: method.name: the local hook hooked.Hook: runner: importing fedray.absent fails"
    assert refused.err.startswith(place)
