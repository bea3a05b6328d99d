"""A file that grows by whole lines, read a piece at a time."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Piece:
    """Lines that are new; `offsets[i]` is where `lines[i]` begins. `anew`: the file was replaced, forget the rest."""

    anew: bool
    offsets: Sequence[int]
    lines: Sequence[bytes]


class GrowingFile:
    """Responsibilities: hand out every complete line once, and notice when the file has become another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = 0  # inode
        self._read = 0

    def fresh(self) -> Piece:
        """What has come since the last call; nothing while there is no file."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                anew = status.st_ino != self._file or status.st_size < self._read
                if anew:
                    self._file, self._read = status.st_ino, 0
                file.seek(self._read)
                text = file.read()
        except FileNotFoundError:
            anew, self._file, self._read = self._file != 0, 0, 0
            return Piece(anew, (), ())
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()  # still being written
        offsets = []
        for line in lines:
            offsets.append(self._read)
            self._read += len(line)
        return Piece(anew, offsets, lines)

    def between(self, start: int, end: int) -> bytes:
        """The bytes of a part that was handed out."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)
