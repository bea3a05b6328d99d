"""Recordings that a user's files hold: read as text, packed or not."""

import gzip
from pathlib import Path

MAX_BYTES = 200_000_000  # of an unpacked file


class RecordingError(ValueError):
    """A file is no recording of what is expected; the message says where and what was expected."""


def read_text(file: Path) -> str:
    """The text of a file, unpacked if its name ends in .gz; RecordingError if it has none or is too long."""
    try:
        raw = file.read_bytes()
        if file.name.endswith(".gz"):
            with gzip.open(file) as packed:
                raw = packed.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise RecordingError(f"{file}: more than {MAX_BYTES:,} bytes")
        return raw.decode()
    except UnicodeDecodeError:
        raise RecordingError(f"{file}: not text") from None
    except (OSError, EOFError) as error:
        raise RecordingError(f"{file}: cannot be read: {error}") from None
