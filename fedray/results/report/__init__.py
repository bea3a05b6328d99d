"""One offline HTML page about finished runs: figures, tables, and what in them is computed."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fedray.errors import UserError
from fedray.results.comparison import compare
from fedray.results.report.page import report_page
from fedray.results.report.reading import read_runs
from fedray.results.run_directory import RunDirectory

__all__ = ["report_path", "write_report"]


def report_path(runs: Sequence[RunDirectory], given: Path | None) -> Path:
    """Where the page goes: as given, or into the run's own folder; UserError if there are several runs."""
    if given is not None:
        return given
    if len(runs) != 1:
        raise UserError("-o: a report on several runs needs a file to go to, e.g. -o report.html")
    return runs[0].path / "report.html"


def write_report(runs: Sequence[RunDirectory], path: Path, target: float | None) -> None:
    """Write the page; a page that is there is replaced once the new one is complete.

    `target` is the accuracy to reach; None takes the highest that every run reached.

    Raises
    ------
    UserError
        for a folder that is no run, a run without a completed round, a target that is no share, or a file that
        cannot be written.
    """
    comparison = compare(runs, target)
    path = path.resolve()  # a link stays one
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no plain file"
        raise UserError(f"{path}: cannot write the report: this is {kind}; give a file, e.g. -o report.html")
    html = report_page(read_runs(comparison), comparison, target is not None)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(html, "utf-8", errors="replace")  # a name need not be text
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise UserError(f"{path}: cannot write the report: {error.strerror}") from None
