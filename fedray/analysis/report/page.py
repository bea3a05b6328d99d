"""The page: what is real and what is computed, the results, the figures, every run by itself."""

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files

from plotly.offline import get_plotlyjs

from fedray.analysis.comparison import Comparison
from fedray.analysis.report.curves import Levels, quality_charts, round_chart
from fedray.analysis.report.gantt import gantt_chart
from fedray.analysis.report.grids import grid_chart
from fedray.analysis.report.heatmaps import heat_charts
from fedray.analysis.report.label_mix import mix_chart
from fedray.analysis.report.markup import Element, data_script, document, element
from fedray.analysis.report.reading import ReportedRun
from fedray.analysis.report.style import Chart
from fedray.analysis.report.tables import comparison_table, results_table, rounds_table
from fedray.analysis.tables import comparison_tables, target_words
from fedray.results.quantities import duration

OUTWARD = re.compile(r"((?:src|href)=[\"'`])https?://")


def report_page(runs: Sequence[ReportedRun], comparison: Comparison) -> str:
    """The whole report as one HTML document that needs nothing but itself."""
    names = ", ".join(run.name for run in runs)
    title = f"Run {names}" if len(runs) == 1 else f"{len(runs)} runs compared"
    figures = _Figures(runs)
    body = [
        element("header", element("h1", title), element("p", _outline(runs), class_="soft"), _reality(runs)),
        _results(runs, comparison),
        _together(runs, comparison, figures),
        *(_by_itself(run, figures) for run in runs),
        element("noscript", element("p", "The figures are drawn by this page's own script; the tables are not.")),
    ]
    here = files(__package__)
    scripts = [_inlined(get_plotlyjs()), (here / "page.js").read_text("utf-8")]
    return document(f"{title} – fedray", (here / "page.css").read_text("utf-8"), body, scripts)


def _inlined(script: str) -> str:
    """Plotly's script without the addresses it could link to or load from; no figure here has maps or formulas."""
    return OUTWARD.sub(r"\1#", script.replace("\r\n", "\n"))


class _Figures:
    """Numbers the figures as they are asked for, and ends every caption with what is not real in it."""

    def __init__(self, runs: Sequence[ReportedRun]) -> None:
        self.runs = runs
        self.number = 0

    def figure(self, chart: Chart, runs: Sequence[ReportedRun]) -> Element:
        self.number += 1
        label = f"figure-{self.number}"
        views = "[" + ",".join(view.figure.to_json(engine="json") for view in chart.views) + "]"
        parts = [element("h3", chart.title, id=label)]
        if len(chart.views) > 1:
            options = [element("option", view.name) for view in chart.views]
            options[-1].set("selected", "selected")
            parts.append(element("label", "Show", element("select", *options), class_="choice"))
        parts += [
            element("div", class_="plot", role="group", aria_labelledby=label, aria_describedby=f"{label}-caption"),
            element(
                "figcaption",
                element("b", f"Figure {self.number}. "),
                f"{chart.caption} ",
                element("span", _note(runs), class_="soft"),
                id=f"{label}-caption",
            ),
            data_script(views),
        ]
        return element("figure", *parts)


def _outline(runs: Sequence[ReportedRun]) -> str:
    """What this is about, in a line."""
    if len(runs) > 1:
        return f"fedray report on {_listed(run.name for run in runs)}."
    summary = runs[0].summary
    return (
        f"fedray report: {summary.method} on {summary.devices:,} emulated devices, seed {runs[0].compared.seed}, "
        f"{summary.status} after {summary.rounds_completed:,} rounds."
    )


def _reality(runs: Sequence[ReportedRun]) -> Element:
    by_twin: dict[str, list[str]] = {}
    for run in runs:
        if run.summary.twin:
            by_twin.setdefault(run.summary.twin, []).append(run.name)
    twins = [
        element(
            "p",
            f"{'Every run' if len(names) == len(runs) > 1 else _listed(names)} trained a small stand-in. Its quality "
            f"is the stand-in's; every cost – seconds, bytes, memory, joules – is that of its twin, the architecture "
            f"{twin}, which was not trained.",
        )
        for twin, names in by_twin.items()
    ]
    return element(
        "div",
        element("p", element("b", "What is real here, and what is computed.")),
        element("p", "Training and evaluation are real: quality is that of a model that was trained and evaluated."),
        element(
            "p",
            "Devices are emulated. Their time is computed, not measured: seconds, waiting, memory and joules come from "
            "the work each device was given and the catalogue's boards and links; bytes are those of the tensors sent.",
        ),
        *twins,
        class_="note",
    )


def _note(runs: Sequence[ReportedRun]) -> str:
    """What every caption ends with."""
    named = {run.name: run.summary.twin for run in runs if run.summary.twin}
    note = "Time is computed, not measured"
    if not named:
        return f"{note}."
    if len(named) == len(runs) and len(set(named.values())) == 1:
        return f"{note}; costs are those of {next(iter(named.values()))}, for which a small stand-in was trained."
    costs = "; ".join(f"of {name}, those of {twin}" for name, twin in named.items())
    return f"{note}; costs are {costs}, for which a small stand-in was trained."


def _together(runs: Sequence[ReportedRun], comparison: Comparison, figures: _Figures) -> Element:
    target = comparison.target.score if comparison.target else None
    charts = quality_charts(runs, Levels(comparison.metric_words, target, comparison.majority_accuracy))
    absent = [] if charts else [element("p", "No round was evaluated, so there is no quality to draw.")]
    grids = [grid_chart(comparison.grid, comparison.metric_words)] if comparison.grid else []
    drawn = [figures.figure(chart, runs) for chart in [*grids, *charts, round_chart(runs)]]
    return element("section", element("h2", "Quality, time and traffic"), *absent, *drawn)


def _by_itself(run: ReportedRun, figures: _Figures) -> Element:
    summary = run.summary
    parts = [
        element("h2", f"Run {run.name}" if len(figures.runs) > 1 else "Devices"),
        element(
            "p",
            f"{summary.method}, seed {run.compared.seed}, {summary.devices:,} devices; {summary.status} after "
            f"{summary.rounds_completed:,} rounds, {duration(summary.wall_seconds)} of real time.",
        ),
    ]
    if run.devices:
        parts.append(figures.figure(gantt_chart(run), [run]))
        parts.append(element("div", *(figures.figure(chart, [run]) for chart in heat_charts(run)), class_="pair"))
    else:
        parts.append(element("p", "No device took part in any round, so there is none to draw."))
    if run.devices and run.shards:
        parts.append(figures.figure(mix_chart(run, run.shards), [run]))
    else:
        parts.append(
            element("p", "The label mixes of the groups are left out: this run wrote no shards.jsonl, or had no data.")
        )
    parts.append(_details("Every round in numbers", _scrolling(rounds_table(run), f"Rounds of {run.name}")))
    parts.append(_details("The scenario as resolved", element("pre", run.scenario_yaml)))
    return element("section", *parts, class_="run")


def _details(title: str, content: Element) -> Element:
    return element("details", element("summary", title), content)


def _scrolling(table: Element, label: str) -> Element:
    """A wide table in a box that scrolls by itself, reachable by keyboard."""
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def _results(runs: Sequence[ReportedRun], comparison: Comparison) -> Element:
    target = target_words(comparison)
    parts = [f"{target[0].upper()}{target[1:]}." if target else "No target was given."]
    if comparison.no_ratios:
        parts.append(f"{comparison.no_ratios[0].upper()}{comparison.no_ratios[1:]}.")
    parts.append(f"Bytes count in powers of 1,000; {comparison.metric_words} is that on the evaluated test examples.")
    return element(
        "section",
        element("h2", "Results"),
        element("p", " ".join([*parts, _note(runs)])),
        *(element("p", element("b", "With care: "), f"{warning}.") for warning in comparison.warnings),
        results_table(runs),
        *map(comparison_table, comparison_tables(comparison)),
    )


def _listed(names: Iterable[str]) -> str:
    """One, two and three."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
