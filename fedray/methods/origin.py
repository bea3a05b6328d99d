"""Where methods come from: fedray itself, installed packages, or a class that a scenario names."""

import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, get_args

from fedray import __version__
from fedray.imports import TARGET, ImportTargetError, import_target
from fedray.methods.base import Method, MethodSection

GROUP = "fedray.methods"  # of entry points
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
OWN = {  # as pyproject.toml registers them; jobs run this package without its metadata, so that it is said here, too
    "fedit": "fedray.methods.fedit:FedIT",
    "legend": "fedray.methods.legend:Legend",
    "hierfedlora": "fedray.methods.hierfedlora:HierFedLoRA",
    "fedquad": "fedray.methods.fedquad:FedQuad",
    "fedara": "fedray.methods.fedara:FedARA",
    "fedsvd": "fedray.methods.fedsvd:FedSVD",
    "hetlora": "fedray.methods.hetlora:HetLoRA",
    "fedadapter": "fedray.methods.fedadapter:FedAdapter",
}


class MethodError(Exception):
    """A method is broken: one line that names its origin, the problem and what is allowed."""


@dataclass(frozen=True)
class Origin:
    """A method's name in scenarios, its class as `package.module:Class`, and the package that brings it.

    `package` and `version` are empty for a class that a scenario names. `registered` says that an entry point has this
    name, which its section must then have, too.
    """

    name: str
    target: str
    package: str = ""
    version: str = ""
    conflict: str | None = None

    @property
    def registered(self) -> bool:
        return self.name != self.target

    def __str__(self) -> str:
        return f"{self.target} of {self.package} {self.version}" if self.registered else self.target


def origins() -> Mapping[str, Origin]:
    """All methods that a scenario can call by name, fedray's own first; nothing is imported."""
    return _origins(tuple(sys.path))


def origin_of(name: str) -> Origin | None:
    """The origin of a name in a scenario, `package.module:Class` included; None if there is none."""
    if name in OWN:
        return _own(name)
    if TARGET.fullmatch(name):
        return Origin(name, name)
    return origins().get(name)


@cache
def load(origin: Origin) -> type[Method[Any]]:
    """Import a method's class; MethodError if that fails or if it is not a method."""
    if origin.conflict is not None:
        raise MethodError(origin.conflict)
    try:
        found = import_target(origin.target)
    except ImportTargetError as error:
        raise MethodError(_problem(origin, str(error))) from None
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise MethodError(_problem(origin, "it is no subclass of fedray.methods.Method"))
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise MethodError(_problem(origin, f"it does not define {missing}"))
    section = getattr(found, "section", None)
    if not (isinstance(section, type) and issubclass(section, MethodSection)):
        raise MethodError(_problem(origin, "its section is no subclass of fedray.methods.MethodSection"))
    named = section_name(section)
    if named is None:
        raise MethodError(_problem(origin, "its section has no field name: Literal['…'] of one name"))
    if origin.registered and named != origin.name:
        raise MethodError(_problem(origin, f"it is registered as {origin.name!r}, but its section is named {named!r}"))
    return found


def section_name(section: type[MethodSection]) -> str | None:
    """The name that a section's `name: Literal[…]` allows, if it is one."""
    field = section.model_fields.get("name")
    allowed = get_args(field.annotation) if field else ()
    return allowed[0] if len(allowed) == 1 and isinstance(allowed[0], str) else None


def _problem(origin: Origin, what: str) -> str:
    repair = f"repair or uninstall {origin.package}" if origin.registered else "its package must be on Python's path"
    return f"cannot use {origin}: {what}; {repair}"


def _own(name: str) -> Origin:
    return Origin(name, OWN[name], "fedray", __version__)


@cache
def _origins(path: tuple[str, ...]) -> Mapping[str, Origin]:
    """As of a search path, which a test may change; a name that two packages register cannot be used."""
    found = {name: _own(name) for name in OWN}
    points = metadata.entry_points(group=GROUP)
    foreign = sorted((point for point in points if _package(point) != "fedray"), key=lambda one: (one.name, one.value))
    for point in foreign:
        version = point.dist.version if point.dist else ""
        origin = Origin(point.name, f"{point.module}:{point.attr}", _package(point), version)
        before = found.get(point.name)
        if before == origin:
            continue  # one package, found twice on the path
        if not NAME.fullmatch(point.name):
            problem = "a name has at most 64 of a-z, 0-9, '_', '.', '-', a letter or digit first"
            origin = Origin(origin.name, origin.target, origin.package, origin.version, _problem(origin, problem))
        if before is None:
            found[point.name] = origin
        elif before.package == "fedray":  # whose names are taken; such a method can still be called by its class
            found[origin.target] = Origin(origin.target, origin.target, origin.package, origin.version)
        else:
            both = f"{point.name!r} is registered by {before.package} and by {origin.package}; uninstall one of them"
            found[point.name] = Origin(origin.name, origin.target, before.package, before.version, both)
    return found


def _package(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"
