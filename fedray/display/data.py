"""What became of the data: two lines at the beginning of a run, a table for `validate`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from fedray.display.tables import table, word_table
from fedray.results import DataReport
from fedray.results.data_report import DeviceCounts, ExampleCounts, TextLengths
from fedray.scenario.source import listed, shorten

LABEL_ROWS = 30  # data with more labels shows the most frequent; --json has all


def data_lines(report: DataReport) -> Iterator[str]:
    """A run's data in two lines, or three if columns are not read."""
    yield f"data: {_examples(report.examples)}; {_devices(report.devices)}"
    majority = ""
    if report.majority_label is not None:
        majority = f", always answering {shorten(report.majority_label, 40)} scores {report.majority_accuracy:.3f}"
    yield f"texts: {_texts(report.texts)}; {len(report.labels):,} {report.strata}{majority}"
    if report.unused_columns:
        yield f"columns of the data that are not used: {listed(report.unused_columns)}"


def data_tables(report: DataReport) -> Iterator[Table]:
    """Everything a report says, for people."""
    rows = [
        ("examples", _examples(report.examples)),
        ("devices", _devices(report.devices)),
        ("texts", _texts(report.texts)),
        *_majority(report),
        *([("columns not used", listed(report.unused_columns))] if report.unused_columns else []),
    ]
    yield word_table(rows)
    made = table(None, (report.strata,), ("training", "share", "test", "share"))
    shown = sorted(report.labels, key=lambda label: -label.train)[:LABEL_ROWS]
    for label in shown:
        shares = f"{label.train / report.examples.train:.1%}", f"{label.test / report.examples.test:.1%}"
        made.add_row(shorten(label.name, 40), f"{label.train:,}", shares[0], f"{label.test:,}", shares[1])
    if left := len(report.labels) - len(shown):
        made.add_row(f"{left:,} more", "", "", "", "")
    yield made


def _majority(report: DataReport) -> Iterator[tuple[str, str]]:
    if report.majority_label is not None:
        yield "majority", f"{report.majority_accuracy:.3f} by always answering {shorten(report.majority_label)}"


def _examples(counts: ExampleCounts) -> str:
    words = [f"{counts.used:,} of {counts.train:,} training examples used"]
    words += [f"{counts.dropped:,} dropped"] * (counts.dropped > 0)
    words += [f"{counts.copied:,} copied"] * (counts.copied > 0)
    words += [f"each on {counts.mean_uses:.1f} devices (at most {counts.most_uses:,})"] * (counts.most_uses > 1)
    held_out = f"{counts.validation:,} for validation and {counts.test:,} for the test"
    return f"{', '.join(words)}; {held_out} held out"


def _devices(counts: DeviceCounts) -> str:
    active = counts.total - counts.sitting_out
    words = [f"{active:,} of {counts.total:,} devices hold {counts.smallest:,} to {counts.largest:,}"]
    words.append(f"median {counts.median:g}")
    words += [f"{counts.topped_up:,} topped up"] * (counts.topped_up > 0)
    words += [f"{counts.sitting_out:,} sit out, {counts.without_examples:,} of them empty"] * (counts.sitting_out > 0)
    return ", ".join(words)


def _texts(lengths: TextLengths) -> str:
    return (
        f"cut to {lengths.max_length:,} tokens ({lengths.chosen}): {lengths.train_cut:,} training "
        f"({lengths.train_cut_share:.1%}) and {lengths.test_cut:,} test texts ({lengths.test_cut_share:.1%}); "
        f"95th percentile {lengths.train_p95:,}, longest {lengths.train_longest:,}"
    )
