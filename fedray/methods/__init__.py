"""The published methods, one file each, over a small base; `registry` knows them by name."""

from fedray.methods.base import Method, MethodContext
from fedray.methods.registry import METHODS, build_method, method_section, resolved, scenario_schema

__all__ = ["METHODS", "Method", "MethodContext", "build_method", "method_section", "resolved", "scenario_schema"]
