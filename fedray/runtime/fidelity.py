"""One scenario under both clocks, and how well they agree."""

from collections.abc import Sequence
from pathlib import Path

from fedray.analysis import Fidelity, fidelity
from fedray.errors import RunFailedError
from fedray.experiment.experiment import prepare
from fedray.experiment.resume import default_folder
from fedray.learning.calibration import Calibration, fastest_device
from fedray.results import RunDirectory
from fedray.runtime.driver import RunCallback, execute_on, share_of, shared_session
from fedray.scenario import load_scenario
from fedray.wall.process_pool import DeviceProcessPool, WorkerDiedError

VIRTUAL = ("runtime.clock=virtual", "runtime.dilation=auto")


def measure_fidelity(
    scenario: Path,
    settings: Sequence[str],
    rounds: int,
    bound: float,
    folder: Path | None,
    address: str | None,
    callback: RunCallback,
) -> tuple[Fidelity, Path]:
    """Run the first rounds of a scenario under the virtual clock, then on the wall; the folder keeps both runs.

    Raises
    ------
    UserError, RunFailedError, RunInterruptedError
        as a run does; before anything is run, if the wall clock cannot have this scenario here.
    """
    shortened = [*settings, f"training.rounds={rounds}"]
    wall = prepare(load_scenario(scenario, [*shortened, "runtime.clock=wall"]))
    virtual = prepare(load_scenario(scenario, [*shortened, *VIRTUAL]))
    folder = folder or default_folder(f"{wall.scenario.name}-fidelity")
    RunDirectory(folder).require_usable()
    directories = RunDirectory(folder / "virtual"), RunDirectory(folder / "wall")
    with shared_session(address, [wall.scenario]) as cluster:
        share_of(wall, cluster)  # or it would be refused only after the other has run
        for experiment, directory in zip((virtual, wall), directories, strict=True):
            execute_on(cluster, experiment, directory, callback)
    return fidelity(*directories, bound), folder


def measure_machine(scenario: Path | None, settings: Sequence[str], processes: int) -> list[Calibration]:
    """The speed of each of `processes` processes of this machine on a scenario's model and batches; without Ray.

    Raises
    ------
    UserError
        if the scenario is wrong, or trains nothing.
    RunFailedError
        if a process died.
    """
    loaded = load_scenario(scenario, settings)
    experiment = prepare(loaded)
    assets = experiment.assets(experiment.build_method().adapter())
    if assets is None:
        allowed = "a dataset, because without one nothing is trained"
        raise loaded.source.error(("task", "dataset", "kind"), "none", allowed)
    pool = DeviceProcessPool(assets, fastest_device())
    try:
        return pool.calibrate(processes)
    except WorkerDiedError:
        raise RunFailedError("a process that was measuring has died; nothing was lost, try again") from None
    finally:
        pool.close()
