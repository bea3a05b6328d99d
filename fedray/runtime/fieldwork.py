"""A round's work, cut into chunks for the hosts and gathered again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ray

from fedray.adapters import layout_of
from fedray.learning.evaluation import Score, combine
from fedray.protocol import Assignment, ServerState
from fedray.runtime.heads import LocalHeads
from fedray.runtime.hosts import Hosts, cut
from fedray.runtime.messages import Chunk, Harvest, gather

CHUNKS_PER_HOST = 4  # pieces a round is cut into: enough to even out, few enough to keep folds rare


@dataclass(frozen=True)
class Progress:
    """How far the round under way is: devices trained of those that will be, and hosts lost since the run began."""

    round: int
    trained: int
    planned: int
    hosts_lost: int


class Fieldwork:
    """Responsibilities: put each adapter into the object store once, spread devices over hosts, count who is done."""

    def __init__(self, hosts: Hosts, rounds_completed: int) -> None:
        self.hosts = hosts
        self.progress = Progress(rounds_completed, 0, 0, 0)

    def train(
        self, round_: int, state: ServerState, assignments: Sequence[Assignment], heads: LocalHeads | None
    ) -> Harvest:
        """Carry out assignments from a server state."""
        shape = self.hosts.equipment.shape
        whole = layout_of(shape, state.spec)
        wanted = {(assignment.group, assignment.spec) for assignment in assignments}
        adapters = {
            (group, spec): ray.put(state.values[whole.positions_of(layout_of(shape, spec))]) for group, spec in wanted
        }
        chunks = [
            Chunk(
                round=round_,
                assignments=tuple(part),
                adapters={key: adapters[key] for key in {(a.group, a.spec) for a in part}},
                heads=heads.of([a.device for a in part]) if heads else None,
            )
            for part in cut(assignments, self.hosts.share.hosts, CHUNKS_PER_HOST)
        ]
        self.progress = Progress(round_, 0, len(assignments), self.hosts.deaths)

        def count(index: int) -> None:
            trained = self.progress.trained + len(chunks[index].assignments)
            self.progress = replace(self.progress, trained=trained, hosts_lost=self.hosts.deaths)

        return gather(self.hosts.map("train", [(chunk,) for chunk in chunks], count))

    def evaluate(self, state: ServerState) -> Score | None:
        """The score of a server state on the test examples; None for a task without data."""
        kit = self.hosts.equipment.kit
        if kit is None:
            return None
        values = ray.put(state.values)
        parts = cut(range(len(kit.blocks)), self.hosts.share.hosts, 1)
        scores = self.hosts.map("evaluate", [(state.spec, values, part) for part in parts])
        return combine([score for part in scores for score in part])
