"""Importing what a name says: `package.module:Name`."""

import importlib
import re
import traceback
from pathlib import Path

TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
BROKEN_MODULE = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, SystemExit,
)  # fmt: skip


class ImportTargetError(Exception):
    """A target cannot be imported; one line with the place in the module."""


def import_target(target: str) -> object:
    """The object that `package.module:Name` names; ImportTargetError otherwise.

    The module is imported, so its top-level statements run.
    """
    if not TARGET.fullmatch(target):
        raise ImportTargetError(f"given {target!r}; allowed: package.module:Class")
    module_name, name = target.split(":")
    try:
        module = importlib.import_module(module_name)
    except BROKEN_MODULE as error:
        raise ImportTargetError(f"importing {module_name} fails{_place(error)}: {_said(error)}") from None
    try:
        return getattr(module, name)
    except AttributeError:
        raise ImportTargetError(f"{module_name} ({module.__file__}) has no {name}") from None


def _place(error: BaseException) -> str:
    """` at file:line` of the statement that failed, outside the machinery of importing."""
    if isinstance(error, SyntaxError):
        return f" at {error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<frozen") and frame.filename != __file__]
    own = [frame for frame in own if Path(frame.filename).parent != Path(importlib.__file__).parent]
    return f" at {own[-1].filename}:{own[-1].lineno}" if own else ""


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
