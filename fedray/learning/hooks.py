"""The torch half of local hooks: what runs on a device beside plain training, and how it is found."""

from typing import Generic, TypeVar

import torch

from fedray.adapters import Entry, Layout
from fedray.errors import UserError
from fedray.imports import ImportTargetError, import_target
from fedray.learning.adapted import AdaptedModel
from fedray.protocol import LocalHook, Selection

Hook_co = TypeVar("Hook_co", covariant=True)


class HookRunner(Generic[Hook_co]):
    """Runs a hook during one local training. This one does nothing; a subclass implements one hook.

    It is made after the model has loaded what the device received, and lives for the steps of one training.
    """

    def __init__(self, hook: Hook_co, model: AdaptedModel, layout: Layout) -> None:
        self.hook = hook
        self.model = model
        self.lora = [entry for entry in layout.entries if entry.layer is not None]

    def trained(self) -> list[Entry]:
        """The LoRA tensors that this device trains."""
        return [one for one in self.lora if self.model.parameters[one.module, one.factor].requires_grad]

    def memory_bytes(self) -> int:
        """What the hook keeps in memory; counted where a device's limit is enforced."""
        return 0

    def penalty(self) -> torch.Tensor | None:
        """What is added to the loss of a step: a scalar with a gradient, or nothing."""
        return None

    def after_backward(self) -> None:
        """Look at the gradients of a step, before the optimiser takes it."""

    def measured(self) -> tuple[float, ...]:
        """What the server is told in the end."""
        return ()

    def selection(self) -> Selection | None:
        """Which triplets are sent; None: all of them."""
        return None


def hook_for(hook: LocalHook | None, model: AdaptedModel, layout: Layout) -> HookRunner[LocalHook | None]:
    """The runner of a hook on a model with a loaded adapter; UserError if the hook has none."""
    return HookRunner(None, model, layout) if hook is None else runner_of(type(hook))(hook, model, layout)


def runner_of(kind: type[LocalHook]) -> type[HookRunner[LocalHook | None]]:
    """The torch half of a kind of hook; UserError, in one line, if the hook breaks the contract."""
    where = f"the local hook {kind.__module__}.{kind.__qualname__}"
    parameters = vars(kind).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        raise UserError(f"{where} is no frozen dataclass; allowed: @dataclass(frozen=True)")
    named = getattr(kind, "runner", None)
    if not isinstance(named, str):
        raise UserError(f"{where} has no runner; allowed: runner = 'package.module:Class'")
    try:
        runner = import_target(named)
    except ImportTargetError as error:
        raise UserError(f"{where}: runner: {error}") from None
    if not (isinstance(runner, type) and issubclass(runner, HookRunner)):
        raise UserError(f"{where}: runner: given {named!r}; allowed: a subclass of {HookRunner.__module__}.HookRunner")
    return runner
