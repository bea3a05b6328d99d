"""Activation quantisation: what comes back, what is left alone, what it saves, and that it leaves nothing behind."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fedray.adapters import AdapterSpec
from fedray.learning.quantisation import QuantisedActivations, Quantiser

BITS = (2, 4, 8)
SPEC = AdapterSpec((4, 6), (0, 1), 2.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def there_and_back(tensor: torch.Tensor, quantiser: Quantiser, seed: int = 0) -> torch.Tensor:
    return quantiser.unpack(quantiser.pack(tensor, seeded(seed)))


# --- the quantiser alone


def test_codes_by_hand() -> None:
    """Values on the grid have one code each; parts of 2 values go to bits 0-1, 2-3, 4-5, 6-7 of 2 bytes."""
    tensor = torch.tensor([10.0, 11, 12, 13, 13, 12, 11, 10])
    packed = Quantiser(2, 8).pack(tensor, seeded())
    assert packed.codes.tolist() == [[0 | 2 << 2 | 3 << 4 | 1 << 6, 1 | 3 << 2 | 2 << 4 | 0 << 6]]
    assert (packed.minimum.item(), packed.step.item()) == (10, 1)
    assert packed.nbytes == Quantiser(2, 8).nbytes(8) == 2 + 8


def test_rounding_is_unbiased() -> None:
    """0.3 of a step becomes 1 in three of ten draws: exact in the mean, which rounding to the nearest is not."""
    draws = 200_000
    group = torch.tensor([0.0, 3, 0.3, 0.5, 1.9, 2.99, 0.001, 1])
    back = there_and_back(group.repeat(draws), Quantiser(2, 8)).view(draws, 8)
    assert set(back[:, 2].unique().tolist()) == {0, 1}
    share = group.frac()
    error = (back.double().mean(0) - group).abs()
    assert (error <= 4.5 * (share * (1 - share) / draws).sqrt() + 1e-5).all(), error


@settings(max_examples=200, deadline=None)
@given(
    shape=st.lists(st.integers(0, 40), min_size=0, max_size=3),
    bits=st.sampled_from(BITS),
    group_size=st.sampled_from((8, 64, 256)),
    exponent=st.integers(-44, 35),
    offset=st.sampled_from((0.0, 1.0, -300.0)),
    seed=st.integers(0, 1000),
)
def test_a_value_comes_back_within_one_step(shape, bits, group_size, exponent, offset, seed) -> None:
    quantiser = Quantiser(bits, group_size)
    tensor = (torch.randn(shape, generator=seeded(seed)) + offset) * 10.0**exponent
    packed = quantiser.pack(tensor, seeded(seed))
    back = quantiser.unpack(packed)
    assert back.shape == tensor.shape
    assert packed.nbytes == quantiser.nbytes(tensor.numel())
    steps = packed.step.repeat_interleave(group_size, 0).view(-1)[: tensor.numel()].view(shape)
    rounding = 4 * torch.finfo(torch.float32).eps * tensor.abs().max().item() if tensor.numel() else 0.0
    assert ((back - tensor).abs() <= steps * 1.0001 + rounding + 1e-42).all()


@pytest.mark.parametrize("bits", BITS)
def test_a_groups_ends_and_constants_come_back_exactly(bits) -> None:
    constant = torch.full((3, 300), 0.1)
    assert torch.equal(there_and_back(constant, Quantiser(bits)), constant)
    ends = torch.tensor([-1.0, 2.0] * 128).repeat(4000)  # the highest code and the highest noise meet once in 65,536
    assert torch.equal(there_and_back(ends, Quantiser(bits)), ends)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_in_any_layout_keeps_its_dtype_and_order(dtype) -> None:
    tensor = torch.randn(7, 50, 6, generator=seeded()).to(dtype).transpose(0, 2)[:, ::2]
    back = there_and_back(tensor, Quantiser(8))
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert (back - tensor).abs().max() < 0.05


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("others", [0.0, 1.0])
def test_a_broken_value_comes_back_as_nan_and_its_neighbours_in_other_groups_as_they_were(bits, broken, others) -> None:
    tensor = torch.full((600,), others)
    tensor[300] = broken
    back = there_and_back(tensor, Quantiser(bits))
    assert back[256:512].isnan().all()
    assert torch.equal(back[:256], tensor[:256])
    assert torch.equal(back[512:], tensor[512:])


def test_a_range_beyond_float32_is_lost_not_wrong() -> None:
    assert there_and_back(torch.tensor([-3e38, 3e38] * 128), Quantiser(4)).isnan().all()


def test_bits_depend_on_the_given_generator_alone() -> None:
    tensor = torch.randn(1000, generator=seeded())
    torch.manual_seed(1)
    first = there_and_back(tensor, Quantiser(4), seed=5)
    state = torch.get_rng_state()
    again = there_and_back(tensor, Quantiser(4), seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, there_and_back(tensor, Quantiser(4), seed=6))


@pytest.mark.parametrize(("bits", "group_size"), [(3, 256), (16, 256), (4, 0), (4, 12)])
def test_other_widths_are_refused(bits, group_size) -> None:
    with pytest.raises(ValueError, match="is"):
        Quantiser(bits, group_size)


# --- around a forward pass


class Squares(nn.Module):
    """Saves, in turn, views of one tensor, then tensors that take the freed place of earlier ones."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, 64))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs * self.weight
        return (hidden * hidden.t().contiguous().t()).tanh().exp().sin()


def quantised(*layers: nn.Module, bits: int = 8, seed: int = 0) -> QuantisedActivations:
    own = [tensor for layer in layers for tensor in (*layer.parameters(), *layer.buffers())]
    return QuantisedActivations(layers, Quantiser(bits), own, seeded(seed))


def inputs_of(rows: int = 64) -> torch.Tensor:
    return torch.randn(rows, 64, generator=seeded(3)).requires_grad_()


def test_memory_that_is_freed_and_taken_again_is_not_taken_for_the_old() -> None:
    layer, inputs = Squares(), inputs_of()
    layer(inputs).sum().backward()
    exact = layer.weight.grad.clone()
    layer.weight.grad = None
    with quantised(layer):
        output = layer(inputs)
    output.sum().backward()
    assert 0 < (layer.weight.grad - exact).norm() / exact.norm() < 0.05


def test_views_of_one_tensor_are_packed_once() -> None:
    class Shared(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            hidden = inputs + 1
            return hidden.exp() * 0 + hidden * hidden.view(32, 128).view(64, 64) + (hidden.t() @ hidden.clone())

    context = quantised(Shared())
    with context:
        output = context.layers[0](inputs_of())
    assert len(context.saved_tensors.packed) == 3  # exp's own output, hidden, and its clone
    del output


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_slices_and_expanded_tensors_come_back_in_place(dtype) -> None:
    class Fused(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            left, right = inputs.clone().chunk(2, dim=1)
            row = inputs.sum(0, keepdim=True).expand(64, 64)[:, 32:]
            return left * right * row.tanh()

    layer, inputs = Fused(), torch.randn(64, 64, generator=seeded(3)).to(dtype).requires_grad_()
    layer(inputs).sum().backward()
    exact, inputs.grad = inputs.grad, None
    context = quantised(layer)
    with context:
        output = layer(inputs)
    assert context.saved_tensors.packed
    output.sum().backward()
    assert 0 < ((inputs.grad - exact).norm() / exact.norm()).item() < 0.05


LEFT_ALONE = {
    "no gradient": lambda inputs: inputs.detach().exp() * inputs,
    "integers": lambda inputs: inputs[:, torch.arange(64).flip(0)],
    "complex": lambda inputs: torch.view_as_complex(inputs.view(64, 32, 2)).exp().real,
    "smaller as floats": lambda inputs: inputs[0, :3].exp(),
    "empty": lambda inputs: inputs[:0].exp(),
}


@pytest.mark.parametrize("kind", LEFT_ALONE)
def test_what_is_left_alone(kind) -> None:
    class Layer(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return LEFT_ALONE[kind](inputs)

    layer, inputs, again = Layer(), inputs_of(), inputs_of()
    layer(inputs).sum().backward()
    context = quantised(layer)
    with context:
        output = layer(again)
    assert context.saved_tensors.exact
    assert not context.saved_tensors.packed
    output.sum().backward()
    assert torch.equal(inputs.grad, again.grad)


def test_a_tensor_changed_between_two_uses_is_packed_in_both_versions() -> None:
    class InPlace(nn.Module):
        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            values = weight.detach().clone().requires_grad_() * 1
            first = values * weight
            values.mul_(-3)
            return first + values * weight

    weight, layer = inputs_of(), InPlace()
    with quantised(layer):
        layer(weight).sum().backward()
    assert torch.allclose(weight.grad, -2 * weight.detach(), atol=0.1)


def test_an_exact_tensor_changed_before_backward_is_noticed() -> None:
    layer, inputs = nn.Linear(64, 64), inputs_of()
    with quantised(layer):
        output = layer(inputs)
    with torch.no_grad():
        layer.weight.mul_(2)
    with pytest.raises(RuntimeError, match="in place"):
        output.sum().backward()


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_broken_activation_breaks_the_gradient(broken) -> None:
    """tanh hides an infinity, but what is saved of it must not come back as a plausible number."""

    class Product(nn.Module):
        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return left * right

    left, right, layer = inputs_of(), inputs_of(), Product()
    with torch.no_grad():
        left[3, 3] = broken
    with quantised(layer):
        layer(left, right).sum().backward()
    assert right.grad[3, 3].isnan()


def test_only_the_graph_owns_what_is_packed() -> None:
    context = quantised(Squares())
    with context:
        output = context.layers[0](inputs_of())
        assert context.saved_tensors.packed
        del output
        assert not context.saved_tensors.packed
        assert not context.saved_tensors.exact


class Failing(nn.Module):
    def __init__(self, error: type[BaseException] | None) -> None:
        super().__init__()
        self.inner = nn.Linear(64, 64)
        self.error = error

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.inner(inputs).tanh()
        if self.error:
            raise self.error
        return hidden.exp()


def packs(context: QuantisedActivations) -> bool:
    """Whether something saved now, outside any layer, is still packed."""
    before = len(context.saved_tensors.packed)
    output = inputs_of().exp()
    return len(context.saved_tensors.packed) > before and output.requires_grad


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("nested", [False, True])
def test_nothing_is_left_behind_by_an_error(error, nested) -> None:
    layer = Failing(error)
    layers = (layer, layer.inner) if nested else (layer,)
    context = quantised(*layers)
    with pytest.raises(error), context:
        layer(inputs_of())
    assert not packs(context)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in layers)


def test_an_error_caught_inside_ends_its_layer() -> None:
    layer = Failing(RuntimeError)
    context = quantised(layer, layer.inner)
    with context:
        with pytest.raises(RuntimeError):
            layer(inputs_of())
        assert not packs(context)


def test_a_hook_that_fails_before_ours_does_not_end_the_layer_around_it() -> None:
    class Catching(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            with pytest.raises(RuntimeError):
                self.inner(inputs)
            return inputs.exp()

    def fail(*_) -> None:
        raise RuntimeError

    inner = Failing(None)
    inner.register_forward_pre_hook(fail)
    context = quantised(Catching(inner), inner)
    with context:
        output = context.layers[0](inputs_of())
    assert len(context.saved_tensors.packed) == 1
    assert not packs(context)
    del output


def test_a_layer_within_a_layer_is_packed_and_what_follows_it_too() -> None:
    layer = Failing(None)
    context = quantised(layer, layer.inner)
    with context:
        output = layer(inputs_of())
        assert not packs(context)
    assert len(context.saved_tensors.packed) == 3  # the input of the linear, tanh's and exp's outputs
    del output
