"""Where devices train, one after the other, on one shared frozen model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf

import torch

from fedray.adapters import AdapterSpec, BackboneShape
from fedray.arrays import Ints, Values
from fedray.learning.adapted import AdaptedModel
from fedray.learning.batches import draw_batches
from fedray.learning.classifier import Recipe, Weights, build, load_weights
from fedray.learning.evaluation import BlockScore, EvaluationSet, evaluate_block
from fedray.learning.tasks import Task
from fedray.learning.tokens import Tokens
from fedray.learning.trainer import LocalResult, StepObserver, train
from fedray.protocol import Assignment
from fedray.scenario.schema import Optimiser
from fedray.seeds import Purpose, generator


@dataclass(frozen=True)
class TrainingAssets:
    """All that stays the same during a run; put into the object store once and shared by the hosts of a node."""

    task: Task
    recipe: Recipe
    shape: BackboneShape
    spec: AdapterSpec  # the largest adapter any device may hold
    weights: Weights
    train: Tokens
    shards: tuple[Ints, ...]
    held_out: Mapping[str, EvaluationSet]  # by split: validation, test
    batch_size: int
    optimiser: Optimiser
    train_head: bool
    seed: int


class LocalTrainer:
    """Trains and evaluates; what comes out depends only on the arguments, not on what was done before."""

    def __init__(self, assets: TrainingAssets, torch_device: str = "cpu") -> None:
        model = load_weights(build(assets.recipe), assets.weights)
        self.assets = assets
        self.model = AdaptedModel(model, assets.shape, assets.spec, torch.device(torch_device))

    def move_to(self, torch_device: str, memory_bytes: float = inf) -> None:
        """Compute there from now on, with at most `memory_bytes` of a GPU; MemoryError if that is too little."""
        device = torch.device(torch_device)
        if device.type == "cuda" and memory_bytes < inf:
            whole = torch.cuda.get_device_properties().total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, memory_bytes / whole))
        with _plain_memory_errors():
            self.model.move_to(device)

    def train(
        self,
        assignment: Assignment,
        round_: int,
        values: Values,
        part: int = 0,
        parts: int = 1,
        observer: StepObserver | None = None,
    ) -> LocalResult:
        """One device's local steps of a round on its own shard, or the `part`-th of equal `parts` of them.

        The batches of a round are drawn as a whole, so they are the same however the round is divided. MemoryError if
        the GPU's part, or a observer's device, has too little.
        """
        assets, device, steps = self.assets, assignment.device, assignment.local_steps
        rng = generator(assets.seed, Purpose.BATCHES, round_, device)
        batches = draw_batches(assets.shards[device], assets.train.lengths, steps, assets.batch_size, rng)
        mine = batches[part * steps // parts : (part + 1) * steps // parts]
        noise = generator(assets.seed, Purpose.QUANTISATION, round_, device, part)
        masks = generator(assets.seed, Purpose.DROPOUT, round_, device, part)
        with _plain_memory_errors(), self.model.with_dropout(masks):
            return train(
                self.model,
                assets.task,
                assignment,
                values,
                assets.train,
                mine,
                assets.optimiser,
                assets.train_head,
                noise,
                observer,
            )

    def evaluate(self, spec: AdapterSpec, values: Values, blocks: Sequence[tuple[str, int]]) -> list[BlockScore]:
        """Score blocks of held-out examples, each given as (split, number), with an adapter."""
        self.model.load_adapter(spec, values)
        sets, task = self.assets.held_out, self.assets.task
        return [
            evaluate_block(self.model, task, sets[split].tokens, sets[split].blocks[number]) for split, number in blocks
        ]


@contextmanager
def _plain_memory_errors() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error).splitlines()[0]) from None
