"""The tables of the page: what every run came to, and every round of a run."""

from collections.abc import Iterable, Sequence

from fedray.analysis.report.markup import Element, element
from fedray.analysis.report.reading import ReportedRun
from fedray.results.quantities import duration, size
from fedray.results.records import RoundRecord
from fedray.results.summary import Target

RESULTS = (
    "run, result digest (SHA-256)",
    "method",
    "seed",
    "rounds",
    "accuracy: final, best",
    "emulated time",
    "bytes up, down",
    "mean waiting a round",
    "energy",
    "peak memory of a device",
    "to target: time, bytes, round",
    "speed-up",
)
WORDS = RESULTS[:2]
ROUNDS = (
    "round",
    "ends at (s)",
    "length (s)",
    "mean waiting (s)",
    "accuracy",
    "test loss",
    "bytes up",
    "bytes down",
    "energy (J)",
    "devices",
    "not finished",
    "rejected",
    "groups",
    "mean depth",
    "mean rank",
)


def results_table(runs: Sequence[ReportedRun]) -> Element:
    """One row per run; on narrow screens every cell says its own heading."""
    head = element("thead", element("tr", *(element("th", name, scope="col", **_kind(name)) for name in RESULTS)))
    return element("table", head, element("tbody", *(_result(run) for run in runs)), class_="results")


def rounds_table(run: ReportedRun) -> Element:
    """One row per round."""
    rows = [element("tr", *(element("td", text) for text in _round(record))) for record in run.rounds]
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in ROUNDS)))
    return element("table", head, element("tbody", *rows))


def _result(run: ReportedRun) -> Element:
    summary, compared = run.summary, run.compared
    cells = (
        (run.label if summary.status == "completed" else f"{run.label} ({summary.status})",),
        (str(compared.seed),),
        (f"{summary.rounds_completed:,}",),
        (_share(summary.final_accuracy), _share(summary.best_accuracy)),
        (duration(summary.emulated_seconds),),
        (size(summary.bytes_up), size(summary.bytes_down)),
        (duration(summary.mean_waiting_seconds),),
        (f"{summary.energy_joules / 1000:.1f} kJ",),
        (size(summary.peak_memory_bytes),),
        _target(compared.target),
        (f"{compared.speed_up:.2f}×" if compared.speed_up is not None else "–",),
    )
    return element(
        "tr",
        element("th", run.name, element("span", summary.result_digest, class_="digest"), scope="row", class_="word"),
        *(_cell(name, lines) for name, lines in zip(RESULTS[1:], cells, strict=True)),
    )


def _cell(name: str, lines: Iterable[str]) -> Element:
    return element("td", *(element("span", line) for line in lines), data_label=name, **_kind(name))


def _kind(name: str) -> dict[str, str]:
    return {"class_": "word"} if name in WORDS else {}


def _target(target: Target | None) -> tuple[str, ...]:
    if target is None:
        return ("–",)
    return duration(target.emulated_seconds), size(target.bytes), f"round {target.round}"


def _round(record: RoundRecord) -> tuple[str, ...]:
    return (
        str(record.round),
        f"{record.emulated_seconds:,.2f}",
        f"{record.round_seconds:,.2f}",
        f"{record.mean_waiting_seconds:,.2f}",
        _share(record.accuracy),
        _share(record.loss),
        f"{record.bytes_up:,}",
        f"{record.bytes_down:,}",
        f"{record.energy_joules:,.0f}",
        f"{record.participants:,}",
        str(record.dropped),
        str(record.rejected),
        str(record.groups),
        f"{record.mean_depth:.2f}",
        f"{record.mean_rank:.2f}",
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
