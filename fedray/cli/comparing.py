"""Commands about finished runs: compare, report, export."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedray.cli.console import AsJson, err, out, print_json, say

if TYPE_CHECKING:
    from fedray.analysis import Comparison


Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories, or folders of sweeps.")]
Protocol = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="summary | cost-to-target | quality-under-budget | robustness; default: by the target or budget given.",
    ),
]
Target = Annotated[
    float | None,
    typer.Option(metavar="ACC", help="Score to reach; default: the runs' own training.stop.target, if they agree."),
]
TargetOf = Annotated[
    str | None, typer.Option(metavar="NAME", help="Score to reach: a share of the plateau of this row, by seed.")
]
ShareOf = Annotated[float | None, typer.Option(metavar="SHARE", help="That share; default: 0.97.")]
Hold = Annotated[
    int | None, typer.Option(metavar="K", help="Evaluations in a row that have to reach the target; default: 3.")
]
Budgets = Annotated[
    list[str],
    typer.Option(
        "--budget", metavar="WHAT=N", help="seconds=2h | bytes=500MB | joules=3kJ; repeatable, each by itself."
    ),
]
Baselines = Annotated[
    list[str],
    typer.Option(
        "--baselines",
        "--baseline",
        metavar="A,B",
        help="Rows to compare with, the best and worst of them; default: the first.",
    ),
]


def compare(
    runs: Runs,
    protocol: Protocol = None,
    target: Target = None,
    target_of: TargetOf = None,
    share: ShareOf = None,
    hold: Hold = None,
    budget: Budgets = [],
    baselines: Baselines = [],
    as_json: AsJson = False,
) -> None:
    """Compare runs: quality, and the cost to a target or within a budget; 95 % intervals over paired seeds."""
    from fedray import api

    comparison = api.compare(
        runs,
        protocol=protocol,
        target=target,
        target_of=target_of,
        share=share,
        hold=hold,
        budgets=budget,
        baselines=baselines,
    )
    show_comparison(comparison, as_json)


def report(
    runs: Runs,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE.html", help="Default: report.html in the run's own folder.")
    ] = None,
    protocol: Protocol = None,
    target: Target = None,
    target_of: TargetOf = None,
    share: ShareOf = None,
    hold: Hold = None,
    budget: Budgets = [],
    baselines: Baselines = [],
) -> None:
    """Write one page about finished runs, readable offline: figures, tables, the scenarios."""
    from fedray.analysis import criteria_of_words
    from fedray.analysis.report import report_path, write_report
    from fedray.results import expand

    criteria = criteria_of_words(
        protocol=protocol,
        target=target,
        target_of=target_of,
        share=share,
        hold=hold,
        budgets=budget,
        baselines=baselines,
    )
    found = expand(runs)
    path = report_path(found, output)
    write_report(found, path, criteria)
    say(f"report written to {path}")


def export(
    runs: Runs,
    output: Annotated[
        Path, typer.Option("--openmetrics", metavar="FILE", help="Output file; an existing one is replaced.")
    ],
) -> None:
    """Write runs as OpenMetrics text for Prometheus and Grafana; its time is emulated time, from 2000-01-01 UTC on."""
    from fedray.results import expand
    from fedray.results.files import replace_file
    from fedray.runtime.openmetrics_export import exported

    replace_file(output, exported(expand(runs)), "the export")
    say(f"written to {output}; load it with: promtool tsdb create-blocks-from openmetrics {output} PROMETHEUS-DATA")


def show_comparison(comparison: "Comparison", as_json: bool) -> None:
    from fedray.display import comparison_displays

    for warning in comparison.warnings:
        say(f"warning: {warning}", err)
    if as_json:
        print_json(asdict(comparison))
        return
    for table in comparison_displays(comparison):
        out.print(table)
