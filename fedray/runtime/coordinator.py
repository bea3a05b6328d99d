"""The actor that runs the rounds."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import ray

from fedray.adapters import as_lora, initial_values, layout_of
from fedray.emulation import InFlightUpdates, busy_devices
from fedray.errors import UserError
from fedray.experiment.aggregation_schedule import aggregation_schedule
from fedray.experiment.experiment import Experiment
from fedray.experiment.reporting import (
    adapter_origin,
    device_records,
    round_evaluation,
    round_record,
    under_way,
)
from fedray.fleet import FleetState
from fedray.learning.adapted import AdaptedModel
from fedray.learning.classifier import build, load_weights
from fedray.protocol import ServerState
from fedray.results import (
    Progress,
    RoundRecord,
    RunDirectory,
    Status,
    Summary,
    SummaryInputs,
    TrainedDeviceRecord,
    result_digest,
    summarise,
)
from fedray.runtime.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fedray.runtime.execution.host_pool import HostPool, HostResources
from fedray.runtime.execution.messages import HostConfig, trained_records
from fedray.runtime.execution.round_executor import RoundExecutor
from fedray.runtime.heads import LocalHeads
from fedray.runtime.metrics_publisher import MetricsPublisher
from fedray.runtime.phase_timer import PhaseTimer
from fedray.runtime.stopping import out_of_time
from fedray.runtime.wallclock import WallClock
from fedray.telemetry import Live


@dataclass(frozen=True)
class RunState:
    """The state of a run after a completed round. Replaced atomically; a failed round leaves no trace."""

    state: ServerState
    heads: LocalHeads | None
    fleet_state: FleetState
    in_flight: InFlightUpdates | None
    records: tuple[RoundRecord, ...]
    wall_seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class RunStart:
    """The start of a run: rounds completed before, and the metrics URL, if metrics are served."""

    records: tuple[RoundRecord, ...]
    metrics_url: str | None


class Coordinator:
    """Responsibilities: run the rounds in order, hold the server's state, leave a complete trail on disk."""

    def __init__(self, experiment: Experiment, directory: RunDirectory, resources: HostResources) -> None:
        self.experiment = experiment
        self.directory = directory
        self.resources = resources
        self.method = experiment.build_method()
        self.aggregation = aggregation_schedule(experiment.scenario.training.schedule, self.method)
        self.shape = experiment.backbone.shape
        self.phase_timer = PhaseTimer()
        self.first_spec = self.method.adapter()  # the largest: what hosts make room for, also in a resumed run
        self.committing = threading.Lock()
        self.concluded = False

    def open(self, resume: bool) -> RunStart:
        """Open the Prometheus endpoint, claim the run directory, take up its checkpoint, start the hosts.

        Raises
        ------
        UserError
            if the port is taken, the directory is in use, or a resumed run is not the one that was begun.
        """
        self.publisher = MetricsPublisher(self.experiment.scenario, self._live)
        scenario_yaml = self.experiment.loaded.to_yaml()
        if not resume:
            self.directory.create(scenario_yaml)
        self.lock = self.directory.lock()
        self.run_state = self._resumed_state() if resume else self._first_state()
        if resume:
            self.directory.rewrite_scenario(scenario_yaml)
        if self.experiment.data is not None:
            self.directory.write_labels(self.experiment.data.label_names)
            self.directory.write_shards(self.experiment.label_histograms)
            self.directory.write_data(self.experiment.data.report)
        host_config = HostConfig(
            shape=self.experiment.backbone.shape,
            head=self.experiment.scenario.model.head,
            assets=self.experiment.assets(self.first_spec),
            clock=self.experiment.scenario.runtime.clock,
        )
        hosts = HostPool(host_config, self.resources)
        self.executor = RoundExecutor(hosts, len(self.run_state.records), self.directory.write_progress)
        on_the_wall = host_config.clock == "wall"
        self.wall = WallClock(self.experiment, hosts.calibrate(), self.resources.processors) if on_the_wall else None
        self.publisher.begin(self.directory, len(self.run_state.records))
        return RunStart(self.run_state.records, self.publisher.url)

    def run_round(self) -> RoundRecord:
        """The next round: what the server knows, decides, gets back, and learns from it."""
        self.phase_timer.begin()
        before, round_ = self.run_state, len(self.run_state.records) + 1
        busy = busy_devices(before.in_flight)
        fleet_state = self.experiment.next_start(before.fleet_state, busy)
        view = self.experiment.view(round_, fleet_state, busy)
        plan = self.experiment.planned(self.method, view)
        schedule = self.experiment.schedule(round_, plan, fleet_state)
        step = self.aggregation.step(round_, before.state, before.in_flight, plan, schedule, fleet_state.seconds)
        wall_plan = self.wall.plan(step.plan, step.schedule) if self.wall else None
        dilation = wall_plan.dilation if wall_plan else None
        fleet = self.experiment.fleet
        devices = device_records(fleet, step, round_)
        self.directory.write_current(under_way(round_, fleet_state, step.schedule, devices, dilation), len(fleet))
        self.phase_timer.end("planning")
        result = self.executor.train(round_, step, self.method, before.heads, wall_plan)
        self.phase_timer.end("training")
        state = self.aggregation.merged(round_, before.state, step, result.folds)
        heads = before.heads.replaced(result.heads) if before.heads else None
        self.phase_timer.end("aggregation")
        ended = self.experiment.after(fleet_state, step.schedule)
        due = self._is_evaluated(round_, ended.seconds)
        scores = self.executor.evaluate(self._judged(state, heads)) if due else {}
        self.phase_timer.end("evaluation")
        self.method.observe(step.schedule.reports(result.losses, result.measured))
        refused = [rejected.device for rejected in result.rejected]
        enforcement = wall_plan.outcome(result.enforced) if wall_plan else None
        evaluation = round_evaluation(scores, self.experiment)
        record = round_record(round_, ended.seconds, step.plan, step.schedule, refused, evaluation, enforcement)
        after = RunState(
            state,
            heads,
            ended,
            step.in_flight,
            (*before.records, record),
            before.wall_seconds + self.phase_timer.since_begin,
            max(before.peak_memory_bytes, step.schedule.peak_memory_bytes),
        )
        lines = trained_records(devices, result, round_)
        self._commit(after, lines)
        self.phase_timer.end("writing")
        self.publisher.publish(record, lines, self.phase_timer.seconds)
        self.phase_timer.end("publish")
        return record

    @ray.method(concurrency_group="watch")
    def progress(self) -> Progress:
        """Progress of the current round; answered while it runs."""
        return self.executor.progress

    @ray.method(concurrency_group="watch")
    def conclude(self, status: Status) -> Summary:
        """Write the summary and the adapter of the completed rounds, end the hosts, let go of the directory."""
        with self.committing:
            self.concluded = True  # a round still in progress no longer counts
            run_state, data = self.run_state, self.experiment.data
            judged = self._judged(run_state.state, run_state.heads)
            inputs = SummaryInputs(
                run_id=self.directory.run_id,
                method=self.experiment.scenario.method["name"],
                devices=len(self.experiment.fleet),
                wall_seconds=run_state.wall_seconds,
                peak_memory_bytes=run_state.peak_memory_bytes,
                result_digest=result_digest(layout_of(self.shape, judged.spec), judged.values),
                target=self.experiment.scenario.training.stop.target,
                held=self.experiment.scenario.training.stop.hold,
                scored_on=data.scored_on if data else None,
                majority_accuracy=data.report.majority_accuracy if data else None,
                shards=data.report.devices if data else None,
                twin=self.experiment.twin,
                steps=self.experiment.steps,
            )
            summary = summarise(run_state.records, inputs, status)
            self.directory.write_summary(summary)  # first: a stopped job has three seconds
            self._save_adapter(judged, summary)
        self.executor.hosts.close()
        self.publisher.close()
        os.close(self.lock)
        return summary

    def _first_state(self) -> RunState:
        """Before the first round."""
        layout = layout_of(self.shape, self.first_spec)
        values = initial_values(layout, self.experiment.scenario.seed)
        local = self.experiment.scenario.model.head == "local"
        heads = LocalHeads.same_for_all(values[layout.lora_size :], len(self.experiment.fleet)) if local else None
        return RunState(
            ServerState(self.first_spec, values), heads, self.experiment.fleet.first_state(), None, (), 0.0, 0
        )

    def _resumed_state(self) -> RunState:
        """After the last checkpoint, or before the first round if there is none; UserError if it does not fit."""
        first = self._first_state()
        saved = load_checkpoint(self.directory.checkpoint)
        if saved is None:
            self.directory.truncate(0)
            return first
        where = f"--resume {self.directory.path}"
        if saved.fingerprint != self.experiment.fingerprint:
            raise UserError(f"{where}: the data, the backbone or the boards are not those the run began with")
        heads = LocalHeads(saved.heads) if saved.heads is not None else None
        found = (saved.values.shape, saved.charge.shape, heads.values.shape if heads else None)
        size = layout_of(self.shape, saved.spec).size
        if found != ((size,), first.fleet_state.charge.shape, first.heads.values.shape if first.heads else None):
            raise UserError(f"{where}: the checkpoint does not fit the scenario")
        if saved.round > self.experiment.scenario.training.rounds:
            raise UserError(f"{where}: training.rounds: the run has already completed {saved.round}")
        self.directory.truncate(saved.round)
        records = tuple(self.directory.rounds())
        if [record.round for record in records] != list(range(1, saved.round + 1)):
            raise UserError(f"{where}: rounds.jsonl lacks rounds that the checkpoint has seen")
        self.method.load_state_dict(saved.method)
        return RunState(
            state=ServerState(saved.spec, saved.values),
            heads=heads,
            fleet_state=FleetState(records[-1].emulated_seconds, saved.charge),
            in_flight=saved.in_flight,
            records=records,
            wall_seconds=saved.wall_seconds,
            peak_memory_bytes=saved.peak_memory_bytes,
        )

    def _is_evaluated(self, round_: int, ended: float) -> bool:
        scenario = self.experiment.scenario
        return round_ % scenario.task.eval.every == 0 or out_of_time(scenario.training, round_, ended)

    def _judged(self, state: ServerState, heads: LocalHeads | None) -> ServerState:
        """The global model as it is evaluated and saved: with the mean head where heads are local."""
        if heads is None:
            return state
        lora = state.values[: layout_of(self.shape, state.spec).lora_size]
        return ServerState(state.spec, np.concatenate([lora, heads.mean()]))

    def _commit(self, after: RunState, lines: Sequence[TrainedDeviceRecord]) -> None:
        """Make a finished round count: lines first, then the checkpoint that says they are valid."""
        experiment, record = self.experiment, after.records[-1]
        checkpoint = Checkpoint(
            round=record.round,
            spec=after.state.spec,
            values=after.state.values,
            heads=after.heads.values if after.heads else None,
            charge=after.fleet_state.charge,
            in_flight=after.in_flight,
            method=self.method.state_dict(),
            wall_seconds=after.wall_seconds,
            peak_memory_bytes=after.peak_memory_bytes,
            fingerprint=experiment.fingerprint,
        )
        with self.committing:
            if self.concluded:
                return
            self.directory.append_devices(lines, len(experiment.fleet))
            self.directory.append_round(record)
            save_checkpoint(self.directory.checkpoint, checkpoint)
            self.run_state = after

    def _live(self) -> Live:
        """What Prometheus sees of the current round."""
        progress = self.executor.progress
        return Live(progress.trained, progress.planned, progress.hosts_lost)

    def _save_adapter(self, state: ServerState, summary: Summary) -> None:
        assets = self.executor.hosts.host_config.assets
        if assets is not None:
            spec, values = as_lora(self.shape, state.spec, state.values)
            model = AdaptedModel(load_weights(build(assets.recipe), assets.weights), assets.shape, spec)
            model.load_adapter(spec, values)
            model.save(self.directory.adapter, self.experiment.backbone.location)
            self.directory.write_origin(adapter_origin(self.experiment, summary))
