"""The packages of methods that a cluster may lack: those that are not installed among Python's packages here."""

import os
import re
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from fedray.methods import Origin, origin_of

INSTALLED = tuple({Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib")})
JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set where Ray runs a job, which came with its packages


def local_packages(methods: Iterable[str], folder: Path) -> list[str]:
    """What Ray's `py_modules` must hold for these methods: their packages that lie outside Python's own folders.

    A package that registers its methods comes with its metadata, written to `folder`, so that they are found by name.
    Nothing in a job: it has been shipped already.
    """
    if JOB in os.environ:
        return []
    found = (origin_of(name) for name in methods)
    shipped: dict[str, None] = {}
    for origin in found:
        if origin is not None and (place := _local(origin)) is not None:
            shipped[str(place)] = None
            if origin.registered:
                shipped[str(_metadata(origin.package, folder))] = None
    return list(shipped)


def _local(origin: Origin) -> Path | None:
    """The folder, or the file, of a method's top-level package, unless it is installed or fedray's own."""
    top = re.split(r"[.:]", origin.target, maxsplit=1)[0]
    spec = find_spec(top)
    if spec is None or top == "fedray":
        return None
    places = [*(spec.submodule_search_locations or []), str(spec.origin)]
    place = Path(places[0]).resolve()
    return place if place.exists() and not any(place.is_relative_to(one) for one in INSTALLED) else None


def _metadata(package: str, folder: Path) -> Path:
    """A copy of a package's name, version and entry points."""
    distribution = metadata.distribution(package)
    info = folder / f"{re.sub(r'[-_.]+', '_', package)}-{distribution.version}.dist-info"
    info.mkdir(exist_ok=True)
    for name in ("METADATA", "PKG-INFO", "entry_points.txt"):
        if (text := distribution.read_text(name)) is not None:
            (info / name.replace("PKG-INFO", "METADATA")).write_text(text)
    return info
