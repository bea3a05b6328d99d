"""From a computed schedule to what devices are held to on the wall, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from fedray.costs import Pricing
from fedray.emulation import Outcome, Schedule
from fedray.learning.calibration import Calibration
from fedray.protocol import Plan
from fedray.results import Enforced, Enforcement
from fedray.runtime.experiment import Experiment
from fedray.wall.dilation import needed_dilation
from fedray.wall.errand import Errand


@dataclass(frozen=True)
class Pacing:
    """A round on the wall: wall seconds per emulated second, and every device's errand."""

    dilation: float
    errands: Mapping[int, Errand]

    def outcome(self, enforced: Mapping[int, Enforced]) -> Enforcement:
        """What the round came to."""
        longest = max((mine.end_seconds for mine in enforced.values()), default=0.0)
        return Enforcement(self.dilation, longest, sum(mine.overloads for mine in enforced.values()))


class WallClock:
    """Responsibilities: know what the machine can do, and slow emulated time down to that."""

    def __init__(self, experiment: Experiment, calibrations: Sequence[Calibration], cores: float) -> None:
        scenario = experiment.scenario
        slowest = max(calibrations, key=lambda calibration: calibration.step_seconds)
        self.pricing = experiment.pricing
        self.speed = slowest.speed
        self.cores = cores
        self.wanted = scenario.runtime.dilation
        self.has_twin = scenario.costs.twin is not None  # what a stand-in holds says nothing about its twin
        self.really = Pricing(
            shape=experiment.backbone.shape,
            batch_size=scenario.training.batch_size,
            sequence_length=slowest.sequence_length,
            head=scenario.model.head,
        )

    def pacing(self, plan: Plan, schedule: Schedule) -> Pacing:
        """How a round's schedule is carried out."""
        passes = [self.pricing.work_of(assignment).layer_passes for assignment in plan.assignments]
        whole = schedule.layer_seconds * np.array(passes)  # of computing, had nothing cut it short
        works = [self.really.work_of(assignment) for assignment in plan.assignments]
        machine = np.array([work.steps * self.speed.seconds(work.step) for work in works])
        computing = schedule.compute_seconds
        begins = schedule.download_seconds
        if self.wanted == "auto":
            done = np.divide(computing, whole, out=np.zeros_like(whole), where=whole > 0)
            dilation = needed_dilation(begins, begins + computing, done * machine, self.cores)
        else:
            dilation = self.wanted
        limits = np.full(len(whole), inf) if self.has_twin else schedule.memory_limit_bytes
        stops = [
            inf if outcome is Outcome.FINISHED else end
            for outcome, end in zip(schedule.outcomes, schedule.end_seconds.tolist(), strict=True)
        ]
        rows = zip(
            schedule.devices.tolist(),
            schedule.download_seconds.tolist(),
            whole.tolist(),
            schedule.upload_seconds.tolist(),
            stops,
            limits.tolist(),
            strict=True,
        )
        return Pacing(dilation, {device: Errand(*parts) for device, *parts in rows})
