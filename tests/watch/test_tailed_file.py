"""A file that grows is read once, whole line by whole line."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fedray.watch.tailed_file import TailedFile


def test_there_may_be_no_file_yet(tmp_path: Path) -> None:
    growing = TailedFile(tmp_path / "rounds.jsonl")
    assert growing.fresh().lines == ()
    (tmp_path / "rounds.jsonl").write_text("one\n")
    assert growing.fresh().lines == [b"one\n"]
    assert list(growing.fresh().lines) == []


@given(st.lists(st.text("ab\n", max_size=6), max_size=12))
def test_whatever_the_pieces_every_complete_line_comes_once(tmp_path_factory, pieces: list[str]) -> None:
    path = tmp_path_factory.mktemp("grow") / "file"
    growing, seen = TailedFile(path), b""
    path.write_text("")
    for piece in pieces:
        with path.open("a") as file:
            file.write(piece)
        found = growing.fresh()
        for offset, line in zip(found.offsets, found.lines, strict=True):
            assert growing.between(offset, offset + len(line)) == line
        seen += b"".join(found.lines)
    text = "".join(pieces)
    assert seen.decode() == text[: text.rfind("\n") + 1]


def test_a_file_that_was_replaced_or_cut_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one\ntwo\n")
    growing = TailedFile(path)
    growing.fresh()
    (tmp_path / "other").write_text("one\nthree\n")
    (tmp_path / "other").rename(path)
    replaced = growing.fresh()
    assert (replaced.anew, replaced.lines) == (True, [b"one\n", b"three\n"])
    path.write_text("four\n")
    cut = growing.fresh()
    assert (cut.anew, cut.lines) == (True, [b"four\n"])
    path.unlink()
    assert growing.fresh().anew
