"""peft wiring: one adapted model whose LoRA depth, ranks and values change from device to device."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.nn.utils import parametrize

from fedray.adapters import AdapterSpec, BackboneShape, Entry, Layout, layout_of
from fedray.arrays import Values
from fedray.learning.classifier import layer_list
from fedray.learning.tokens import Batch

CPU = torch.device("cpu")


def lora_config(shape: BackboneShape, spec: AdapterSpec) -> LoraConfig:
    """The adapter in peft's words; modules are named in full, so that ranks may differ per layer."""
    layers = [layer for layer, rank in enumerate(spec.ranks) if rank]
    ranks = {
        f"{shape.layer_prefix}.{layer}.{target.name}": rank
        for layer in layers
        for target, rank in zip(shape.targets, spec.target_ranks(layer, len(shape.targets)), strict=True)
        if rank
    }
    highest = max(spec.ranks)
    named = spec.module_ranks is not None  # a layer may then carry LoRA on some of its targets only
    return LoraConfig(
        r=highest,
        lora_alpha=spec.scaling * highest,
        rank_pattern=ranks,
        alpha_pattern={module: spec.scaling * rank for module, rank in ranks.items()},
        target_modules=sorted(ranks if named else {target.name for target in shape.targets}),
        layers_to_transform=None if named else layers,
        layers_pattern=None if named else [shape.layer_prefix.rsplit(".", 1)[-1]],
        lora_dropout=0.0,
        bias="none",
        modules_to_save=sorted({tensor.name.split(".")[0] for tensor in shape.head}),
        inference_mode=False,
    )


class Diagonal(nn.Module):
    """B diag(E) in place of B: what makes a LoRA module one of form `svd`; all else of peft's layer stays."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.diagonal = nn.Parameter(torch.zeros(rank))

    def forward(self, b: torch.Tensor) -> torch.Tensor:
        """(out, rank) to (out, rank)."""
        return b * self.diagonal


class AdaptedModel:
    """A classifier with LoRA at the ranks of `spec`, holding any adapter of its form that fits into it.

    Responsibilities: take up and give back flat buffers, and switch off every LoRA that a device does not hold, so that
    nothing of it is computed or back-propagated. An adapter of smaller rank is padded with zeros, whose gradients are
    exactly zero: it trains as if alone.
    """

    def __init__(self, model: nn.Module, shape: BackboneShape, spec: AdapterSpec, device: torch.device = CPU) -> None:
        self.shape = shape
        self.device = device
        self.layers = layer_list(model, shape.layers)[1]
        self.peft: PeftModel = get_peft_model(model, lora_config(shape, spec)).eval()
        self.layout = layout_of(shape, spec)
        self.switches: dict[str, LoraLayer] = {}
        for path, module in self.peft.named_modules():
            if isinstance(module, LoraLayer):
                self.switches[path.removeprefix("base_model.model.")] = module
                if spec.form == "svd":
                    parametrize.register_parametrization(
                        module.lora_B["default"], "weight", Diagonal(module.r["default"]), unsafe=True
                    )
        self.peft.to(device)
        parameters = dict(self.peft.named_parameters())
        self.parameters = {(e.module, e.factor): parameters[_peft_name(e, spec)] for e in self.layout.entries}

    def move_to(self, device: torch.device) -> None:
        """Compute there from now on."""
        self.device = device
        self.peft.to(device)

    def synchronise(self) -> None:
        """Wait until everything asked of the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @contextmanager
    def with_dropout(self, randomness: np.random.Generator) -> Iterator[None]:
        """Train mode with the dropout of the recipe, its masks drawn from a seed; torch's own generators are put back.

        Nothing happens where the recipe has none: the model stays in evaluation mode, bit for bit.
        """
        if not self.shape.dropout:
            yield
            return
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(randomness.integers(2**63)))
            self.peft.train()
            try:
                yield
            finally:
                self.peft.eval()

    @property
    def frozen_bytes(self) -> int:
        """Weights and buffers beside the adapter and the head."""
        ours = {id(parameter) for parameter in self.parameters.values()}
        return sum(t.nbytes for t in (*self.peft.parameters(), *self.peft.buffers()) if id(t) not in ours)

    def load_adapter(self, spec: AdapterSpec, values: Values, train_head: bool = True) -> Layout:
        """Hold the adapter `spec` with these values (flat in its layout), ready to train its trained layers."""
        layout = layout_of(self.shape, spec)
        held = {entry.module for entry in layout.entries}
        for path, module in self.switches.items():
            module.enable_adapters(path in held)
        with torch.no_grad():
            for entry in layout.entries:
                parameter = self.parameters[entry.module, entry.factor]
                if parameter.shape != entry.shape:
                    parameter.zero_()
                _part(parameter, entry).copy_(torch.from_numpy(layout.tensor(values, entry).copy()))
        for entry in self.layout.entries:
            lora = entry.layer in spec.trained and entry.module in held and entry.factor not in spec.fixed
            self.parameters[entry.module, entry.factor].requires_grad_(train_head if entry.layer is None else lora)
        return layout

    def values(self, layout: Layout) -> Values:
        """What the model now holds, flat in a layout it has taken up."""
        buffer = np.empty(layout.size, np.float32)
        for entry in layout.entries:
            parameter = self.parameters[entry.module, entry.factor].detach()
            buffer[entry.span] = _part(parameter, entry).cpu().numpy().ravel()
        return buffer

    def trainable(self) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
        """The LoRA and the head parameters that require a gradient."""
        lora = [p for (_, factor), p in self.parameters.items() if p.requires_grad and factor != "head"]
        head = [p for (_, factor), p in self.parameters.items() if p.requires_grad and factor == "head"]
        return lora, head

    def part(self, entry: Entry) -> torch.Tensor:
        """The part of a trained LoRA tensor that an entry of an adapter occupies; its gradient is `gradient`."""
        return _part(self.parameters[entry.module, entry.factor], entry)

    def gradient(self, entry: Entry) -> torch.Tensor:
        """The gradient of `part` after backward; zeros where nothing flowed."""
        gradient = self.parameters[entry.module, entry.factor].grad
        return torch.zeros(entry.shape, device=self.device) if gradient is None else _part(gradient, entry)

    def logits(self, batch: Batch) -> torch.Tensor:
        """(batch, labels), on the model's device."""
        inputs = {name: tensor.to(self.device) for name, tensor in batch.inputs.items()}
        logits: torch.Tensor = self.peft(**inputs).logits
        return logits

    def save(self, folder: Path, base_model: str) -> None:
        """Write a standard PEFT adapter: safetensors and its configuration."""
        config = self.peft.peft_config["default"]
        self.peft.peft_config["default"] = replace(config, base_model_name_or_path=base_model, inference_mode=True)
        self.peft.save_pretrained(str(folder), safe_serialization=True)
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty form for a model card


def _part(parameter: torch.Tensor, entry: Entry) -> torch.Tensor:
    """The leading rows of A, columns of B, entries of E that an adapter of smaller rank occupies."""
    return parameter[tuple(slice(extent) for extent in entry.shape)]


def _peft_name(entry: Entry, spec: AdapterSpec) -> str:
    if entry.factor == "head":
        child, rest = entry.module.split(".", 1)
        return f"base_model.model.{child}.modules_to_save.default.{rest}"
    module = f"base_model.model.{entry.module}"
    if entry.factor == "E":
        return f"{module}.lora_B.default.parametrizations.weight.0.diagonal"
    weight = "parametrizations.weight.original" if (entry.factor, spec.form) == ("B", "svd") else "weight"
    return f"{module}.lora_{entry.factor}.default.{weight}"
