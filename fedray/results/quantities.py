"""Seconds and bytes as people read them."""

from datetime import timedelta


def duration(seconds: float) -> str:
    """1:02:03 for 3,723 seconds, 12.3 s below two minutes."""
    return f"{seconds:.1f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))


def size(count: float) -> str:
    """Bytes in powers of 1,000, as links are rated."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
