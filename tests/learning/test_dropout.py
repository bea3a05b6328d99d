"""Dropout in local training: whose masks are drawn from what, and who is never touched by it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoConfig

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.costs.kernels import step_kernels
from fedray.learning.activations import count_layer
from fedray.learning.backbone import Backbone, find_backbone
from fedray.learning.classifier import Recipe, build
from fedray.learning.evaluation import EvaluationSet
from fedray.learning.local_trainer import LocalTrainer, TrainingAssets
from fedray.protocol import Assignment, Quantisation
from fedray.scenario.schema import Optimiser
from tests.learning.conftest import TASK

SPEC = AdapterSpec((4, 4), (0, 1), 2.0)


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def dropped(request, two_layers, tmp_path_factory) -> Backbone:
    """The small backbone in a scenario that drops a tenth."""
    from fedray.scenario import load_scenario

    path = tmp_path_factory.mktemp("model") / "s.yaml"
    model = f"{{backbone: {two_layers}, attention: {request.param}}}"
    path.write_text(f"schema_version: 1\nmodel: {model}\ntraining: {{dropout: 0.1}}\ntask: {{max_length: 32}}\n")
    return find_backbone(load_scenario(path), labels=3)


def bench(backbone: Backbone, tokens, seed: int = 3) -> LocalTrainer:
    assets = TrainingAssets(
        task=TASK,
        recipe=backbone.recipe,
        shape=backbone.shape,
        spec=SPEC,
        weights=backbone.weights(),
        train=tokens,
        shards=(np.arange(12), np.arange(4, 16)),
        held_out={"test": EvaluationSet(tokens, (np.arange(20),))},
        batch_size=4,
        optimiser=Optimiser(),
        train_head=True,
        seed=seed,
    )
    return LocalTrainer(assets)


def start(backbone: Backbone) -> np.ndarray:
    return initial_values(layout_of(backbone.shape, SPEC), 0)


def test_updates_do_not_depend_on_the_host_or_on_the_order_of_devices(dropped, tokens) -> None:
    one, other, values = bench(dropped, tokens), bench(dropped, tokens), start(dropped)
    tasks = [(Assignment(device, 0, SPEC, 2, 1), part) for device in (0, 1) for part in (0, 1)]
    forward = [one.train(task, 1, values, part, 2).values.tobytes() for task, part in tasks]
    torch.manual_seed(99)
    backward = [other.train(task, 1, values, part, 2).values.tobytes() for task, part in reversed(tasks)]
    assert forward == backward[::-1]
    assert len(set(forward)) == 4


def test_masks_change_from_step_to_step_round_to_round_and_seed_to_seed(dropped, tokens) -> None:
    """The same four texts in every step, at learning rates that change nothing."""
    still = Optimiser(learning_rate=1e-30, head_learning_rate=1e-30)
    losses = []
    for seed, round_, part in ((3, 1, 0), (3, 1, 1), (3, 2, 0), (4, 1, 0)):
        trainer = bench(dropped, tokens, seed)
        trainer.assets = replace(trainer.assets, shards=(np.arange(4),), optimiser=still)
        losses.append(trainer.train(Assignment(0, 0, SPEC, 2, 1), round_, start(dropped), part, 2).loss)
    assert np.diff(np.sort(losses)).min() > 1e-5  # the order of texts alone moves the last digits


def test_evaluation_and_torchs_own_generator_know_nothing_of_it(dropped, backbone, tokens) -> None:
    trainer, values = bench(dropped, tokens), start(dropped)
    before = trainer.evaluate(SPEC, values, [("test", 0)])[0].loss_sum
    state = torch.get_rng_state()
    trained = trainer.train(Assignment(0, 0, SPEC, 2, 1), 1, values)
    assert torch.equal(torch.get_rng_state(), state)
    assert not trainer.model.peft.training
    assert trainer.evaluate(SPEC, values, [("test", 0)])[0].loss_sum == before
    plain = bench(backbone, tokens).train(Assignment(0, 0, SPEC, 2, 1), 1, values)
    assert (trained.values != plain.values).any()


def test_without_dropout_the_model_stays_in_evaluation_mode(backbone, tokens) -> None:
    trainer = bench(backbone, tokens)
    with trainer.model.with_dropout(np.random.default_rng(0)):
        assert not any(module.training for module in trainer.model.peft.modules())


def test_an_error_in_training_leaves_evaluation_as_it_was(dropped, tokens) -> None:
    trainer = bench(dropped, tokens)
    state = torch.get_rng_state()
    with pytest.raises(KeyError), trainer.model.with_dropout(np.random.default_rng(0)):
        raise KeyError
    assert not trainer.model.peft.training
    assert torch.equal(torch.get_rng_state(), state)


def test_quantised_activations_start_from_the_same_loss_and_masks_are_left_as_they_are(dropped, tokens) -> None:
    """One step: the forward pass draws the same masks and is bit-equal."""
    values = start(dropped)
    plain = bench(dropped, tokens).train(Assignment(0, 0, SPEC, 1, 1), 1, values)
    packed = Assignment(0, 0, SPEC, 1, 1, Quantisation((0, 1), 8, 256))
    given = bench(dropped, tokens).train(packed, 1, values)
    assert given.loss == plain.loss
    assert np.isfinite(given.values).all()


@pytest.mark.parametrize("kind", ["bert", "llama", "distilbert", "deberta-v2", "opt"])
def test_every_dropout_of_an_architecture_gets_the_probability_and_no_lora_does(kind) -> None:
    """LLaMA has none but attention's, a number; OPT calls functional dropout with a number in every layer."""
    config = AutoConfig.for_model(kind)
    small = {"num_hidden_layers": 2, "vocab_size": 100}
    for key, value in small.items():
        setattr(config, key, value)
    config.pad_token_id = 0
    with torch.device("meta"):
        model = build(Recipe(config.to_json_string(use_diff=False), "mean", 2, "sdpa", 0.25))
    modules = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    numbers = [
        vars(module)[name]
        for module in model.modules()
        for name in ("dropout", "attention_dropout")
        if name in vars(module)
    ]
    assert modules or numbers
    assert set(modules) | set(numbers) == {0.25}


def test_a_layer_keeps_its_masks_and_eager_probabilities_twice() -> None:
    """By hand: 10 + 2 A S / H floats and 2 + A S / H of masks, in hidden vectors (methods: FedQuad's memory model)."""
    config = AutoConfig.for_model("bert", num_hidden_layers=2)
    recipe = Recipe(config.to_json_string(use_diff=False), "native", 2, "eager", 0.1)
    from fedray.learning.backbone import describe

    shape = describe("bert-base", recipe, config, ("query", "value"), 64)
    assert shape.activation_units == pytest.approx(10 + 2 * 1 + 3, abs=0.05)
    assert shape.mask_units == pytest.approx(3, abs=0.05)
    none = count_layer(replace(recipe, dropout=0.0), replace(shape, dropout=0.0), 64)
    assert none.total == pytest.approx(11, abs=0.05)
    assert none.masks < 0.05
    plain = step_kernels(replace(shape, dropout=0.0), SPEC, 2, 64)
    assert step_kernels(shape, SPEC, 2, 64).flops == plain.flops


def test_counting_a_layer_again_gives_the_same(dropped) -> None:
    """A resumed run has to find the architecture that it began with."""
    length = 16  # tensors of a few hundred bytes, whose memory is reused at once
    counts = {(count_layer(dropped.recipe, dropped.shape, length)) for _ in range(8)}
    assert len(counts) == 1
