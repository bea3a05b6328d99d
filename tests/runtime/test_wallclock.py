"""From a schedule to targets and a dilation, against the schedule itself and hand-worked numbers."""

from math import inf
from pathlib import Path

import numpy as np
import pytest

from fedray.costs.machine import MachineSpeed
from fedray.experiment.experiment import Experiment, prepare
from fedray.learning.calibration import Calibration
from fedray.protocol import Outcome
from fedray.results import MeasuredPhases
from fedray.runtime.wallclock import WallClock, WallClockPlan, really_priced
from fedray.scenario import load_scenario
from fedray.wall.dilation import BUSY

FAST, SLOW = MachineSpeed(1e12, 1e11, 1e-6), MachineSpeed(1e10, 1e10, 1e-5, step_factor=2.0)
CALIBRATIONS = [Calibration(FAST, 0.01, 32), Calibration(SLOW, 0.5, 16)]


def experiment_of(small_scenario: Path, *settings: str) -> Experiment:
    return prepare(load_scenario(small_scenario, ["runtime.clock=wall", *settings]))


def first_round(experiment: Experiment):
    fleet_state = experiment.fleet.first_state()
    plan = experiment.build_method().plan(experiment.view(1, fleet_state, ()))
    return plan, experiment.schedule(1, plan, fleet_state)


def test_whoever_gets_through_is_held_to_its_schedule(small_scenario: Path) -> None:
    experiment = experiment_of(small_scenario, "fleet.faults={slowdown: {share: 0.5, factor: 3.0}}")
    plan, schedule = first_round(experiment)
    wall_plan = WallClock(experiment, CALIBRATIONS, 2.0).plan(plan, schedule)
    assert list(wall_plan.targets) == schedule.devices.tolist()
    for row, targets in enumerate(wall_plan.targets.values()):
        assert targets.download_seconds == schedule.download_seconds[row]
        assert targets.compute_seconds == pytest.approx(schedule.compute_seconds[row])
        assert targets.upload_seconds == schedule.upload_seconds[row]
        assert targets.memory_limit_bytes == schedule.memory_limit_bytes[row]
        assert targets.gets_through


def test_whoever_is_late_sets_out_for_all_of_it_and_stops_then(small_scenario: Path) -> None:
    _, whole = first_round(experiment_of(small_scenario))
    deadline = float(np.sort(whole.end_seconds)[2])
    experiment = experiment_of(small_scenario, f"training.policy={{deadline_seconds: {deadline}}}")
    plan, schedule = first_round(experiment)
    wall_plan = WallClock(experiment, CALIBRATIONS, 2.0).plan(plan, schedule)
    late = [row for row, outcome in enumerate(schedule.outcomes) if outcome is Outcome.LATE]
    assert len(late) == 3
    for row, targets in enumerate(wall_plan.targets.values()):
        assert targets.compute_seconds == pytest.approx(whole.compute_seconds[row])
        assert targets.stops == (schedule.end_seconds[row] if row in late else inf)


def test_time_is_slowed_down_by_what_the_slowest_process_takes(small_scenario: Path) -> None:
    """All six boards compute at once for a while; links are equal, so that it is known when."""
    link = "fleet.link={kind: constant, down_mbps: 50.0, up_mbps: 50.0}"
    experiment = experiment_of(small_scenario, link, "method={name: fedit, rank: 4}")
    plan, schedule = first_round(experiment)
    wall_plan = WallClock(experiment, CALIBRATIONS, 2.0).plan(plan, schedule)
    work = really_priced(experiment, 16).work_of(plan.assignments[0])
    seconds = work.steps * SLOW.seconds(work.step)
    asked = seconds / schedule.compute_seconds
    assert wall_plan.dilation == pytest.approx(max(asked.sum() / (2 * BUSY), asked.max() / 0.5))
    shares = [targets.machine_share * wall_plan.dilation for targets in wall_plan.targets.values()]
    assert shares == pytest.approx(asked)
    alone = WallClock(experiment, CALIBRATIONS[:1], 2.0).plan(plan, schedule)
    assert alone.dilation < wall_plan.dilation / 10


def test_a_given_dilation_is_taken_and_a_stand_in_is_not_weighed(small_scenario: Path) -> None:
    twin = "costs={twin: {backbone: roberta-base}}"
    experiment = experiment_of(small_scenario, "runtime.dilation=0.5", twin)
    plan, schedule = first_round(experiment)
    wall_plan = WallClock(experiment, CALIBRATIONS, 2.0).plan(plan, schedule)
    assert wall_plan.dilation == 0.5
    assert {targets.memory_limit_bytes for targets in wall_plan.targets.values()} == {inf}


def test_a_round_lasts_as_long_as_its_last_device() -> None:
    enforced = {3: MeasuredPhases(1.0, 2.0, 1.0, 4.0, 1, 0), 5: MeasuredPhases(1.0, 5.0, 1.5, 7.5, 2, 0)}
    outcome = WallClockPlan(2.0, 9.0, {}).outcome(list(enforced.values()))
    assert (outcome.dilation, outcome.round_seconds, outcome.overloads) == (2.0, 7.5, 3)
    assert WallClockPlan(2.0, 9.0, {}).outcome([]).round_seconds == 0.0


def test_how_much_of_a_round_is_over() -> None:
    wall_plan = WallClockPlan(2.0, 10.0, {})
    assert [wall_plan.share_passed(seconds) for seconds in (0.0, 5.0, 25.0)] == [0.0, 0.25, 1.0]
    assert WallClockPlan(2.0, 0.0, {}).share_passed(0.0) == 1.0


def test_a_roofline_by_hand() -> None:
    """1e9 operations at 1e9/s against 1e6 bytes at 1e9/s, two launches of 1 ms each; a step took 1.5 times that."""
    from fedray.roofline import Kernel, Kernels

    kernels = Kernels.of([Kernel(1e9, 1e6), Kernel(0.0, 5e8)])
    assert MachineSpeed(1e9, 1e9, 1e-3, 1.5).seconds(kernels) == pytest.approx(1.5 * (1.0 + 0.5 + 0.002))
