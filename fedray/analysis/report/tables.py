"""The tables of the page: what every run came to, and every round of a run."""

from collections.abc import Iterable, Sequence

from fedray.analysis.experiments import MemoryLoss
from fedray.analysis.report.markup import Element, element
from fedray.analysis.report.reading import ReportedRun
from fedray.analysis.targets import Attempt
from fedray.analysis.text import TextTable
from fedray.results.metric import MetricValue
from fedray.results.quantities import duration, size
from fedray.results.records import RoundRecord

RESULTS = (
    "run, result digest (SHA-256)",
    "method",
    "seed",
    "rounds",
    "quality: final, best",
    "emulated time",
    "bytes up, down",
    "mean waiting a round",
    "energy",
    "peak memory of a device",
    "to target: time, bytes, round",
    "lost to memory",
)
WORDS = RESULTS[:2]
ROUNDS = (
    "round",
    "ends at (s)",
    "length (s)",
    "mean waiting (s)",
    "quality",
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


def comparison_table(table: TextTable) -> Element:
    """A table of the comparison, its title above it and its notes below."""
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in table.headings)))
    rows = []
    for first, *others in table.rows:
        cells = [_cell(name, lines) for name, lines in zip(table.headings[1:], others, strict=True)]
        rows.append(element("tr", element("th", " ".join(first), scope="row", class_="word"), *cells))
    return element(
        "div",
        element("h3", table.title),
        element("table", head, element("tbody", *rows), class_="results"),
        *(element("p", note, class_="soft") for note in table.notes),
    )


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
        (_named(summary.primary), _share(_value(run.best))),
        (duration(summary.emulated_seconds),),
        (size(summary.bytes_up), size(summary.bytes_down)),
        (duration(summary.mean_waiting_seconds),),
        (f"{summary.energy_joules / 1000:.1f} kJ",),
        (size(summary.peak_memory_bytes),),
        _target(compared.target),
        _memory(compared.memory),
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


def _target(target: Attempt | None) -> tuple[str, ...]:
    if target is None:
        return ("–",)
    if not target.reached:
        return ("missed",)
    return duration(target.spent.emulated_seconds), size(target.spent.bytes), f"round {target.spent.round}"


def _memory(lost: MemoryLoss) -> tuple[str, ...]:
    if not lost.per_round:
        return ("0",)
    return f"{lost.per_round:.1f} a round", f"{lost.never_finished} never in"


def _round(record: RoundRecord) -> tuple[str, ...]:
    return (
        str(record.round),
        f"{record.emulated_seconds:,.2f}",
        f"{record.round_seconds:,.2f}",
        f"{record.mean_waiting_seconds:,.2f}",
        _share(_value(record)),
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


def _named(primary: MetricValue | None) -> str:
    return "–" if primary is None else f"{primary.name} {primary.value:.3f}"


def _value(record: RoundRecord | None) -> float | None:
    """The primary metric of a round on the test examples."""
    return record.primary.value if record is not None and record.primary is not None else None


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
