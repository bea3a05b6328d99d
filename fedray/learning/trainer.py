"""How one device learns: a few AdamW steps on batches of its own shard."""

from dataclasses import dataclass

import numpy as np
import torch

from fedray.adapters import AdapterSpec
from fedray.learning.adapted import AdaptedModel
from fedray.learning.tokens import Tokens
from fedray.protocol import Ints, Values
from fedray.scenario.schema import Optimiser


@dataclass(frozen=True)
class Trained:
    """The adapter after local training, flat in the layout of its spec, and the mean loss over the steps."""

    values: Values
    loss: float


def draw_batches(shard: Ints, lengths: Ints, steps: int, batch_size: int, rng: np.random.Generator) -> list[Ints]:
    """`steps` batches of `batch_size` indices: the shard in random order, again and again, bucketed by length.

    What is drawn for the round is sorted by length and cut into batches, so that little is padding; the batches then
    come in random order. lengths has shape (all examples,); a shard must not be empty.
    """
    wanted = steps * batch_size
    passes = -(-wanted // len(shard))
    drawn = np.concatenate([rng.permutation(shard) for _ in range(passes)])[:wanted]
    batches = drawn[np.argsort(lengths[drawn], kind="stable")].reshape(steps, batch_size)
    return list(batches[rng.permutation(steps)])


def train(
    model: AdaptedModel,
    spec: AdapterSpec,
    values: Values,
    tokens: Tokens,
    batches: list[Ints],
    optimiser: Optimiser,
    train_head: bool,
) -> Trained:
    """Train an adapter on the batches, one step each, starting from `values` (which are left as they are)."""
    layout = model.take_up(spec, values, train_head)
    lora, head = model.trainable()
    adamw = torch.optim.AdamW(
        [{"params": lora, "lr": optimiser.learning_rate}, {"params": head, "lr": optimiser.head_learning_rate}],
        weight_decay=optimiser.weight_decay,
    )
    losses = []
    for indices in batches:
        batch = tokens.batch(indices)
        loss = torch.nn.functional.cross_entropy(model.logits(batch), batch.labels.to(model.device))
        loss.backward()  # type: ignore[no-untyped-call]
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return Trained(model.values(layout), float(np.mean(losses)))
