"""A scenario made ready: fleet, data, backbone, prices, method. No Ray yet, nothing written."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np

from fedray.adapters import AdapterSpec
from fedray.aggregation import MAX_TOTAL_WEIGHT
from fedray.arrays import Ints
from fedray.costs import Pricing
from fedray.emulation import DeviceLimits, RoundTermination, Schedule, simulate
from fedray.errors import RunFailedError, UserError
from fedray.experiment.sections import resolved
from fedray.experiment.task_data import TaskData, read_task_data
from fedray.fleet import Fleet, FleetState, build_fleet
from fedray.learning.backbone import Backbone, find_backbone, find_twin
from fedray.learning.hooks import runner_of
from fedray.learning.local_trainer import TrainingAssets
from fedray.learning.tasks import task_section
from fedray.methods import Method, MethodContext, build_method, method_section
from fedray.protocol import Plan, View
from fedray.results import Steps
from fedray.scenario import LoadedScenario, Scenario, ScenarioError
from fedray.scenario.schema import WITHOUT_DATA, Synchronous

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment:
    """Everything that is fixed for a run; `data` is None for a task without data.

    `examples` and `label_histograms` count what devices hold of their own, without copies.
    """

    loaded: LoadedScenario
    fleet: Fleet
    backbone: Backbone
    pricing: Pricing
    data: TaskData | None
    examples: Ints  # (devices,)
    label_histograms: Ints  # (devices, labels)

    @property
    def scenario(self) -> Scenario:
        return self.loaded.scenario

    def build_method(self) -> Method[Any]:
        """The scenario's method, as before the first round."""
        training = self.scenario.training
        context = MethodContext(
            shape=self.backbone.shape,
            pricing=self.pricing,
            devices=len(self.fleet),
            local_steps=training.local_steps,
            rounds=training.rounds,
            seed=self.scenario.seed,
        )
        return build_method(self.loaded, context)

    @property
    def twin(self) -> str | None:
        """The architecture that costs are those of, where it is not the one trained."""
        return self.scenario.costs.twin.backbone if self.scenario.costs.twin else None

    @property
    def steps(self) -> Steps | None:
        """Local steps trained and priced in a round, where a cost twin stands in for the backbone."""
        twin, trained = self.scenario.costs.twin, self.scenario.training.local_steps
        return Steps(trained, twin.local_steps or trained) if twin else None

    def next_start(self, fleet_state: FleetState, busy: Sequence[int]) -> FleetState:
        """When the next round can begin: at once if updates are in flight, or as soon as a device with examples is
        online and charged.

        RunFailedError if none ever will be: batteries are empty and nothing charges them.
        """
        if busy:
            return fleet_state
        start = self.fleet.next_start(fleet_state, self._eligible)
        if start is None:
            raise RunFailedError("no device will ever be online and charged again; completed rounds are kept")
        return start

    def view(self, round_: int, fleet_state: FleetState, busy: Sequence[int]) -> View:
        """What the server may know before a round, of devices that are free, online, charged, and have examples."""
        eligible = np.setdiff1d(self.fleet.available(fleet_state, self._eligible), np.array(busy, np.int64))
        devices = self.fleet.participants(round_, self.scenario.participant_count - len(busy), eligible)
        return View(
            round=round_,
            devices=devices,
            examples=self.examples[devices],
            label_histograms=self.label_histograms[devices],
            memory_bytes=self.fleet.memory_bytes()[devices],
            declared_flops_per_second=self.fleet.declared_flops_per_second()[devices],
            declared_mbps=self.fleet.declared_mbps()[devices],
        )

    def planned(self, method: Method[Any], view: View) -> Plan:
        """The method's plan; empty if no device is free. ScenarioError if it asks for a hook that cannot run."""
        plan = method.plan(view) if len(view.devices) else Plan((), ())
        for kind in {type(assignment.hook) for assignment in plan.assignments if assignment.hook is not None}:
            try:
                runner_of(kind)
            except UserError as error:
                raise ScenarioError(self.loaded.source.problem(("method", "name"), str(error))) from None
        return plan

    def schedule(self, round_: int, plan: Plan, fleet_state: FleetState) -> Schedule:
        """What a plan comes to under the truth of a round that starts at a time."""
        devices = np.array([assignment.device for assignment in plan.assignments], np.int64)
        charging = self.fleet.batteries.charging_watts[devices]
        limits = DeviceLimits(
            self.fleet.online_until(fleet_state.seconds, devices), fleet_state.charge[devices], charging
        )
        conditions = self.fleet.conditions(round_)
        return simulate(plan, conditions, self.pricing, fleet_state.seconds, limits, self._termination)

    def after(self, fleet_state: FleetState, schedule: Schedule) -> FleetState:
        """The world after a round; devices that are still at work pay for it when they are done."""
        seconds, joules = schedule.round_seconds, schedule.joules
        return self.fleet.batteries.after(fleet_state, seconds, schedule.devices, joules)

    @property
    def _eligible(self) -> Ints:
        return np.flatnonzero(self.examples)

    @property
    def _termination(self) -> RoundTermination:
        training = self.scenario.training
        policy, asked = training.policy, training.participants
        wanted = asked if policy.over_selection > 1 and asked != "all" else None
        return RoundTermination(inf if policy.deadline_seconds is None else policy.deadline_seconds, wanted)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what a scenario only names: examples and who holds them, the architecture, the boards."""
        named = (
            self.backbone.shape,
            self.pricing.shape,
            [d.profile for d in self.fleet.devices],
            self.fleet.recorded,
        )
        digest = hashlib.sha256(repr(named).encode())
        if self.data is not None:
            held_out = self.data.held_out.values()
            for tokens in (self.data.train, *(one.tokens for one in held_out)):
                digest.update(tokens.ids.tobytes() + tokens.offsets.tobytes() + tokens.labels.tobytes())
            for indices in (*self.data.shards, *(block for one in held_out for block in one.blocks)):
                digest.update(indices.tobytes() + b"|")
        return digest.hexdigest()

    def assets(self, largest: AdapterSpec) -> TrainingAssets | None:
        """What hosts need to train adapters up to `largest`, weights included; None for a task without data."""
        if self.data is None:
            return None
        training = self.scenario.training
        rate = training.optimiser.learning_rate * method_section(self.loaded).learning_rate_multiplier
        return TrainingAssets(
            task=self.data.task,
            recipe=self.backbone.recipe,
            shape=self.backbone.shape,
            spec=largest,
            weights=self.backbone.weights(),
            train=self.data.train,
            shards=self.data.shards,
            held_out=self.data.held_out,
            batch_size=training.batch_size,
            optimiser=training.optimiser.model_copy(update={"learning_rate": rate}),
            train_head=self.scenario.model.head != "frozen",
            seed=self.scenario.seed,
        )


def prepare(loaded: LoadedScenario) -> Experiment:
    """Read everything a scenario names; UserError, with place and key, for whatever does not fit together.

    The experiment's scenario says what was chosen for it: its method's parameters and `task.max_length`.
    """
    loaded = resolved(loaded)
    fleet = build_fleet(loaded)
    declared = task_section(loaded).dataset.declared
    if declared is not None:
        loaded = loaded.with_max_length(WITHOUT_DATA)
        backbone = find_backbone(loaded, declared.outputs)
        data = None
        examples = np.full(len(fleet), declared.examples_per_device)
        histograms = np.zeros((len(fleet), declared.outputs), np.int64)
    else:
        task = read_task_data(loaded, len(fleet))
        loaded, backbone, data = task.loaded, task.backbone, task.data
        examples, histograms = task.examples, task.label_histograms
    experiment = Experiment(loaded, fleet, backbone, _pricing(loaded, backbone), data, examples, histograms)
    _check_target(experiment)
    _check_presence(experiment)
    _check_pace(experiment)
    _check_clock(experiment)
    experiment.build_method()
    _check_weights(experiment)
    logger.info("%s is prepared: %d devices, backbone %s", loaded.scenario.name, len(fleet), backbone.location)
    return experiment


def _pricing(loaded: LoadedScenario, backbone: Backbone) -> Pricing:
    """Prices for what is trained, or for its cost twin; UserError if the twin cannot stand for it."""
    scenario, twin = loaded.scenario, loaded.scenario.costs.twin
    training, head = scenario.training, scenario.model.head
    shape = find_twin(loaded, backbone.recipe.labels)
    if twin is None or shape is None:
        return Pricing(backbone.shape, training.batch_size, scenario.task.max_tokens, head)
    mine, key = backbone.shape, ("costs", "twin", "backbone")
    if shape.layers < mine.layers:
        raise loaded.source.error(
            key, twin.backbone, f"an architecture of at least {mine.layers} layers, the backbone's"
        )
    if len(shape.targets) != len(mine.targets):
        allowed = f"as many as the backbone's {len(mine.targets)} per layer ({', '.join(t.name for t in mine.targets)})"
        raise loaded.source.error(("costs", "twin", "target_modules"), [t.name for t in shape.targets], allowed)
    return Pricing(
        shape=shape,
        batch_size=twin.batch_size or training.batch_size,
        sequence_length=twin.max_length or scenario.task.max_tokens,
        head=head,
        steps_scale=(twin.local_steps or training.local_steps) / training.local_steps,
    )


def _check_target(experiment: Experiment) -> None:
    stop = experiment.scenario.training.stop
    if stop.target is not None and experiment.data is None:
        problem = "a task without data reaches no accuracy; remove the target"
        raise UserError(experiment.loaded.source.problem(("training", "stop", "target"), problem))


def _check_presence(experiment: Experiment) -> None:
    fleet, eligible = experiment.fleet, np.flatnonzero(experiment.examples)
    first = fleet.first_state()
    if fleet.next_start(first, eligible) is not None:
        return
    part, problem = "availability", "no device with examples is ever online and charged"
    if not any(fleet.batteries.ready(first, device) < inf for device in eligible.tolist()):
        enough = "a start_share of at least reserve_share, or charging_watts above 0"
        part, problem = "battery", f"no device with examples ever has its reserve; allowed: {enough}"
    raise UserError(experiment.loaded.source.problem(("fleet", part), problem))


def _check_pace(experiment: Experiment) -> None:
    """UserError if what the scenario asks for needs rounds in lockstep."""
    schedule, source = experiment.scenario.training.schedule, experiment.loaded.source
    if isinstance(schedule, Synchronous):
        return
    method, name = experiment.build_method(), experiment.scenario.method["name"]
    reason = None
    if method.forms_groups or experiment.scenario.topology.groups is not None:
        reason = "groups meet at the end of a round"
    elif not method.keeps_layout:
        reason = f"{name}'s adapter changes its shape at every aggregation"
    elif (experiment.fleet.conditions(1).cells >= 0).any():
        reason = "devices_per_cell lets devices share their air only if they begin together"
    if reason:
        raise source.error(("training", "schedule", "kind"), schedule.kind, f"synchronous, because {reason}")


def _check_clock(experiment: Experiment) -> None:
    """UserError if a scenario cannot be held to the wall clock."""
    scenario, source = experiment.scenario, experiment.loaded.source
    if scenario.runtime.clock == "virtual":
        return
    reason = None
    if experiment.data is None:
        reason = "a task without data trains nothing"
    elif not isinstance(scenario.training.schedule, Synchronous):
        reason = "the wall clock holds rounds in lockstep only"
    if reason:
        raise source.error(("runtime", "clock"), scenario.runtime.clock, f"virtual, because {reason}")


def _check_weights(experiment: Experiment) -> None:
    total = int(experiment.examples.sum())
    if total >= MAX_TOTAL_WEIGHT:
        problem = (
            f"{total:,} examples over all devices; allowed: fewer than {MAX_TOTAL_WEIGHT:,}, or method weights: uniform"
        )
        raise UserError(experiment.loaded.source.problem(("task", "dataset"), problem))
