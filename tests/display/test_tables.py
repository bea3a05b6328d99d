"""Tables on narrow terminals."""

import io

import pytest
from rich.console import Console

from fedray.display.tables import word_table

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize("width", [80, 40])
def test_a_digest_is_shown_to_its_end(width: int) -> None:
    shown = io.StringIO()
    Console(file=shown, width=width).print(word_table([("emulated time", "4.4 s"), ("digest", DIGEST)]))
    lines = shown.getvalue().splitlines()
    assert "".join(line.removeprefix("digest").strip() for line in lines[1:]) == DIGEST
    assert len(lines) == 2 or width < 80
