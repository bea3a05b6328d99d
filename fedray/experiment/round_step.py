"""A round up to its training: what the server knows, what the method plans, when it all happens.

The coordinator and the dry run take the same step; only the coordinator has it trained.
"""

from typing import Any

from fedray.emulation import InFlightUpdates, busy_devices
from fedray.experiment.aggregation_schedule import RoundStart, RoundStep, aggregation_schedule
from fedray.experiment.experiment import Experiment
from fedray.fleet import FleetState
from fedray.methods import Method
from fedray.protocol import ServerState


class RoundPlanner:
    """Responsibilities: start rounds, plan and schedule them; know where the fleet stands after them."""

    def __init__(self, experiment: Experiment, method: Method[Any]) -> None:
        self.experiment = experiment
        self.method = method
        self.aggregation = aggregation_schedule(experiment.scenario.training.schedule, method)

    def step(
        self, round_: int, state: ServerState, fleet_state: FleetState, in_flight: InFlightUpdates | None
    ) -> RoundStep:
        """The round that starts as soon as a device is available after the round before."""
        busy = busy_devices(in_flight)
        fleet_state = self.experiment.next_start(fleet_state, busy)
        view = self.experiment.view(round_, fleet_state, busy)
        plan = self.experiment.planned(self.method, view).dispatched_from(round_ - 1)
        schedule = self.experiment.schedule(round_, plan, fleet_state)
        return self.aggregation.step(RoundStart(round_, state, fleet_state, in_flight), plan, schedule)

    def after(self, step: RoundStep) -> FleetState:
        """The fleet when the round ends; devices that are still at work pay for it when they are done."""
        return self.experiment.after(step.start.fleet_state, step.schedule)
