"""A round's plan without training: what `fedray plan` shows."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fedray.divergence import label_divergence
from fedray.emulation import InFlightUpdates
from fedray.errors import UserError
from fedray.experiment.experiment import Experiment
from fedray.experiment.reporting import round_devices
from fedray.experiment.round_step import RoundPlanner
from fedray.protocol import ServerState
from fedray.results import DeviceRecord


@dataclass(frozen=True)
class GroupOutline:
    """One group as in `fedray plan --json`."""

    id: int
    devices: tuple[int, ...]
    depth: int
    inner_rounds: int
    label_divergence: float


@dataclass(frozen=True)
class PlannedRound:
    """A planned round with its price."""

    round: int
    round_seconds: float
    mean_waiting_seconds: float
    bytes_up: int
    bytes_down: int
    groups: tuple[GroupOutline, ...]
    devices: tuple[DeviceRecord, ...]
    twin: str | None  # the architecture that costs are those of, where it is not the one trained

    def as_json(self) -> dict[str, Any]:
        """What is printed: inner rounds stand with the groups; the key `twin` exists only if there is one."""
        keys = asdict(self)
        for device in keys["devices"]:
            del device["inner_rounds"]
        return keys if self.twin else {key: value for key, value in keys.items() if key != "twin"}


def dry_run(experiment: Experiment, round_: int) -> PlannedRound:
    """Plan and schedule rounds 1 to `round_`, feeding the method every round's measurements but no losses.

    UserError if the scenario has no such round.
    """
    rounds = experiment.scenario.training.rounds
    if not 1 <= round_ <= rounds:
        raise UserError(f"--round: given {round_}; allowed: 1 to {rounds}, the scenario's training.rounds")
    method, fleet_state = experiment.build_method(), experiment.fleet.first_state()
    in_flight: InFlightUpdates | None = None
    state = ServerState(method.adapter(), np.zeros(0, np.float32))  # nothing is trained, so no values are looked at
    planner = RoundPlanner(experiment, method)
    for current in range(1, round_ + 1):
        step = planner.step(current, state, fleet_state, in_flight)
        fleet_state, in_flight = planner.after(step), step.in_flight
        method.simulate_apply()
        method.observe(step.schedule.reports({}))
    devices = round_devices(experiment.fleet, step)
    depths = dict(zip(devices.id.tolist(), devices.depth.tolist(), strict=True))
    histograms = experiment.label_histograms
    whole = histograms.sum(axis=0)
    groups = tuple(
        GroupOutline(
            id=group.id,
            devices=group.devices,
            depth=max(depths[device] for device in group.devices),
            inner_rounds=group.inner_rounds,
            label_divergence=label_divergence(histograms[list(group.devices)].sum(axis=0), whole),
        )
        for group in step.plan.groups
    )
    return PlannedRound(
        round=round_,
        round_seconds=step.schedule.round_seconds,
        mean_waiting_seconds=step.schedule.mean_waiting_seconds,
        bytes_up=int(step.schedule.bytes_up.sum()),
        bytes_down=int(step.schedule.bytes_down.sum()),
        groups=groups,
        devices=tuple(devices.rows()),
        twin=experiment.twin,
    )
