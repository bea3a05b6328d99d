"""Commands about finished runs: compare, report, export."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedray.cli.words import AsJson, err, out, print_json, say

if TYPE_CHECKING:
    from fedray.analysis import Comparison


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories, or folders of sweeps.")],
    target: Annotated[
        float | None, typer.Option(metavar="ACC", help="Accuracy to reach; default: what every run reached.")
    ] = None,
    target_of: Annotated[
        str | None, typer.Option(metavar="NAME", help="Accuracy to reach: the final one of this row, by seed.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="The row that ratios are against; default: the first.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs: accuracy, emulated time and bytes to a target, waiting, energy; mean ± deviation over seeds."""
    from fedray.analysis import compare as compare_runs
    from fedray.results import expand

    show_comparison(compare_runs(expand(runs), target, target_of=target_of, baseline=baseline), as_json)


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories, or folders of sweeps.")],
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE.html", help="Default: report.html in the run's own folder.")
    ] = None,
    target: Annotated[
        float | None, typer.Option(metavar="ACC", help="Accuracy to reach; default: what every run reached.")
    ] = None,
) -> None:
    """Write one page about finished runs, readable offline: figures, tables, the scenarios."""
    from fedray.analysis.report import report_path, write_report
    from fedray.results import expand

    found = expand(runs)
    path = report_path(found, output)
    write_report(found, path, target)
    say(f"report written to {path}")


def export(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories, or folders of sweeps.")],
    output: Annotated[Path, typer.Option("--openmetrics", metavar="FILE", help="Where to; replaced if it is there.")],
) -> None:
    """Write runs as OpenMetrics text for Prometheus and Grafana; its time is emulated time, from 2000-01-01 UTC on."""
    from fedray.results import expand
    from fedray.results.files import replace_file
    from fedray.runtime.exporting import exported

    replace_file(output, exported(expand(runs)), "the export")
    say(f"written to {output}; load it with: promtool tsdb create-blocks-from openmetrics {output} PROMETHEUS-DATA")


def show_comparison(comparison: "Comparison", as_json: bool) -> None:
    from fedray.display import comparison_table, difference_warning

    if warning := difference_warning(comparison):
        say(warning, err)
    if as_json:
        print_json(asdict(comparison))
    else:
        out.print(comparison_table(comparison))
