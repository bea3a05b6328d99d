"""Which scenario and which run directory a `fedray run` means, new or resumed."""

from datetime import datetime
from pathlib import Path

from fedray.errors import UserError
from fedray.experiment.sections import load_resolved
from fedray.results import RunDirectory
from fedray.scenario import LoadedScenario
from fedray.scenario.loading import Origin
from fedray.scenario.overrides import Overrides

MAY_CHANGE = (
    "name",
    "runtime",
    "telemetry",
    "tuning",
    "training.rounds",
    "training.stop",
)  # none of them changes what was trained


def open_run(
    scenario: Origin, overrides: Overrides, run_dir: Path | None, resume: Path | None
) -> tuple[LoadedScenario, RunDirectory]:
    """The scenario to run and where; nothing is written yet.

    Raises
    ------
    UserError
        without a scenario, for a directory that is no run, or if a resumed run would not stay the same experiment.
    """
    if resume is None:
        if scenario is None:
            raise UserError("give a SCENARIO to run, or --resume RUN to go on with one")
        loaded = load_resolved(scenario, overrides)
        directory = RunDirectory(run_dir or default_folder(loaded.scenario.name))
        directory.require_usable()
        return loaded, directory
    directory = RunDirectory(resume)
    if run_dir is not None:
        raise UserError("--run-dir: not together with --resume, which goes on in its own directory")
    if not directory.scenario.is_file():
        raise UserError(f"{resume}: not a run directory (it has no scenario.yaml)")
    before = load_resolved(directory.scenario).scenario
    loaded = load_resolved(directory.scenario if scenario is None else scenario, overrides)
    if before.task.max_length != "auto":  # what `auto` chose when the run began
        loaded = loaded.with_max_length(before.task.max_length)
    if changed := changed_key(before.model_dump(), loaded.scenario.model_dump()):
        raise UserError(f"--resume {resume}: {changed} differs from the run's; only {', '.join(MAY_CHANGE)} may change")
    return loaded, directory


def default_folder(name: str) -> Path:
    """runs/NAME-TIME, the time to the millisecond."""
    now = datetime.now()
    return Path("runs") / f"{name}-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}"


def changed_key(before: object, after: object, key: str = "") -> str | None:
    """The first dotted key whose values differ and that may not change; of a section, its name before the rest."""
    if key in MAY_CHANGE or before == after:
        return None
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return key
    for name in sorted(before.keys() | after.keys(), key=lambda name: (name != "name", name)):
        if found := changed_key(before.get(name), after.get(name), f"{key}.{name}" if key else name):
            return found
    return None
