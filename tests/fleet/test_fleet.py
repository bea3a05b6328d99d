"""Who the devices are, and what is true of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from fedray.errors import UserError
from fedray.fleet import build_fleet, load_catalogue

TESTBED = "schema_version: 1\nseed: 3\n"


def test_the_default_fleet_is_the_legend_testbed(scenario) -> None:
    fleet = build_fleet(scenario(TESTBED))
    names = [device.profile.name for device in fleet.devices]
    assert [names.count(name) for name in ("jetson-tx2", "jetson-xavier-nx", "jetson-agx-xavier")] == [30, 40, 10]
    assert [device.id for device in fleet.devices] == list(range(80))


def test_modes_are_drawn_per_device_and_again_every_20_rounds(scenario) -> None:
    fleet = build_fleet(scenario(TESTBED))
    drawn = {round_: fleet.conditions(round_).modes for round_ in (1, 20, 21, 40, 41)}
    assert drawn[1] == drawn[20] != drawn[21] == drawn[40] != drawn[41]
    assert len(set(drawn[1][:30])) == 4  # every TX2 mode occurs


def test_bandwidth_varies_every_round_between_1_and_30(scenario) -> None:
    fleet = build_fleet(scenario(TESTBED))
    first, second = fleet.conditions(1), fleet.conditions(2)
    assert (first.down_mbps != second.down_mbps).mean() > 0.7  # the farthest often sit at the bound
    both = np.concatenate([first.down_mbps, first.up_mbps, second.down_mbps])
    assert both.min() >= 1
    assert both.max() <= 30
    assert (first.latency_seconds == 0.005).all()


def test_four_distances_are_dealt_evenly(scenario) -> None:
    text = TESTBED + "fleet:\n  groups: [{profile: jetson-tx2, count: 40}]\n  link: {kind: wifi, spread: 0.0}\n"
    speeds, counts = np.unique(build_fleet(scenario(text)).conditions(1).down_mbps, return_counts=True)
    assert counts.tolist() == [10, 10, 10, 10]
    assert speeds.tolist() == pytest.approx([1.0, 1 + 29 / 3, 1 + 58 / 3, 30.0])


def test_everything_follows_from_the_seed(scenario) -> None:
    fleets = [build_fleet(scenario(f"schema_version: 1\nseed: {seed}\n")) for seed in (3, 3, 4)]
    same, again, other = (fleet.conditions(7) for fleet in fleets)
    assert same.modes == again.modes
    assert (same.down_mbps == again.down_mbps).all()
    assert same.modes != other.modes
    assert (same.down_mbps != other.down_mbps).any()


def test_participants_are_distinct_eligible_and_new_each_round(scenario) -> None:
    fleet = build_fleet(scenario(TESTBED))
    eligible = np.arange(0, 80, 2)
    first, second = (fleet.participants(round_, 10, eligible) for round_ in (1, 2))
    assert len(set(first.tolist())) == 10
    assert set(first.tolist()) <= set(eligible.tolist())
    assert first.tolist() == sorted(first.tolist())
    assert first.tolist() != second.tolist()
    assert fleet.participants(1, 99, eligible).tolist() == eligible.tolist()


def test_every_number_of_the_catalogue_has_a_source() -> None:
    for profile in load_catalogue().profiles.values():
        assert all(len(source) > 10 for source in profile.sources.values()), profile.name
        assert profile.default_mode in profile.modes


def test_peak_throughput_agrees_with_the_collected_power_modes(shared: Path) -> None:
    """Oracle: clocks and cores collected independently of the catalogue."""
    modes = json.loads((shared / "devices" / "jetson_modes.json").read_text())
    measured = json.loads((shared / "devices" / "measured_training.json").read_text())
    processors = _numbers(measured["pigirons/cpufp@93e165ea3c"])  # GFLOP/s of boards without a GPU to train on
    known = {round(value, 2) for value in [*_numbers(modes), *(value / 1000 for value in processors)]}
    for profile in load_catalogue().profiles.values():
        for name, mode in profile.modes.items():
            assert round(mode.fp32_tflops, 2) in known, (profile.name, name)


def test_the_orin_nano_trains_below_its_measured_matrix_products(shared: Path) -> None:
    """Its share is taken over from another board; the forward products measured on this one bound it."""
    measured = json.loads((shared / "devices" / "measured_training.json").read_text())
    products = measured["branes-ai/graphs@b6c5e829c3 (PyTorch 2.8, CUDA 12.6, MIT)"]
    nano = load_catalogue().profiles["jetson-orin-nano"]
    for mode, named in {"7W": "7W", "15W_SUPER": "15W", "25W": "25W"}.items():
        reached = products[named]["fp32_gflops"] * 1e9
        assert reached / (nano.modes[mode].fp32_tflops * 1e12) == pytest.approx(0.64, abs=0.01), mode
        assert nano.flops_per_second(mode) < reached, mode


def test_the_raspberry_pi_5_takes_the_published_seconds_per_batch() -> None:
    """Oracle: ViT-base/16 trained on the board, 16 images of 14 x 14 patches and a class token a batch.

    470.386 s for 20 batches of all weights (fitted to), 165.777 s with all but the head frozen (not fitted to):
    jafermarq/federated-embedded-vision@17ecd8b098384d365b2749cd42b1e63dc557da29, README.md.
    """
    layers, hidden, tokens, images = 12, 768, 197, 16
    layer = 2 * tokens * 12 * hidden**2 + 4 * tokens**2 * hidden
    forward = images * (layers * layer + 2 * 196 * (16 * 16 * 3) * hidden)
    board = load_catalogue().profiles["raspberry-pi-5"]
    assert 3 * forward / board.flops_per_second("STOCK") == pytest.approx(470.386 / 20, rel=0.005)
    assert forward / board.flops_per_second("STOCK") == pytest.approx(165.777 / 20, rel=0.06)


def _numbers(node):
    if isinstance(node, dict):
        for value in node.values():
            yield from _numbers(value)
    elif isinstance(node, list):
        for value in node:
            yield from _numbers(value)
    elif isinstance(node, float):
        yield node


BOARD = """
name: my-board
title: A board of my own
memory_gb: 4
reserved_gb: 1
utilisation: 0.5
step_overhead_ms: 2.0
radio_watts: 1.0
default_mode: ONLY
modes: {ONLY: {fp32_tflops: 1.0, watts: 10.0}}
sources: {memory_gb: a, reserved_gb: b, utilisation: c, step_overhead_ms: d, radio_watts: e, modes: f}
"""


def test_a_new_device_type_is_one_yaml_file(scenario, tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "mine.yaml").write_text(BOARD)
    fleet = build_fleet(
        scenario("schema_version: 1\nfleet: {catalogue: boards, groups: [{profile: my-board, count: 2}]}\n")
    )
    truth = fleet.conditions(1)
    assert truth.flops_per_second.tolist() == [5e11, 5e11]
    assert truth.step_overhead_seconds.tolist() == [0.002, 0.002]
    assert truth.memory_bytes.tolist() == [3 * 2**30] * 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("utilisation: 0.5", "utilisation: 1.5"), "utilisation"),
        (("memory_gb: a, ", ""), "no source given for memory_gb"),
        (("name: my-board", "name: jetson-tx2"), "does not have yet"),
        (("default_mode: ONLY", "default_mode: OTHER"), "OTHER"),
    ],
)
def test_a_broken_device_file_is_named(change, said, scenario, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(BOARD.replace(*change))
    with pytest.raises(UserError, match=said) as caught:
        build_fleet(scenario(f"schema_version: 1\nfleet: {{catalogue: {tmp_path}}}\n"))
    assert "mine.yaml" in str(caught.value)
