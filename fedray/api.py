"""The Python interface: what the command line does, as functions; `import fedray` offers all of it.

Importing this module is cheap: torch, Ray and pandas are imported by the functions that need them. Progress and
warnings go to the logger `fedray`. Wrong input raises `UserError`, whose text is what the command line would print.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedray.errors import UserError
from fedray.experiment.sections import load_resolved
from fedray.scenario import LoadedScenario
from fedray.scenario.loading import Origin
from fedray.scenario.overrides import Overrides, setting_words

if TYPE_CHECKING:
    from pandas import DataFrame

    from fedray.analysis import Comparison
    from fedray.experiment.dry_run import PlannedRound
    from fedray.learning.trained_model import TrainedModel
    from fedray.results import RunDirectory, Summary
    from fedray.runtime.driver import RunCallback
    from fedray.runtime.sweep import SweepCallback

logger = logging.getLogger(__name__)

StrPath = str | PathLike[str]
ScenarioLike = StrPath | Mapping[str, Any] | LoadedScenario  # a YAML file, its content, or a loaded scenario


def load_scenario(scenario: ScenarioLike | None, overrides: Overrides = ()) -> LoadedScenario:
    """Load and validate a scenario; every default is written out in its `scenario` and `to_yaml()`.

    `scenario` is a YAML file, a mapping with the same keys, a loaded scenario, or None for all defaults. `overrides`
    are values by dotted key, `{"training.rounds": 5}`, or words `training.rounds=5`. Relative paths in a file are
    relative to it, others to the working directory.

    Raises
    ------
    ScenarioError
        with one line per problem: place, key, value, what is allowed.
    """
    return load_resolved(_origin(scenario), overrides)


def plan(scenario: ScenarioLike, overrides: Overrides = (), *, round: int = 1) -> PlannedRound:
    """What every device would do in a round, and its price; nothing is trained and Ray is not started.

    `pandas.DataFrame(planned.devices)` is a table of it.

    Raises
    ------
    UserError
        for a wrong scenario, or a round that it does not have.
    """
    loaded = load_scenario(scenario, overrides)
    from fedray.experiment.dry_run import dry_run
    from fedray.experiment.experiment import prepare

    return dry_run(prepare(loaded), round)


@dataclass(frozen=True)
class Run:
    """A run directory: what `run` leaves and `open_run` finds."""

    directory: RunDirectory

    @property
    def path(self) -> Path:
        return self.directory.path

    @property
    def scenario(self) -> LoadedScenario:
        """The scenario as it ran, every default written out."""
        return load_resolved(self.directory.scenario)

    @property
    def summary(self) -> Summary:
        """summary.json; UserError while the run has not ended."""
        return self.directory.summary()

    def rounds(self) -> DataFrame:
        """One row per completed round; nested keys have columns of their own, such as `metrics.macro_f1`."""
        from fedray.results.frames import rounds_frame

        return rounds_frame(self.directory)

    def devices(self) -> DataFrame:
        """One row per completed round and device of it."""
        from fedray.results.frames import devices_frame

        return devices_frame(self.directory)

    def load_model(self) -> TrainedModel:
        """The trained model `(model, tokenizer, labels)`, a `peft.PeftModel` in evaluation mode.

        There are no labels where the task predicts a number. UserError if the run saved no adapter, or its backbone is
        not on this machine.
        """
        labels = self.directory.origin().labels
        from fedray.learning.trained_model import load_trained

        return load_trained(self.scenario, self.directory.adapter, labels)


def run(
    scenario: ScenarioLike | None = None,
    overrides: Overrides = (),
    *,
    run_dir: StrPath | None = None,
    resume: StrPath | None = None,
    address: str | None = None,
    callbacks: Sequence[RunCallback] = (),
) -> Run:
    """Run a scenario, or go on with the run directory `resume`; returns when the run has ended.

    `run_dir` is runs/NAME-TIME by default. `address` is `auto` or host:port of a Ray head; without it the Ray that
    this process is connected to is used (see `session`), or one that lives as long as the run. `callbacks` follow the
    rounds: `RunPrinter()` prints them, a subclass of `RunCallback` does anything else.

    Raises
    ------
    UserError
        for a wrong scenario, directory or address; nothing is written.
    RunFailedError, RunInterruptedError
        if the run could not go on, and on Ctrl-C; completed rounds are kept and `resume` goes on with them.
    """
    from fedray.experiment.resume import open_run as open_directory

    begun = None if resume is None else Path(resume)
    loaded, directory = open_directory(_origin(scenario), overrides, None if run_dir is None else Path(run_dir), begun)
    return execute(loaded, directory, address, callbacks, resumed=begun is not None)


def execute(
    loaded: LoadedScenario,
    directory: RunDirectory,
    address: str | None,
    callbacks: Sequence[RunCallback],
    *,
    resumed: bool,
) -> Run:
    """The second half of `run`, once the scenario is known to be right and the directory to be usable."""
    from fedray.experiment.checks import warnings_of
    from fedray.experiment.experiment import prepare
    from fedray.runtime import driver
    from fedray.runtime.callbacks import RunCallbacks

    experiment = prepare(loaded)
    for warning in warnings_of(experiment):
        logger.warning("%s", warning)
    driver.execute(experiment, directory, address, RunCallbacks(callbacks), resumed)
    return Run(directory)


@dataclass(frozen=True)
class SweepRuns:
    """A sweep's folder, its complete runs, and the names of those that failed in this call."""

    path: Path
    runs: tuple[Run, ...]
    failed: tuple[str, ...]


def sweep(
    scenarios: ScenarioLike | Sequence[StrPath],
    vary: Mapping[str, Sequence[object]] | Iterable[str] = (),
    seeds: Sequence[int] | None = None,
    overrides: Overrides = (),
    *,
    run_dir: StrPath | None = None,
    address: str | None = None,
    callbacks: Sequence[SweepCallback] = (),
) -> SweepRuns:
    """Run every combination of some values and seeds on one Ray, one after the other; on its own folder, go on with it.

    `vary` gives the values by dotted key, `{"method": [{"name": "fedit"}, {"name": "legend"}]}`, or as words
    `method.rank=4,8`. Several scenarios, which may differ in their method only, are files. `address` is that of `run`;
    `callbacks` follow the sweep: `SweepPrinter()` prints it.

    Raises
    ------
    UserError
        for a run that is not valid, or a folder that holds something else; nothing is written.
    RunInterruptedError
        on Ctrl-C; completed rounds are kept.
    """
    from fedray.runtime.callbacks import SweepCallbacks
    from fedray.runtime.sweep import open_sweep, run_sweep

    if isinstance(scenarios, str | PathLike | Mapping | LoadedScenario):
        origins = [_origin(scenarios)]
    else:
        origins = [_origin(file) for file in scenarios]
    numbers = None if seeds is None else ",".join(map(str, seeds))
    folder = None if run_dir is None else Path(run_dir)
    opened = open_sweep(origins, setting_words(overrides), _vary_words(vary), numbers, folder)
    failed = run_sweep(opened, address, SweepCallbacks(callbacks))
    return SweepRuns(opened.directory.path, tuple(map(Run, opened.directory.completed())), failed)


def compare(
    runs: SweepRuns | Run | StrPath | Iterable[Run | StrPath],
    *,
    protocol: str | None = None,
    target: float | None = None,
    target_of: str | None = None,
    share: float | None = None,
    hold: int | None = None,
    budgets: Mapping[str, float | str] | Sequence[str] = (),
    baselines: Sequence[str] = (),
) -> Comparison:
    """Compare finished runs; those that differ in their seed only are one row. `frame()` of it is a table.

    `runs` are runs, run directories, or folders of sweeps. The other parameters are the options of `fedray compare`;
    budgets are `{"seconds": "2h", "bytes": 5e8}`, or words `seconds=2h`.

    Raises
    ------
    UserError
        if a folder is not a run, or the parameters contradict each other.
    """
    from fedray.analysis import compare as compare_runs
    from fedray.analysis import criteria_of_words
    from fedray.results import expand

    amounts = [f"{name}={amount}" for name, amount in budgets.items()] if isinstance(budgets, Mapping) else budgets
    criteria = criteria_of_words(
        protocol=protocol,
        target=target,
        target_of=target_of,
        share=share,
        hold=hold,
        budgets=amounts,
        baselines=baselines,
    )
    if isinstance(runs, SweepRuns):
        runs = runs.runs
    elif isinstance(runs, Run | str | PathLike):
        runs = [runs]
    return compare_runs(expand(one.path if isinstance(one, Run) else Path(one) for one in runs), criteria)


def open_run(path: StrPath) -> Run:
    """The run of a directory, finished or not; UserError if there is none."""
    from fedray.results import RunDirectory

    directory = RunDirectory(Path(path))
    if not directory.scenario.is_file():
        raise UserError(f"{directory.path}: not a run directory (it has no scenario.yaml)")
    return Run(directory)


@contextmanager
def session(address: str | None = None, scenarios: Sequence[ScenarioLike] = ()) -> Iterator[None]:
    """Keep one Ray for several runs: a cluster, or without an address one that ends with the `with` block.

    Within it, `run` and `sweep` need no address. The packages of the methods of `scenarios` that only this machine has
    are shipped to the nodes of a cluster, once.
    """
    loaded = [load_scenario(scenario).scenario for scenario in scenarios]
    from fedray.runtime.driver import shared_session

    with shared_session(address, loaded):
        yield


def _origin(scenario: ScenarioLike | None) -> Origin:
    return Path(scenario) if isinstance(scenario, str | PathLike) else scenario


def _vary_words(vary: Mapping[str, Sequence[object]] | Iterable[str]) -> list[str]:
    """Variations as the words of `--vary`."""
    if not isinstance(vary, Mapping):
        return [vary] if isinstance(vary, str) else list(vary)
    words = []
    for key, values in vary.items():
        if not isinstance(values, list | tuple) or not values:
            raise UserError(f"vary[{key!r}]: given {values!r}; allowed: a list of values")
        written = [setting_words({key: value})[0].partition("=")[2] for value in values]
        words.append(f"{key}={','.join(written)}")
    return words
