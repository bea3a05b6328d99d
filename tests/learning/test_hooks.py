"""SVD adapters, and what devices measure for their methods, against a plain reading of the definitions."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel

from fedray.adapters import AdapterSpec, as_lora, initial_values, layout_of
from fedray.costs import Pricing
from fedray.errors import UserError
from fedray.learning.adapted import AdaptedModel
from fedray.learning.batches import draw_batches
from fedray.learning.classifier import build, load_classifier, load_weights
from fedray.learning.hooks import hook_for, runner_of
from fedray.learning.local_trainer import LocalTrainer, TrainingAssets
from fedray.learning.quantisation import QuantisedActivations, Quantiser
from fedray.learning.saved_tensors import held_bytes
from fedray.methods.fedara import TripletSelection
from fedray.methods.fedquad import GradientNorms
from fedray.methods.hetlora import TailDecay
from fedray.protocol import Assignment, LocalHook, Quantisation
from fedray.scenario.schema import Optimiser
from fedray.seeds import Purpose, generator
from tests.learning.conftest import TASK, batches, train

SVD = AdapterSpec.of_modules(((4, 4), (4, 4)), 2.0, "svd")
UNEVEN = AdapterSpec.of_modules(((0, 0), (3, 1)), 2.0, "svd")
LORA = AdapterSpec((4, 4), (0, 1), 2.0)


def a_model(backbone, spec) -> AdaptedModel:
    return AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, spec)


def start(backbone, spec, seed: int = 0) -> np.ndarray:
    return initial_values(layout_of(backbone.shape, spec), seed)


def logits(model: AdaptedModel, tokens) -> torch.Tensor:
    with torch.inference_mode():
        return model.logits(tokens.batch(np.arange(8)))


def test_an_svd_adapter_starts_as_the_backbone_and_learns(backbone, tokens) -> None:
    model = a_model(backbone, SVD)
    values = start(backbone, SVD)
    model.load_adapter(SVD, values)
    bare = a_model(backbone, LORA)
    plain = start(backbone, LORA)
    plain[: layout_of(backbone.shape, LORA).lora_size] = 0
    bare.load_adapter(LORA, plain)
    assert torch.equal(logits(model, tokens), logits(bare, tokens))
    trained = train(model, SVD, values, tokens, batches(), Optimiser(), True)
    layout = layout_of(backbone.shape, SVD)
    for entry in layout.entries:
        assert (layout.tensor(trained.values, entry) != layout.tensor(values, entry)).any(), entry


def test_an_svd_adapter_is_saved_as_lora_with_the_same_logits(backbone, tokens, tmp_path: Path) -> None:
    """Of uneven ranks, with a layer and a module pruned away: peft must load exactly what was evaluated."""
    model = a_model(backbone, SVD)
    trained = train(model, UNEVEN, start(backbone, UNEVEN), tokens, batches(), Optimiser(), True)
    model.load_adapter(UNEVEN, trained.values)
    judged = logits(model, tokens)
    spec, values = as_lora(backbone.shape, UNEVEN, trained.values)
    plain = a_model(backbone, spec)
    plain.load_adapter(spec, values)
    assert torch.equal(logits(plain, tokens), judged)
    plain.save(tmp_path / "adapter", backbone.location)
    loaded = PeftModel.from_pretrained(load_classifier(backbone.location, 3), tmp_path / "adapter")
    with torch.inference_mode():
        assert torch.equal(loaded(**tokens.batch(np.arange(8)).inputs).logits, judged)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert sorted(config["rank_pattern"].values()) == [1, 3]


def test_a_pruned_module_is_in_no_forward_no_gradient_and_no_optimiser(backbone, tokens) -> None:
    model = a_model(backbone, SVD)
    spec = AdapterSpec.of_modules(((0, 0), (3, 0)), 2.0, "svd")
    model.load_adapter(spec, start(backbone, spec))
    held = [path for path, module in model.switches.items() if not module.disable_adapters]
    assert len(held) == 1
    assert held[0].endswith("layer.1.attention.self.query")
    lora, _ = model.trainable()
    assert len(lora) == 3  # A, E and B of one module
    inputs = []
    hook = model.layers[0].register_full_backward_hook(lambda *_: inputs.append("reached"))
    torch.nn.functional.cross_entropy(
        model.logits(tokens.batch(np.arange(4))), torch.from_numpy(tokens.labels[:4])
    ).backward()
    hook.remove()
    assert not inputs  # nothing flows back into the layer that holds no adapter


def test_gradient_norms_are_those_of_the_layers(backbone, tokens) -> None:
    model = a_model(backbone, LORA)
    values = start(backbone, LORA, seed=3)
    measured = train(model, LORA, values, tokens, batches(1), Optimiser(), True, hook=GradientNorms()).measured
    model.load_adapter(LORA, values)
    batch = tokens.batch(batches(1)[0])
    torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
    expected = [0.0, 0.0]
    for name, parameter in model.peft.named_parameters():
        if "lora_" in name and parameter.grad is not None:
            expected[int("layer.1." in name)] += float((parameter.grad.double() ** 2).sum())
    assert measured == pytest.approx(expected)
    assert train(model, LORA, values, tokens, batches(1), Optimiser(), True).measured == ()


def test_gradient_norms_are_means_over_steps(backbone, tokens) -> None:
    """Steps too small to move a weight: the measure of three batches is the mean of the measures of each."""
    model, values = a_model(backbone, LORA), start(backbone, LORA, seed=3)
    still = Optimiser(learning_rate=1e-12, head_learning_rate=1e-12)

    def measured(chosen: list[np.ndarray]) -> tuple[float, ...]:
        return train(model, LORA, values, tokens, chosen, still, True, hook=GradientNorms()).measured

    alone = [measured([batch]) for batch in batches(3)]
    assert measured(batches(3)) == pytest.approx(np.mean(alone, axis=0))


def test_the_tail_decays_and_its_size_is_reported(backbone, tokens) -> None:
    model = a_model(backbone, LORA)
    values = np.random.default_rng(0).normal(0, 0.05, layout_of(backbone.shape, LORA).size).astype(np.float32)

    def tail(buffer: np.ndarray) -> float:
        layout = layout_of(backbone.shape, LORA)
        factors = {(e.module, e.factor): layout.tensor(buffer, e) for e in layout.entries if e.layer is not None}
        return sum(
            float(np.linalg.norm(factors[m, "B"][:, 3:]) * np.linalg.norm(a[3:]))
            for (m, factor), a in factors.items()
            if factor == "A"
        )

    def after(strength: float):
        return train(model, LORA, values, tokens, batches(4), Optimiser(), True, hook=TailDecay(3, strength))

    free, pressed = after(0.0), after(1.0)
    assert pressed.measured == pytest.approx((tail(values), tail(pressed.values)), rel=1e-4)
    assert tail(pressed.values) < tail(free.values)
    plain = train(model, LORA, values, tokens, batches(4), Optimiser(), True)
    assert (free.values == plain.values).all()
    assert pressed.loss != pytest.approx(0.0)


def test_importance_is_adaloras(backbone, tokens) -> None:
    """The definitions written out over recorded weights and gradients, one module and step at a time."""
    model = a_model(backbone, SVD)
    values = np.random.default_rng(1).normal(0, 0.05, layout_of(backbone.shape, SVD).size).astype(np.float32)
    layout = model.load_adapter(SVD, values)
    device = hook_for(TripletSelection(5, 0.0, 0.85), model, layout)
    recorded: list[dict] = []
    optimiser = torch.optim.AdamW(model.trainable()[0], lr=1e-2)
    for indices in batches(3):
        batch = tokens.batch(indices)
        torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
        device.after_backward()
        recorded.append(
            {
                key: (p.detach().numpy().copy(), p.grad.numpy().copy())
                for key, p in model.parameters.items()
                if p.grad is not None
            }
        )
        optimiser.step()
        model.peft.zero_grad()

    def score(key) -> np.ndarray:
        mean = doubt = 0.0
        for step in recorded:
            weight, gradient = step[key]
            importance = np.abs(weight * gradient)
            mean = 0.85 * mean + 0.15 * importance
            doubt = 0.85 * doubt + 0.15 * np.abs(importance - mean)
        return mean * doubt

    expected = np.concatenate(
        [
            score((module, "E")) + score((module, "A")).mean(1) + score((module, "B")).mean(0)
            for module in dict.fromkeys(e.module for e in layout.entries if e.layer is not None)
        ]
    )
    selection = device.selection()
    np.testing.assert_allclose(selection.scores, expected, rtol=1e-4)
    assert selection.kept.sum() == 5
    assert selection.scores[selection.kept].min() >= selection.scores[~selection.kept].max()


def test_the_orthogonality_penalty_pulls_towards_orthogonal_factors(backbone, tokens) -> None:
    model = a_model(backbone, SVD)
    values = start(backbone, SVD)
    model.load_adapter(SVD, values)
    layout = layout_of(backbone.shape, SVD)
    rows = [
        layout.tensor(values, e) if e.factor == "A" else layout.tensor(values, e).T
        for e in layout.entries
        if e.factor in "AB"
    ]
    expected = 0.1 * np.mean([np.linalg.norm(row @ row.T - np.eye(4)) for row in rows])
    penalty = hook_for(TripletSelection(5, 0.1, 0.85), model, layout).penalty()
    assert float(penalty.detach()) == pytest.approx(expected, rel=1e-5)
    assert hook_for(TripletSelection(5, 0.0, 0.85), model, layout).penalty() is None


@pytest.mark.parametrize("layers", [(0,), (1,), (0, 1)])
def test_quantised_memory_is_priced_as_it_is_held(layers, backbone, tokens) -> None:
    """The formula's saving against bytes counted on the real layers."""
    model = a_model(backbone, LORA)
    model.load_adapter(LORA, start(backbone, LORA))
    batch = tokens.batch(np.arange(4))
    everything = [*model.peft.parameters(), *model.peft.buffers()]
    pricing = Pricing(backbone.shape, 4, batch.inputs["input_ids"].shape[1], "shared")

    def held(quantised: QuantisedActivations | None) -> int:
        return held_bytes(lambda: model.logits(batch), everything, quantised)

    packed = QuantisedActivations([model.layers[i] for i in layers], Quantiser(4), everything, torch.Generator())
    saved = held(None) - held(packed)
    priced = pricing.work(LORA, 1).memory_bytes - pricing.work(LORA, 1, Quantisation(layers, 4, 256)).memory_bytes
    assert priced == pytest.approx(saved, rel=0.05)


def test_training_with_quantised_layers_starts_from_the_same_loss_and_ends_elsewhere(backbone, tokens) -> None:
    model = a_model(backbone, LORA)
    values = start(backbone, LORA)
    plain = train(model, LORA, values, tokens, batches(1), Optimiser(), True)
    packed = train(
        model, LORA, values, tokens, batches(1), Optimiser(), True, quantisation=Quantisation((0, 1), 4, 256)
    )
    assert packed.loss == plain.loss  # forward is bit-equal
    assert (packed.values != plain.values).any()
    again = train(model, LORA, values, tokens, batches(1), Optimiser(), True, quantisation=Quantisation((0, 1), 4, 256))
    assert (again.values == packed.values).all()


def test_a_round_divided_has_the_batches_of_the_whole(backbone, tokens) -> None:
    assets = TrainingAssets(
        task=TASK,
        recipe=backbone.recipe,
        shape=backbone.shape,
        spec=LORA,
        weights=backbone.weights(),
        train=tokens,
        shards=(np.arange(12),),
        held_out={},
        batch_size=2,
        optimiser=Optimiser(),
        train_head=True,
        seed=3,
    )
    bench, values = LocalTrainer(assets), start(backbone, LORA)
    given = Assignment(0, 0, LORA, 4, 1)
    drawn = draw_batches(assets.shards[0], tokens.lengths, 4, 2, generator(3, Purpose.BATCHES, 7, 0))
    first = bench.train(given, 7, values, 0, 2)
    second = bench.train(given, 7, first.values, 1, 2)
    model = a_model(backbone, LORA)
    one = train(model, LORA, values, tokens, drawn[:2], Optimiser(), True)
    two = train(model, LORA, one.values, tokens, drawn[2:], Optimiser(), True)
    assert (first.values == one.values).all()
    assert (second.values == two.values).all()
    assert (
        bench.train(given, 7, values).values == train(model, LORA, values, tokens, drawn, Optimiser(), True).values
    ).all()


@dataclass(frozen=True)
class Nameless(LocalHook):
    """A hook whose torch half is given by each test."""


@pytest.mark.parametrize(
    ("runner", "problem"),
    [
        (None, "has no runner"),
        ("fedray.learning.hooks", "allowed: package.module:Class"),
        ("no_such_package:Runner", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("fedray.learning.hooks:Missing", "has no Missing"),
        ("fedray.learning.hooks:hook_for", "allowed: a subclass of fedray.learning.hooks.HookRunner"),
    ],
)
def test_a_hook_without_a_usable_torch_half_is_refused_in_one_line(backbone, monkeypatch, runner, problem) -> None:
    if runner is not None:
        monkeypatch.setattr(Nameless, "runner", runner, raising=False)
    model = a_model(backbone, LORA)
    layout = model.load_adapter(LORA, start(backbone, LORA))
    with pytest.raises(UserError, match=re.escape(problem)) as refused:
        hook_for(Nameless(), model, layout)
    assert "\n" not in str(refused.value)
    assert "Nameless" in str(refused.value)


def test_a_hook_that_is_no_frozen_dataclass_is_refused() -> None:
    class Loose(LocalHook):
        runner = GradientNorms.runner

    for kind in (Loose, dataclass(Loose)):
        with pytest.raises(UserError, match="Loose is no frozen dataclass"):
            runner_of(kind)
    assert runner_of(GradientNorms).__name__ == "NormMeter"
