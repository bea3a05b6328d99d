"""Who the devices are, and what is true of them."""

import gzip
import json
from pathlib import Path
from statistics import median

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
    drawn = {round_: fleet.modes(round_) for round_ in (1, 20, 21, 40, 41)}
    assert drawn[1] == drawn[20] != drawn[21] == drawn[40] != drawn[41]
    assert len(set(drawn[1][:30])) == 4  # every TX2 mode occurs


def test_bandwidth_varies_every_round_between_1_and_30(scenario) -> None:
    fleet = build_fleet(scenario(TESTBED))
    first, second = fleet.conditions(1), fleet.conditions(2)
    assert (first.down.mbps != second.down.mbps).mean() > 0.7  # the farthest often sit at the bound
    both = np.concatenate([first.down.mbps, first.up.mbps, second.down.mbps])
    assert both.min() >= 1
    assert both.max() <= 30
    assert (first.down.latency_seconds == 0.005).all()


def test_four_distances_are_dealt_evenly(scenario) -> None:
    text = TESTBED + "fleet:\n  groups: [{profile: jetson-tx2, count: 40}]\n  link: {kind: wifi, spread: 0.0}\n"
    speeds, counts = np.unique(build_fleet(scenario(text)).conditions(1).down.mbps, return_counts=True)
    assert counts.tolist() == [10, 10, 10, 10]
    assert speeds.tolist() == pytest.approx([1.0, 1 + 29 / 3, 1 + 58 / 3, 30.0])


def test_everything_follows_from_the_seed(scenario) -> None:
    fleets = [build_fleet(scenario(f"schema_version: 1\nseed: {seed}\n")) for seed in (3, 3, 4)]
    same, again, other = (fleet.conditions(7) for fleet in fleets)
    assert fleets[0].modes(7) == fleets[1].modes(7) != fleets[2].modes(7)
    assert (same.down.mbps == again.down.mbps).all()
    assert (same.down.mbps != other.down.mbps).any()


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
        sources = profile.board.sources | profile.family.sources
        assert all(len(source) > 10 for source in sources.values()), profile.name
        assert profile.default_mode in profile.modes


def test_every_collected_power_mode_is_in_the_catalogue_as_it_was_collected(shared: Path) -> None:
    """Oracle: clocks, cores and budgets collected independently of the catalogue, 12 modules in 54 modes."""
    collected = json.loads((shared / "devices" / "jetson_modes.json").read_text())["modes"]
    known = {
        (mode.fp32_tflops, mode.memory_gbs, mode.cpu_cores, mode.gpu_mhz, profile.board.memory_gb, mode.budget_watts)
        for profile in load_catalogue().profiles.values()
        for mode in profile.modes.values()
    }
    assert len(collected) == 54
    for mode in collected:
        given = (mode["fp32_tflops"], mode["mem_bw_gbs"], mode["cpu_cores"], mode["gpu_mhz"], mode["mem_gb"])
        assert (*given, mode["budget_w"]) in known, mode


@pytest.mark.model
def test_watts_of_the_jetsons_follow_from_clocks_and_never_pass_a_budget() -> None:
    """By the sources' formula, recomputed; what a mode does for a joule then falls with clocks, not with budgets."""
    from benchmarks.energy import LOAD_WATTS_BY_HAND, LOAD_WATTS_PER_TFLOPS, training_watts

    for profile in load_catalogue().profiles.values():
        if profile.name in LOAD_WATTS_BY_HAND or profile.board.family not in LOAD_WATTS_PER_TFLOPS:
            continue
        for name, mode in profile.modes.items():
            assert mode.watts == pytest.approx(training_watts(profile, name), abs=0.051), (profile.name, name)
            assert mode.watts <= (mode.budget_watts or 60)
    xavier = load_catalogue().profiles["jetson-agx-xavier"].modes
    assert xavier["MAXN"].watts > xavier["MODE_30W_ALL"].watts


def test_software_of_a_board_takes_its_share_of_what_the_chips_reach() -> None:
    phone = load_catalogue().profiles["phone-snapdragon-778g"]
    assert phone.board.runtime_efficiency < 0.1
    reached = phone.board.runtime_efficiency * phone.family.compute_utilisation * 144e9
    assert phone.flops_per_second("STOCK") == pytest.approx(reached)
    assert 1e9 < phone.flops_per_second("STOCK") < 10e9


def test_the_raspberry_pis_have_the_measured_peaks(shared: Path) -> None:
    measured = json.loads((shared / "devices" / "measured_training.json").read_text())["pigirons/cpufp@93e165ea3c"]
    for name, board in (("raspberry-pi-4b", "Raspberry Pi 4 "), ("raspberry-pi-5", "Raspberry Pi 5 ")):
        (found,) = (peaks["fp32"] for key, peaks in measured.items() if key.startswith(board))
        assert load_catalogue().profiles[name].modes["STOCK"].fp32_tflops * 1e3 == pytest.approx(found, rel=0.001)


def test_phones_stand_to_each_other_as_their_scores_do(shared: Path) -> None:
    phones = json.loads(gzip.decompress((shared / "devices" / "phones_ai_benchmark.json.gz").read_bytes()))
    chips = {"low": "Snapdragon 625", "mid": "Snapdragon 710", "high": "Snapdragon 845", "flagship": "Snapdragon 855"}
    scores, memories = {}, {}
    for tier, chip in chips.items():
        mine = [phone for phone in phones if phone["soc"].strip() == chip]
        scores[tier] = median(phone["cpu_float"] for phone in mine)
        memories[tier] = median(float(phone["ram"].removesuffix("GB")) for phone in mine)
    known = load_catalogue().profiles
    anchor = 16 * (2.84 + 3 * 2.42)  # GFLOP/s of four cores
    for tier in chips:
        phone = known[f"phone-{tier}"]
        expected = anchor * scores[tier] / scores["flagship"]
        assert phone.modes["STOCK"].fp32_tflops * 1e3 == pytest.approx(expected, rel=0.003)
        assert phone.board.memory_gb == memories[tier]
        assert phone.board.reserved_gb == memories[tier] / 2


BOARD = """
name: my-board
title: A board of my own
memory_gb: 4
reserved_gb: 1
family: my-chip
radio_watts: 1.0
idle_watts: 3.0
default_mode: ONLY
modes: {ONLY: {fp32_tflops: 1.0, memory_gbs: 40.0, cpu_cores: 4, watts: 10.0}}
sources: {memory_gb: a, reserved_gb: b, radio_watts: e, idle_watts: g, modes: f}
"""

FAMILY = """
families:
  my-chip:
    title: A chip of my own
    compute_utilisation: 0.5
    bandwidth_utilisation: 0.25
    launch_microseconds: 20
    sources: {compute_utilisation: a, bandwidth_utilisation: b, launch_microseconds: c}
"""


def test_a_new_device_type_is_one_yaml_file(scenario, tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "mine.yaml").write_text(BOARD)
    (tmp_path / "boards" / "families.yaml").write_text(FAMILY)
    fleet = build_fleet(
        scenario("schema_version: 1\nfleet: {catalogue: boards, groups: [{profile: my-board, count: 2}]}\n")
    )
    truth = fleet.conditions(1)
    assert truth.flops_per_second.tolist() == [5e11, 5e11]
    assert truth.bytes_per_second.tolist() == [1e10, 1e10]
    assert truth.launch_seconds.tolist() == [2e-5, 2e-5]
    assert truth.memory_bytes.tolist() == [3 * 2**30] * 2
    assert (truth.idle_watts.tolist(), truth.compute_watts.tolist()) == ([3.0, 3.0], [10.0, 10.0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("memory_gbs: 40.0", "memory_gbs: 0"), "memory_gbs"),
        (("family: my-chip", "family: voltage"), "did you mean 'volta'"),
        (("memory_gb: a, ", ""), "no source given for memory_gb"),
        (("name: my-board", "name: jetson-tx2"), "does not have yet"),
        (("default_mode: ONLY", "default_mode: OTHER"), "OTHER"),
        (("idle_watts: g, ", ""), "no source given for idle_watts"),
        (("idle_watts: 3.0", "idle_watts: 11"), "modes.ONLY.watts: given 10; allowed: at least"),
        (("watts: 10.0}", "watts: 10.0, budget_watts: 9}"), "at most the budget of 9"),
        (("idle_watts: 3.0", "idle_watts: 3.0\nruntime_efficiency: 0.5"), "no source given for runtime_efficiency"),
    ],
)
def test_a_broken_device_file_is_named(change, said, scenario, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(BOARD.replace(*change))
    (tmp_path / "families.yaml").write_text(FAMILY)
    with pytest.raises(UserError, match=said) as caught:
        build_fleet(scenario(f"schema_version: 1\nfleet: {{catalogue: {tmp_path}}}\n"))
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("compute_utilisation: 0.5", "compute_utilisation: 1.5"), "compute_utilisation"),
        (("my-chip", "ampere"), "does not have yet"),
        ((", bandwidth_utilisation: b", ""), "no source given for bandwidth_utilisation"),
    ],
)
def test_a_broken_family_is_named(change, said, scenario, tmp_path: Path) -> None:
    (tmp_path / "families.yaml").write_text(FAMILY.replace(*change))
    with pytest.raises(UserError, match=said) as caught:
        build_fleet(scenario(f"schema_version: 1\nfleet: {{catalogue: {tmp_path}}}\n"))
    assert "families.yaml" in str(caught.value)
