"""From a computed schedule to what devices are held to on the wall, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from fedray.costs import Pricing
from fedray.emulation import Schedule
from fedray.errors import UserError
from fedray.experiment.experiment import Experiment
from fedray.learning.calibration import Calibration
from fedray.protocol import Outcome, Plan
from fedray.results import MeasuredPhases, WallClockStats
from fedray.results.quantities import size
from fedray.roofline import FLOAT
from fedray.runtime.execution.host_pool import HostResources
from fedray.wall.dilation import needed_dilation
from fedray.wall.gpu import MOST_CLIENTS, mps_is_there
from fedray.wall.phase_targets import PhaseTargets

PROCESS_BYTES = 70e6  # of a device beside what it trains: pages that a fork no longer shares, torch's workspaces


@dataclass(frozen=True)
class WallClockPlan:
    """A round on the wall: wall seconds per emulated second, emulated seconds planned, and every device's targets."""

    dilation: float
    round_seconds: float
    targets: Mapping[int, PhaseTargets]

    def share_passed(self, wall_seconds: float) -> float:
        """How much of the round's planned time is over so long after it began; at most 1."""
        planned = self.dilation * self.round_seconds
        return min(1.0, wall_seconds / planned) if planned else 1.0

    def outcome(self, enforced: Sequence[MeasuredPhases]) -> WallClockStats:
        """The round as its devices measured it."""
        longest = max((mine.end_seconds for mine in enforced), default=0.0)
        return WallClockStats(self.dilation, longest, sum(mine.overloads for mine in enforced))


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
        self.really = really_priced(experiment, slowest.sequence_length)

    def plan(self, plan: Plan, schedule: Schedule) -> WallClockPlan:
        """How a round's schedule is carried out."""
        passes = [self.pricing.work_of(assignment).layer_passes for assignment in plan.assignments]
        whole = schedule.layer_seconds * np.array(passes)  # of computing, had nothing cut it short
        works = [self.really.work_of(assignment) for assignment in plan.assignments]
        machine = np.array([work.steps * self.speed.seconds(work.step) for work in works])
        asked = np.divide(machine, whole, out=np.zeros_like(whole), where=whole > 0)
        computing = schedule.compute_seconds
        begins = schedule.download_seconds
        if self.wanted == "auto":
            dilation = needed_dilation(begins, begins + computing, asked * computing, self.cores)
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
            (asked / dilation).tolist(),
            strict=True,
        )
        return WallClockPlan(
            dilation, schedule.round_seconds, {device: PhaseTargets(*parts) for device, *parts in rows}
        )


def require_room(experiment: Experiment, resources: HostResources, memory_bytes: float) -> None:
    """UserError if a cluster lacks memory for all devices of a round at once, or if MPS refuses that many clients."""
    participants, source = experiment.scenario.participant_count, experiment.loaded.source
    pricing = really_priced(experiment, experiment.scenario.task.max_tokens)
    training = pricing.work(experiment.build_method().adapter(), experiment.scenario.training.local_steps).memory_bytes
    each = PROCESS_BYTES + training - FLOAT * pricing.shape.parameters  # frozen weights are shared
    if participants * each > memory_bytes:
        needs = f"{participants:,} devices at once need about {size(participants * each)}"
        there = f"the cluster offers {size(memory_bytes)}"
        problem = f"{needs}, {there}; allowed: fewer training.participants, or the virtual clock"
        raise UserError(source.problem(("runtime", "clock"), problem))
    gpus = resources.hosts * resources.gpus
    if gpus and mps_is_there() and participants > MOST_CLIENTS * gpus:
        problem = (
            f"{participants:,} devices on {gpus:g} GPUs; allowed: at most {MOST_CLIENTS} on each, by its MPS daemon"
        )
        raise UserError(source.problem(("runtime", "clock"), problem))


def really_priced(experiment: Experiment, sequence_length: int) -> Pricing:
    """Prices of what this machine really computes, whatever stands in for what."""
    scenario = experiment.scenario
    return Pricing(experiment.backbone.shape, scenario.training.batch_size, sequence_length, scenario.model.head)
