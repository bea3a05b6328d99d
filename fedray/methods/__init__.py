"""Methods over a small base: the published ones, one file each, and those of other packages; `registry` finds them."""

from fedray.methods.base import Method, MethodContext, MethodSection, ParameterError, in_one_group
from fedray.methods.origin import MethodError, Origin, origin_of
from fedray.methods.registry import (
    METHODS,
    build_method,
    known_method,
    method_defaults,
    method_entries,
    method_section,
    resolved,
    scenario_schema,
)

__all__ = [
    "METHODS",
    "Method",
    "MethodContext",
    "MethodError",
    "MethodSection",
    "Origin",
    "ParameterError",
    "build_method",
    "in_one_group",
    "known_method",
    "method_defaults",
    "method_entries",
    "method_section",
    "origin_of",
    "resolved",
    "scenario_schema",
]
