"""Writing a file that others read: whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from fedray.errors import UserError


def replace_file(path: Path, text: str, what: str) -> None:
    """Write `what` to a file; an existing one is replaced once the new one is complete; a link stays a link.

    Raises
    ------
    UserError
        if it is no plain file, or cannot be written.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no plain file"
        raise UserError(f"{path}: cannot write {what}: this is {kind}; give a file")
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, "utf-8", errors="replace")  # a name need not be text
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise UserError(f"{path}: cannot write {what}: {error.strerror}") from None
