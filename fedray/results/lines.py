"""A run in plain lines, as logs have them."""

from fedray.results.quantities import duration, size
from fedray.results.records import RoundRecord


def round_line(record: RoundRecord, rounds: int, bytes_so_far: int) -> str:
    """A completed round of `rounds`; `bytes_so_far` were sent both ways since the run began."""
    metric = "" if record.primary is None else f"  {record.primary.name} {record.primary.value:.3f}"
    dropped = "".join(f"  {count} {how}" for how, count in record.dropped_by.items())
    rejected = f"  {record.rejected} updates rejected" if record.rejected else ""
    return (
        f"round {record.round:>{len(str(rounds))}}/{rounds}{metric}"
        f"  emulated {duration(record.emulated_seconds)}  traffic {size(bytes_so_far)}"
        f"  waiting {record.mean_waiting_seconds:.1f} s{dropped}{rejected}{enforcement_words(record)}"
    )


def enforcement_words(record: RoundRecord) -> str:
    """How slowly emulated time went, and whether the machine kept up."""
    if record.enforcement is None:
        return ""
    overloads = f"  {record.enforcement.overloads} overloads" if record.enforcement.overloads else ""
    return f"  dilation {record.enforcement.dilation:.2f}{overloads}"
