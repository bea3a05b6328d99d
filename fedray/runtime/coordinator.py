"""The rounds of a run, one after the other."""

import os
import threading
from typing import Any

import numpy as np

from fedray.adapters import as_lora, layout_of
from fedray.errors import UserError
from fedray.experiment.experiment import Experiment
from fedray.experiment.reporting import adapter_origin, round_devices, round_evaluation, round_record, under_way
from fedray.experiment.round_step import RoundPlanner
from fedray.learning.adapted import AdaptedModel
from fedray.learning.classifier import build, load_weights
from fedray.methods import Method
from fedray.protocol import ServerState
from fedray.results import Progress, RoundRecord, RunDirectory, Status, Summary, SummaryInputs, result_digest, summarise
from fedray.results.round_devices import TrainedDevices
from fedray.runtime.checkpoint import save_checkpoint
from fedray.runtime.execution.execution import Execution
from fedray.runtime.execution.host_pool import HostResources
from fedray.runtime.heads import LocalHeads
from fedray.runtime.metrics_publisher import MetricsPublisher
from fedray.runtime.phase_timer import PhaseTimer
from fedray.runtime.run_state import RunState, first_state, resumed_state
from fedray.runtime.stopping import out_of_time


class Coordinator:
    """Responsibilities: run the rounds in order, hold the server's state, leave a complete trail on disk."""

    def __init__(
        self,
        experiment: Experiment,
        method: Method[Any],
        directory: RunDirectory,
        lock: int,
        run_state: RunState,
        execution: Execution,
        publisher: MetricsPublisher,
    ) -> None:
        """See `open_coordinator`; `lock` is the descriptor that keeps other processes from the directory."""
        self.experiment = experiment
        self.method = method
        self.planner = RoundPlanner(experiment, method)
        self.directory = directory
        self.lock = lock
        self.run_state = run_state
        self.execution = execution
        self.publisher = publisher
        self.phase_timer = PhaseTimer()
        self.committing = threading.Lock()
        self.concluded = False

    @property
    def progress(self) -> Progress:
        """Progress of the current round."""
        return self.execution.progress

    def run_round(self) -> RoundRecord:
        """The next round: what the server knows, decides, gets back, and learns from it."""
        self.phase_timer.begin()
        experiment, before = self.experiment, self.run_state
        step = self.planner.step(len(before.records) + 1, before.state, before.fleet_state, before.in_flight)
        devices = round_devices(experiment.fleet, step)
        executor = self.execution.begin(step, before.heads)
        self.directory.write_current(under_way(experiment.fleet, step, devices, executor.dilation))
        self.phase_timer.end("planning")
        result = executor.train()
        self.phase_timer.end("training")
        state = self.planner.aggregation.merged(step, result.folds)
        heads = before.heads.replaced(result.heads) if before.heads else None
        self.phase_timer.end("aggregation")
        fleet_state = self.planner.after(step)
        due = self._is_evaluated(step.start.round, fleet_state.seconds)
        scores = self.execution.evaluate(self._judged(state, heads)) if due else {}
        self.phase_timer.end("evaluation")
        self.method.observe(step.schedule.reports(result.losses, result.measured))
        evaluation, stats = round_evaluation(scores, experiment), executor.stats(result)
        record = round_record(step, fleet_state.seconds, result.rejected, evaluation, stats)
        trained = result.trained(devices)
        after = RunState(
            state,
            heads,
            fleet_state,
            step.in_flight,
            (*before.records, record),
            before.wall_seconds + self.phase_timer.since_begin,
            max(before.peak_memory_bytes, step.schedule.peak_memory_bytes),
        )
        self._commit(after, trained)
        self.phase_timer.end("writing")
        self.publisher.publish(record, trained, self.phase_timer.seconds)
        self.phase_timer.end("publish")
        return record

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
                result_digest=result_digest(layout_of(self.experiment.backbone.shape, judged.spec), judged.values),
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
        self.execution.hosts.close()
        self.publisher.close()
        os.close(self.lock)
        return summary

    def _is_evaluated(self, round_: int, ended: float) -> bool:
        scenario = self.experiment.scenario
        return round_ % scenario.task.eval.every == 0 or out_of_time(scenario.training, round_, ended)

    def _judged(self, state: ServerState, heads: LocalHeads | None) -> ServerState:
        """The global model as it is evaluated and saved: with the mean head where heads are local."""
        if heads is None:
            return state
        lora = state.values[: layout_of(self.experiment.backbone.shape, state.spec).lora_size]
        return ServerState(state.spec, np.concatenate([lora, heads.mean()]))

    def _commit(self, after: RunState, trained: TrainedDevices) -> None:
        """Make a finished round count: its files first, then the checkpoint that says they are valid."""
        checkpoint = after.checkpoint(self.method, self.experiment.fingerprint)
        with self.committing:
            if self.concluded:
                return
            self.directory.append_devices(trained, len(self.experiment.fleet))
            self.directory.append_round(after.records[-1])
            save_checkpoint(self.directory.checkpoint, checkpoint)
            self.run_state = after

    def _save_adapter(self, state: ServerState, summary: Summary) -> None:
        assets, shape = self.execution.hosts.host_config.assets, self.experiment.backbone.shape
        if assets is not None:
            spec, values = as_lora(shape, state.spec, state.values)
            model = AdaptedModel(load_weights(build(assets.recipe), assets.weights), assets.shape, spec)
            model.load_adapter(spec, values)
            model.save(self.directory.adapter, self.experiment.backbone.location)
            self.directory.write_origin(adapter_origin(self.experiment, summary))


def open_coordinator(
    experiment: Experiment, directory: RunDirectory, resources: HostResources, resume: bool
) -> Coordinator:
    """Open the Prometheus endpoint, claim the run directory, load its checkpoint, start the hosts.

    Raises
    ------
    UserError
        if the port is taken, the directory is in use, or a resumed run is not the one that was begun.
    """
    publisher = MetricsPublisher(experiment, directory.run_id)
    scenario_yaml = experiment.loaded.to_yaml()
    if not resume:
        directory.create(scenario_yaml)
    lock = directory.lock()
    try:
        method = experiment.build_method()
        run_state = resumed_state(experiment, method, directory) if resume else first_state(experiment)
    except UserError:
        os.close(lock)
        raise
    if resume:
        directory.rewrite_scenario(scenario_yaml)
    if experiment.data is not None:
        directory.write_labels(experiment.data.task.strata)
        directory.write_shards(experiment.label_histograms)
        directory.write_data(experiment.data.report)
    completed = len(run_state.records)

    def report(progress: Progress) -> None:
        directory.write_progress(progress)
        publisher.progressed(progress)

    execution = Execution(experiment, method, resources, completed, report)
    publisher.begin(directory, completed)
    return Coordinator(experiment, method, directory, lock, run_state, execution, publisher)
