"""One frozen model, many adapters: what trains, what does not, and what it keeps."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.errors import UserError
from fedray.learning.adapted import AdaptedModel
from fedray.learning.backbone import Backbone, find_backbone
from fedray.learning.classifier import build, head_state, load_classifier, load_weights
from fedray.learning.evaluation import combine, evaluate_block
from fedray.learning.texts import Texts
from fedray.learning.tokens import tokenise
from fedray.scenario.schema import Optimiser
from tests.learning.conftest import TASK, WORDS, batches, train

SPEC = AdapterSpec((4, 6), (0, 1), 2.0)


@pytest.fixture
def model(backbone: Backbone) -> AdaptedModel:
    weights = backbone.weights()
    for array in weights.values():
        array.flags.writeable = False  # as they come from the object store
    return AdaptedModel(load_weights(build(backbone.recipe), weights), backbone.shape, SPEC)


def values_of(backbone: Backbone, spec: AdapterSpec, seed: int = 0) -> np.ndarray:
    return initial_values(layout_of(backbone.shape, spec), seed)


def test_training_moves_what_the_device_trains_and_nothing_else(model, backbone, tokens) -> None:
    frozen = {
        name: p.clone() for name, p in model.peft.named_parameters() if not p.requires_grad and "lora" not in name
    }
    spec = SPEC.deepest(1)
    before = values_of(backbone, spec)
    result = train(model, spec, before, tokens, batches(), Optimiser(), train_head=True)
    layout = layout_of(backbone.shape, spec)
    for entry in layout.entries:
        assert (layout.tensor(result.values, entry) != layout.tensor(before, entry)).any(), entry
    assert np.isfinite(result.loss)
    assert (before == values_of(backbone, spec)).all()
    now = dict(model.peft.named_parameters())
    for name, tensor in frozen.items():
        if "modules_to_save" not in name:
            assert torch.equal(now[name], tensor), name


def test_hosts_of_a_node_share_one_copy_of_the_weights(backbone) -> None:
    weights = backbone.weights()
    built = load_weights(build(backbone.recipe), weights)
    for name, tensor in built.state_dict().items():
        if name in weights:
            assert tensor.data_ptr() == weights[name].ctypes.data, name


def test_nothing_below_the_depth_is_part_of_the_graph(model, backbone, tokens) -> None:
    """The lower LoRA gets no gradient, and the first tensor that needs one enters at the lowest trained layer."""
    spec = SPEC.deepest(1)
    model.load_adapter(spec, values_of(backbone, spec))
    batch = tokens.batch(np.arange(4))
    seen = {}
    layers = model.peft.get_submodule(f"base_model.model.{backbone.shape.layer_prefix}")
    for number, layer in enumerate(layers):
        layer.register_forward_hook(lambda _, __, out, number=number: seen.update({number: out}))
    torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
    outputs = {number: out[0] if isinstance(out, tuple) else out for number, out in seen.items()}
    assert [outputs[number].requires_grad for number in (0, 1)] == [False, True]
    assert all(model.parameters[e.module, e.factor].grad is None for e in model.layout.entries if e.layer == 0)


def test_depth_one_keeps_clearly_less_for_backward_than_full_depth(model, backbone, tokens) -> None:
    """Oracle: torch's own saved tensors, by unique storage."""

    def saved(spec: AdapterSpec) -> int:
        model.load_adapter(spec, values_of(backbone, spec))
        storages = {}

        def pack(tensor):
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        own = {p.untyped_storage().data_ptr() for p in model.peft.parameters()}
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            output = model.logits(tokens.batch(np.arange(16)))
        assert output.requires_grad
        return sum(size for pointer, size in storages.items() if pointer not in own)

    full, one = saved(SPEC), saved(SPEC.deepest(1))
    priced = 4 * backbone.shape.activation_units * 16 * 16 * backbone.shape.hidden
    assert one < 0.6 * full
    assert full - one == pytest.approx(priced, rel=0.1)


def test_an_adapter_of_smaller_rank_trains_as_if_alone(model, backbone, tokens) -> None:
    """Oracle: the same training on a model built at exactly that rank."""
    small = AdapterSpec((2, 3), (0, 1), 2.0)
    start = values_of(backbone, small, seed=4)
    padded = train(model, small, start, tokens, batches(), Optimiser(), train_head=True)
    alone = AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, small)
    exact = train(alone, small, start, tokens, batches(), Optimiser(), train_head=True)
    np.testing.assert_allclose(padded.values, exact.values, atol=2e-5)


def test_devices_do_not_leave_traces_in_the_shared_model(model, backbone, tokens) -> None:
    def trained(spec: AdapterSpec) -> bytes:
        return train(model, spec, values_of(backbone, spec), tokens, batches(), Optimiser(), True).values.tobytes()

    shallow = trained(SPEC.deepest(1))
    full = trained(SPEC)
    assert trained(SPEC.deepest(1)) == shallow
    assert trained(SPEC) == full


def test_a_frozen_head_stays(model, backbone, tokens) -> None:
    start = values_of(backbone, SPEC)
    result = train(model, SPEC, start, tokens, batches(), Optimiser(), train_head=False)
    head = layout_of(backbone.shape, SPEC).lora_size
    assert (result.values[head:] == start[head:]).all()
    assert (result.values[:head] != start[:head]).any()


def test_a_fresh_adapter_leaves_the_backbone_as_it_is(model, backbone, tokens) -> None:
    """Oracle: the classifier without peft, with the same head."""
    values = values_of(backbone, SPEC)
    layout = model.load_adapter(SPEC, values)
    plain = load_classifier(backbone.location, 3)
    with torch.no_grad():
        for name, parameter in head_state(plain).items():
            entry = next(entry for entry in layout.entries if entry.module == name)
            parameter.copy_(torch.from_numpy(layout.tensor(values, entry)))
    batch = tokens.batch(np.arange(8))
    with torch.inference_mode():
        assert torch.allclose(model.logits(batch), plain(**batch.inputs).logits, atol=1e-5)


def test_an_examples_score_does_not_depend_on_its_company(model, backbone, tokens) -> None:
    model.load_adapter(SPEC, values_of(backbone, SPEC))
    whole = combine(TASK, [evaluate_block(model, TASK, tokens, np.arange(20))], tokens.labels)
    blocks = [evaluate_block(model, TASK, tokens, part) for part in (np.arange(5), np.arange(5, 20))]
    parts = combine(TASK, blocks, tokens.labels)
    assert whole.primary == parts.primary
    assert whole.metrics["loss"] == pytest.approx(parts.metrics["loss"], abs=1e-6)


def test_a_saved_adapter_loads_with_peft_and_scores_the_same(model, backbone, tokens, tmp_path: Path) -> None:
    trained = train(model, SPEC, values_of(backbone, SPEC), tokens, batches(), Optimiser(), train_head=True)
    model.load_adapter(SPEC, trained.values)
    model.save(tmp_path / "adapter", backbone.location)
    loaded = PeftModel.from_pretrained(load_classifier(backbone.location, 3), tmp_path / "adapter")
    batch = tokens.batch(np.arange(20))
    with torch.inference_mode():
        assert torch.equal(loaded(**batch.inputs).logits, model.logits(batch))
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert sorted(config["rank_pattern"].values()) == [4, 4, 6, 6]
    assert not list((tmp_path / "adapter").glob("*.bin"))


def test_activation_units_are_close_to_the_published_count() -> None:
    """10 units without dropout by formula; SDPA keeps no score matrix; measured 11.1 with LoRA."""
    from benchmarks.cost_model import bert_base

    assert 10 < bert_base().activation_units < 12.5


TINY = {
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "vocab_size": 30522,
}
ARCHITECTURES = {
    "bert": {},
    "roberta": {"max_position_embeddings": 66},
    "deberta-v2": {"max_position_embeddings": 64},
    "distilbert": {"dim": 32, "n_heads": 2, "hidden_dim": 64, "n_layers": 3},
    "llama": {"num_key_value_heads": 2},
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("pooling", ["mean", "native"])
def test_every_promised_architecture_trains_and_reloads(
    architecture, pooling, scenario, tmp_path: Path, two_layers
) -> None:
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    folder = tmp_path / "model"
    extra = ARCHITECTURES[architecture]
    common = TINY if architecture != "distilbert" else {"vocab_size": 30522}
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(architecture, **common, **extra)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(two_layers).save_pretrained(folder)
    text = f"schema_version: 1\ntask: {{max_length: 32}}\nmodel: {{backbone: {folder}, pooling: {pooling}}}\n"
    backbone = find_backbone(scenario(text), labels=3)
    assert backbone.shape.layers == 3
    spec = AdapterSpec((2, 3, 4), (0, 1, 2), 2.0)
    model = AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, spec)
    some = tokenise(Texts(WORDS, None, np.array([0, 1, 2, 1]), None), backbone.tokenizer(), 32)
    start = values_of(backbone, spec.deepest(2))
    result = train(model, spec.deepest(2), start, some, [np.arange(4)] * 2, Optimiser(), train_head=True)
    assert np.isfinite(result.values).all()
    assert (result.values != start).mean() > 0.5
    model.save(tmp_path / "adapter", backbone.location)
    again = PeftModel.from_pretrained(load_classifier(backbone.location, 3, pooling), tmp_path / "adapter").eval()
    batch = some.batch(np.arange(4))
    model.load_adapter(spec, model.values(model.layout))
    with torch.inference_mode():
        assert torch.allclose(again(**batch.inputs).logits, model.logits(batch), atol=1e-6)


def test_a_folder_without_safetensors_is_refused(scenario, tmp_path: Path, two_layers: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text((two_layers / "config.json").read_text())
    (folder / "pytorch_model.bin").write_bytes(b"not looked at")
    with pytest.raises(UserError, match="safetensors"):
        find_backbone(scenario(f"schema_version: 1\nmodel: {{backbone: {folder}}}\n"), labels=2)


def test_remote_code_is_not_run(scenario, tmp_path: Path, two_layers: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"model_type": "strange", "auto_map": {"AutoConfig": "evil.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match=r"model.backbone"):
        find_backbone(scenario(f"schema_version: 1\nmodel: {{backbone: {folder}}}\n"), labels=2)
    assert not (tmp_path / "ran").exists()
