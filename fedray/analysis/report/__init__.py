"""One offline HTML page about finished runs: figures, tables, and what in them is computed."""

from collections.abc import Sequence
from pathlib import Path

from fedray.analysis.comparison import DEFAULT, compare
from fedray.analysis.criteria import Criteria
from fedray.analysis.report.page import report_page
from fedray.analysis.report.reading import read_runs
from fedray.errors import UserError
from fedray.results.files import replace_file
from fedray.results.run_directory import RunDirectory

__all__ = ["report_path", "write_report"]


def report_path(runs: Sequence[RunDirectory], given: Path | None) -> Path:
    """Where the page goes: as given, or into the run's own folder; UserError if there are several runs."""
    if given is not None:
        return given
    if len(runs) != 1:
        raise UserError("-o: a report on several runs needs a file to go to, e.g. -o report.html")
    return runs[0].path / "report.html"


def write_report(runs: Sequence[RunDirectory], path: Path, criteria: Criteria = DEFAULT) -> None:
    """Write the page; an existing page is replaced once the new one is complete.

    Raises
    ------
    UserError
        as from `compare`; for a run without a completed round, and for a file that cannot be written.
    """
    comparison = compare(runs, criteria)
    replace_file(path, report_page(read_runs(comparison), comparison), "the report")
