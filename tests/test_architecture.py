"""Policies that a test can hold: imports point one way, files stay small, words stay out."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tests.conftest import PROJECT

FILES = sorted((PROJECT / "fedray").rglob("*.py"))


def test_imports_point_one_way() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    checked = subprocess.run([linter], capture_output=True, text=True, cwd=PROJECT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_is_small_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert text.startswith('"""')
    assert not re.search(r"^\s*print\(|except Exception|import pickle|torch\.load\(", text, re.MULTILINE)
    assert path.stem not in ("utils", "helpers", "misc")


@pytest.mark.parametrize("kind", [DeprecationWarning, PendingDeprecationWarning, FutureWarning])
def test_a_deprecated_call_from_our_code_is_an_error_and_from_others_is_not(kind: type[Warning]) -> None:
    for module in ("fedray.learning.trainer", "tests.conftest"):
        with pytest.raises(kind):
            warnings.warn_explicit("old", kind, "file.py", 1, module=module)
    warnings.warn_explicit("old", kind, "file.py", 1, module="transformers.modeling_utils")
