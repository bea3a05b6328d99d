"""A file that grows by whole lines, read a piece at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COMPARED = 1_000  # bytes; two lines of a run differ in less


@dataclass(frozen=True)
class Piece:
    """Lines that are new; `offsets[i]` is where `lines[i]` begins. `anew`: the file was replaced, forget the rest."""

    anew: bool
    offsets: Sequence[int]
    lines: Sequence[bytes]


class TailedFile:
    """Responsibilities: hand out every complete line once, and notice when the file has become another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._last = b""  # the end of what was handed out: where it is no more, the file is another one

    def fresh(self) -> Piece:
        """What has come since the last call; nothing while there is no file."""
        anew = False
        try:
            with self.path.open("rb") as file:
                file.seek(self._read - len(self._last))
                if file.read(len(self._last)) != self._last:
                    anew, self._read, self._last = True, 0, b""
                    file.seek(0)
                text = file.read()
        except FileNotFoundError:
            anew, self._read, self._last = self._read > 0, 0, b""
            return Piece(anew, (), ())
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()  # still being written
        offsets = []
        for line in lines:
            offsets.append(self._read)
            self._read += len(line)
        self._last = (self._last + b"".join(lines))[-COMPARED:]
        return Piece(anew, offsets, lines)

    def between(self, start: int, end: int) -> bytes:
        """The bytes of a part that was handed out."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)
