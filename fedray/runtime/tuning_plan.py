"""What a tuning will try: the same points of the grid for every method, under seeds that no comparison uses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod
from pathlib import Path

from fedray.errors import UserError
from fedray.experiment.cell_names import method_name
from fedray.experiment.halving import rungs
from fedray.experiment.matrix import (
    Cell,
    Choice,
    Draft,
    Variation,
    load_cells,
    parse_seeds,
    parse_variation,
    require_different,
    require_different_keys,
    split,
)
from fedray.experiment.resume import MAY_CHANGE, default_folder
from fedray.experiment.tuned import TunedScenario, require_replaceable
from fedray.results import RunDirectory
from fedray.results.tuning_record import (
    SCHEMA_VERSION,
    MethodRecord,
    RungRecord,
    TrialRecord,
    TuningRecord,
    read_tuning,
)
from fedray.runtime.batch import SweptRun, prepare_runs, require_the_same_base
from fedray.runtime.tuning import FILE, MethodTrials, Trial, Tuning
from fedray.scenario import Scenario, load_scenario
from fedray.scenario.source import parse_source, show
from fedray.seeds import Purpose, generator

LEARNING_RATE = "training.optimiser.learning_rate"
DEFAULT_GRID = f"{LEARNING_RATE}=3e-4,1e-3,3e-3,1e-2,3e-2"  # half decades around LoRA's usual 1e-3 (peft's examples)
TUNABLE = ("method", "training", "topology")  # what a method may choose; fleet, task, model and costs judge it
NOT_TUNABLE = ("method.name", "training.rounds", "training.stop")
SEED_OFFSET = 1000  # comparisons use small seeds, or the scenario's own
MAX_POINTS = 10_000  # of a grid: more is a slip


@dataclass(frozen=True)
class TuningRequest:
    """The words of `fedray tune`; null stands for the default."""

    scenario: Path
    settings: Sequence[str] = ()
    methods: str | None = None
    grid: Sequence[str] = ()
    budget: int | None = None
    seeds: str | None = None
    rounds: int | None = None
    eta: int = 2
    output: Path | None = None
    run_dir: Path | None = None


def open_tuning(request: TuningRequest) -> Tuning:
    """Check and prepare every run of a tuning, new or gone on with; nothing is written yet.

    Raises
    ------
    UserError
        for a scenario without validation examples, a point of the grid that is no valid scenario, a seed that
        comparisons use, and a folder that holds something else.
    """
    loaded = load_scenario(request.scenario, request.settings)
    scenario = loaded.scenario
    if scenario.task.validation is None:
        allowed = "{share: 0.1}, or a file or a split; values are not tuned on test examples"
        raise loaded.source.error(("task", "validation"), None, allowed)
    seeds = _seeds(request.seeds, scenario.seed)
    rounds = request.rounds or min(max(2, ceil(scenario.training.rounds / 2)), scenario.training.rounds)
    variations = _grid(request.grid)
    points = _points(variations, request.budget, scenario.seed)
    methods = _methods(request.methods, scenario)
    folder = request.run_dir or default_folder(f"{scenario.name}-tune")
    names = [method_name(method.value) for method in methods]
    outputs = _outputs(request.output, folder, names)
    cells = _cells(request, methods, points, seeds, rounds)
    climbed = rungs(len(points), rounds, request.eta, scenario.task.eval.every)
    record = TuningRecord(
        schema_version=SCHEMA_VERSION,
        scenario=str(request.scenario),
        rounds=rounds,
        eta=request.eta,
        seeds=seeds,
        grid={variation.key: variation.values for variation in variations},
        rungs=[RungRecord(rung.rounds, rung.trials) for rung in climbed],
        methods=[_unscored(name, trials, variations) for name, trials in zip(names, cells, strict=True)],
    )
    _require_the_same_tuning(folder, record)
    runs = prepare_runs([cell for trials in cells for trial in trials for cell in trial], folder)
    require_the_same_base(runs, [run.directory for run in runs], ("method", *record.grid, *MAY_CHANGE))
    by_name = {run.name: run for run in runs}
    found = [
        MethodTrials(name, tuple(_trial(request, trial, record, by_name) for trial in trials), output)
        for name, trials, output in zip(names, cells, outputs, strict=True)
    ]
    return Tuning(folder, record, climbed, tuple(found))


def _seeds(text: str | None, own: int) -> tuple[int, ...]:
    """The seeds to tune with: none is the scenario's own, which comparisons use."""
    if text is None:
        return ((own + SEED_OFFSET) % 2**63,)
    seeds = parse_seeds(text)
    if own in seeds:
        allowed = "seeds that no comparison uses; this one is the scenario's own"
        raise UserError(f"--seeds {text}: given {own}; allowed: {allowed}")
    return tuple(seeds)


def _grid(words: Sequence[str]) -> tuple[Variation, ...]:
    variations = tuple(parse_variation("--grid", word) for word in words or [DEFAULT_GRID])
    require_different_keys("--grid", variations)
    for variation in variations:
        key = variation.key
        if key == "method" or key.startswith(NOT_TUNABLE) or key.partition(".")[0] not in TUNABLE:
            hint = "; methods are given with --methods, rounds with --rounds"
            raise UserError(f"--grid {key}: given {key}; allowed: keys below {', '.join(TUNABLE)}{hint}")
    if prod(len(variation.choices) for variation in variations) > MAX_POINTS:
        raise UserError(f"--grid: more than {MAX_POINTS:,} points; allowed: fewer values")
    return variations


def _points(variations: Sequence[Variation], budget: int | None, seed: int) -> list[tuple[Choice, ...]]:
    """The points of the grid; of a grid larger than the budget as many as that, drawn without replacement."""
    points = list(product(*(variation.choices for variation in variations)))
    if budget is None or budget >= len(points):
        return points
    drawn = generator(seed, Purpose.TUNING).choice(len(points), budget, replace=False)
    return [points[index] for index in sorted(drawn.tolist())]


def _methods(text: str | None, scenario: Scenario) -> list[Choice]:
    """What sets each method: a name keeps the other keys of the section, a mapping replaces it, as in a sweep."""
    if text is None:
        name = scenario.method.get("name")
        return [Choice("method.name", str(name), name, f"--methods {name}")]
    found = []
    for word in split(text):
        value = parse_source(f"--methods {text}", f"value: {word}").data["value"]
        if not isinstance(value, str | dict):
            allowed = "names and mappings separated by commas, for example 'fedit,{name: legend, rank: 8}'"
            raise UserError(f"--methods {text}: given {show(value)}; allowed: {allowed}")
        key = "method" if isinstance(value, dict) else "method.name"
        found.append(Choice(key, word, value, f"--methods {word}"))
    often = Counter(method_name(choice.value) for choice in found)
    if repeated := next((name for name, count in often.items() if count > 1), None):
        raise UserError(f"--methods {text}: {repeated} is given twice; allowed: once, or with other parameters")
    return found


def _cells(
    request: TuningRequest,
    methods: Sequence[Choice],
    points: Sequence[tuple[Choice, ...]],
    seeds: Sequence[int],
    rounds: int,
) -> list[list[tuple[Cell, ...]]]:
    """By method the cells of its trials, one for every seed: the smaller learning rate first, then as in the grid.

    No target ends a trial early: all must run as long.
    """
    settings = [*request.settings, "tuning=null", f"training.rounds={rounds}", "training.stop.target=null"]
    choices = [(method, *point) for method in methods for point in points]
    cells = load_cells([Draft(request.scenario, None, chosen, seed) for chosen in choices for seed in seeds], settings)
    require_different(cells)
    trials = [cells[at : at + len(seeds)] for at in range(0, len(cells), len(seeds))]
    return [
        sorted(
            trials[at : at + len(points)], key=lambda trial: trial[0].loaded.scenario.training.optimiser.learning_rate
        )
        for at in range(0, len(trials), len(points))
    ]


def _outputs(output: Path | None, folder: Path, names: Sequence[str]) -> list[Path]:
    """Where the tuned scenarios go: the file `-o FILE.yaml` of one method, or METHOD.yaml in the folder `-o FOLDER`."""
    if output is not None and output.suffix in (".yaml", ".yml"):
        if len(names) > 1:
            raise UserError(f"-o {output}: given a file for {len(names)} methods; allowed: a folder")
        paths = [output]
    else:
        paths = [(output or folder / "tuned") / f"{name}.yaml" for name in names]
    for path in paths:
        require_replaceable(path)
    return paths


def _unscored(name: str, trials: Sequence[Sequence[Cell]], variations: Sequence[Variation]) -> MethodRecord:
    """A method before its first run."""
    keys = [variation.key for variation in variations]
    records = [TrialRecord(_values(trial[0], keys), [cell.name for cell in trial], [], None) for trial in trials]
    return MethodRecord(name, records, None, None, {}, None)


def _trial(request: TuningRequest, cells: Sequence[Cell], record: TuningRecord, runs: Mapping[str, SweptRun]) -> Trial:
    """A point of the grid, ready to run, with the scenario that its user would have written for it."""
    keys = list(record.grid)
    choices = sorted(cells[0].draft.choices, key=lambda choice: choice.key)
    loaded = load_scenario(request.scenario, [*request.settings, *(choice.setting for choice in choices)])
    scenario = TunedScenario(request.scenario, loaded.source.data, tuple(keys), record.seeds, record.rounds)
    return Trial(_values(cells[0], keys), tuple(runs[cell.name] for cell in cells), scenario)


def _values(cell: Cell, keys: Sequence[str]) -> dict[str, object]:
    return {choice.key: choice.value for choice in cell.draft.choices if choice.key in keys}


def _require_the_same_tuning(folder: Path, record: TuningRecord) -> None:
    """UserError if the folder holds something else, or a tuning that was asked for in other words."""
    file = folder / FILE
    if not file.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"--run-dir {folder}: holds something that is no tuning; give another folder")
        RunDirectory(folder).require_usable()
        return
    before, now = read_tuning(file).plan(), record.plan()
    for option, value in before.items():
        if value != now[option]:
            raise UserError(f"--run-dir {folder}: this tuning has another {option}; give another folder")
