"""How one device learns: a few AdamW steps on batches of its own shard."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from fedray.arrays import Ints, Values
from fedray.costs.memory import ADAM_COPIES
from fedray.learning.adapted import AdaptedModel
from fedray.learning.hooks import hook_for
from fedray.learning.quantisation import QuantisedActivations, Quantiser
from fedray.learning.saved_tensors import MeasureSaved
from fedray.learning.tasks import Task
from fedray.learning.tokens import Tokens
from fedray.protocol import Assignment, Quantisation, Selection
from fedray.roofline import FLOAT
from fedray.scenario.schema import Optimiser


@dataclass(frozen=True)
class LocalResult:
    """The adapter after local training, flat in the layout of its spec; the mean loss over the steps, without
    penalties; what the assignment's hook measured and selected.
    """

    values: Values
    loss: float
    measured: tuple[float, ...]
    selection: Selection | None


class StepObserver(Protocol):
    """Enforces a device's memory limit and step times."""

    def holds(self, memory_bytes: int) -> None:
        """A forward pass ended with `memory_bytes` in use; MemoryError if the device has less."""
        ...

    def stepped(self) -> None:
        """A step is over."""
        ...


def train(
    model: AdaptedModel,
    task: Task,
    assignment: Assignment,
    values: Values,
    tokens: Tokens,
    batches: list[Ints],
    optimiser: Optimiser,
    train_head: bool,
    noise: np.random.Generator,
    observer: StepObserver | None = None,
) -> LocalResult:
    """Train an assignment's adapter on the batches, one step each, from `values` (which are left as they are).

    `noise` is where the rounding of quantised activations comes from. With a observer, what is in memory is measured:
    the frozen weights, the adapter with its gradients and two moments, and what the forward pass saved for backward.
    """
    layout = model.load_adapter(assignment.spec, values, train_head)
    device = hook_for(assignment.hook, model, layout)
    everything = [*model.peft.parameters(), *model.peft.buffers()]
    quantising = _quantising(model, everything, assignment.quantisation, noise)
    fixed = layout.only(lambda entry: entry.factor in assignment.spec.fixed).size
    adapter_floats = ADAM_COPIES * (layout.size - fixed) + fixed
    resident = model.frozen_bytes + FLOAT * adapter_floats + device.memory_bytes()
    lora, head = model.trainable()
    adamw = torch.optim.AdamW(
        [{"params": lora, "lr": optimiser.learning_rate}, {"params": head, "lr": optimiser.head_learning_rate}],
        weight_decay=optimiser.weight_decay,
    )
    losses = []
    for indices in batches:
        batch = tokens.batch(indices)
        quantised = quantising()
        kept_tensors = MeasureSaved(everything, quantised) if observer else None
        with kept_tensors or quantised or nullcontext():
            loss = task.step_loss(model.logits(batch), batch.labels.to(model.device))
        if observer and kept_tensors:
            observer.holds(resident + kept_tensors.nbytes)
        losses.append(loss.item())
        penalty = device.penalty()
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        device.after_backward()
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        if observer:
            model.synchronise()
            observer.stepped()
    return LocalResult(model.values(layout), float(np.mean(losses)), device.measured(), device.selection())


def _quantising(
    model: AdaptedModel,
    everything: Sequence[torch.Tensor],
    quantisation: Quantisation | None,
    noise: np.random.Generator,
) -> Callable[[], QuantisedActivations | None]:
    """What packs the activations of a step, if they are to be packed."""
    if quantisation is None:
        return lambda: None
    layers = [model.layers[layer] for layer in quantisation.layers]
    quantiser = Quantiser(quantisation.bits, quantisation.group_size)
    generator = torch.Generator(model.device).manual_seed(int(noise.integers(2**63)))
    return lambda: QuantisedActivations(layers, quantiser, everything, generator)
