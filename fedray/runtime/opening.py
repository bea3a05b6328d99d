"""Which scenario and which run directory a `fedray run` means, new or resumed."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fedray.errors import UserError
from fedray.results import RunDirectory
from fedray.scenario import LoadedScenario, Scenario, load_scenario

MAY_CHANGE = ("name", "runtime", "telemetry", "training.rounds", "training.stop")  # none of them changes a past round


def open_run(
    scenario: Path | None, settings: Sequence[str], run_dir: Path | None, resume: Path | None
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
        loaded = load_scenario(scenario, settings)
        directory = RunDirectory(run_dir or default_folder(loaded.scenario.name))
        directory.require_unused()
        return loaded, directory
    directory = RunDirectory(resume)
    if run_dir is not None:
        raise UserError("--run-dir: not together with --resume, which goes on in its own directory")
    if not directory.scenario.is_file():
        raise UserError(f"{resume}: not a run directory (it has no scenario.yaml)")
    before = load_scenario(directory.scenario).scenario
    loaded = load_scenario(scenario or directory.scenario, settings)
    if changed := _changed(before, loaded.scenario):
        raise UserError(f"--resume {resume}: {changed} differs from the run's; only {', '.join(MAY_CHANGE)} may change")
    return loaded, directory


def default_folder(name: str) -> Path:
    """runs/NAME-TIME, numbered if two start in one second."""
    folder = base = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    number = 2
    while folder.exists():
        folder, number = Path(f"{base}-{number}"), number + 1
    return folder


def _changed(before: Scenario, after: Scenario) -> str | None:
    """The first dotted key that differs and may not."""
    old, new = before.model_dump(), after.model_dump()
    for key in old:
        inner = old[key].keys() | new[key].keys() if key == "training" else [None]
        for name in sorted(inner, key=str):
            dotted = f"{key}.{name}" if name else key
            same = old[key].get(name) == new[key].get(name) if name else old[key] == new[key]
            if not same and dotted not in MAY_CHANGE:
                return dotted
    return None
