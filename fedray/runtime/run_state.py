"""Where a run stands after a completed round: its first state, and the one that a checkpoint holds."""

from dataclasses import dataclass
from typing import Any

from fedray.adapters import initial_values, layout_of
from fedray.emulation import InFlightUpdates
from fedray.errors import UserError
from fedray.experiment.experiment import Experiment
from fedray.fleet import FleetState
from fedray.methods import Method
from fedray.protocol import ServerState
from fedray.results import RoundRecord, RunDirectory
from fedray.runtime.checkpoint import Checkpoint, load_checkpoint
from fedray.runtime.heads import LocalHeads


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

    def checkpoint(self, method: Method[Any], fingerprint: str) -> Checkpoint:
        """What a resumed run needs, with what the method has learned."""
        return Checkpoint(
            round=self.records[-1].round,
            spec=self.state.spec,
            values=self.state.values,
            heads=self.heads.values if self.heads else None,
            charge=self.fleet_state.charge,
            in_flight=self.in_flight,
            method=method.state_dict(),
            wall_seconds=self.wall_seconds,
            peak_memory_bytes=self.peak_memory_bytes,
            fingerprint=fingerprint,
        )


def first_state(experiment: Experiment) -> RunState:
    """Before the first round."""
    spec = experiment.build_method().adapter()
    layout = layout_of(experiment.backbone.shape, spec)
    values = initial_values(layout, experiment.scenario.seed)
    local = experiment.scenario.model.head == "local"
    heads = LocalHeads.same_for_all(values[layout.lora_size :], len(experiment.fleet)) if local else None
    return RunState(ServerState(spec, values), heads, experiment.fleet.first_state(), None, (), 0.0, 0)


def resumed_state(experiment: Experiment, method: Method[Any], directory: RunDirectory) -> RunState:
    """After the last checkpoint, whose method state `method` takes over; before the first round if there is none.

    What the directory holds beyond the checkpoint is removed.

    Raises
    ------
    UserError
        if the checkpoint is not one of this experiment.
    """
    first = first_state(experiment)
    saved = load_checkpoint(directory.checkpoint)
    if saved is None:
        directory.truncate(0)
        return first
    where = f"--resume {directory.path}"
    if saved.fingerprint != experiment.fingerprint:
        raise UserError(f"{where}: the data, the backbone or the boards are not those the run began with")
    heads = LocalHeads(saved.heads) if saved.heads is not None else None
    found = (saved.values.shape, saved.charge.shape, heads.values.shape if heads else None)
    size = layout_of(experiment.backbone.shape, saved.spec).size
    if found != ((size,), first.fleet_state.charge.shape, first.heads.values.shape if first.heads else None):
        raise UserError(f"{where}: the checkpoint does not fit the scenario")
    if saved.round > experiment.scenario.training.rounds:
        raise UserError(f"{where}: training.rounds: the run has already completed {saved.round}")
    directory.truncate(saved.round)
    records = tuple(directory.rounds())
    if [record.round for record in records] != list(range(1, saved.round + 1)):
        raise UserError(f"{where}: rounds.jsonl lacks rounds that the checkpoint has seen")
    method.load_state_dict(saved.method)
    return RunState(
        state=ServerState(saved.spec, saved.values),
        heads=heads,
        fleet_state=FleetState(records[-1].emulated_seconds, saved.charge),
        in_flight=saved.in_flight,
        records=records,
        wall_seconds=saved.wall_seconds,
        peak_memory_bytes=saved.peak_memory_bytes,
    )
