"""Every method in whole runs of real training: the same bits on any number of hosts, also after an interruption."""

import json
from pathlib import Path

import pytest

from fedray.adapters import AdapterSpec
from fedray.errors import RunInterruptedError
from fedray.experiment.experiment import prepare
from fedray.learning.backbone import find_backbone
from fedray.protocol import Quantisation
from fedray.results import RunDirectory
from fedray.scenario import load_scenario
from tests.ray_session import Watching, write_board

SLOW = pytest.mark.slow
METHODS = [
    "{name: fedara, rank: 4, final_rank: 1.0, warmup: 0.0, final: 0.0}",
    "{name: hierfedlora, rank: 4, groups: 2, depth_gain: 0.1, drift: 1.0}",
    "{name: hetlora, rank: 6, min_rank: 2, prune: 0.5}",
    "{name: fedquad, rank: 4}",
    "{name: fedsvd, rank: 4}",
    "{name: fedadapter, rank: 4, first_rank: 2}",
]


@SLOW
@pytest.mark.parametrize("method", METHODS)
def test_a_method_gives_the_same_bits_on_more_hosts_and_after_an_interruption(method, run) -> None:
    def interrupt(record) -> None:
        if record.round == 2:
            raise KeyboardInterrupt

    whole = run(f"method={method}", "runtime.hosts=3", name="whole")
    with pytest.raises(RunInterruptedError):
        run(f"method={method}", name="broken", watching=Watching(interrupt))
    again = run(f"method={method}", name="broken", resume=True)
    assert again.result_digest == whole.result_digest
    assert (again.bytes_up, again.emulated_seconds) == (whole.bytes_up, whole.emulated_seconds)
    assert again.updates_rejected == 0


def device_lines(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "devices.jsonl").read_text().splitlines()]


@SLOW
def test_groups_change_nothing_until_they_aggregate_on_their_own(run, tmp_path: Path) -> None:
    """One aggregation at the end is the same sum in any grouping; two inner ones are another algorithm."""
    flat = run("method={name: fedit, rank: 4}", "training.rounds=1", name="flat")
    grouped = run("method={name: fedit, rank: 4}", "training.rounds=1", "topology={groups: 3}", name="grouped")
    twice = "topology={groups: 3, inner_rounds: 2}"
    often = run("method={name: fedit, rank: 4}", "training.rounds=1", twice, "runtime.hosts=2", name="often")
    assert grouped.result_digest == flat.result_digest
    assert grouped.emulated_seconds == flat.emulated_seconds
    assert often.result_digest != flat.result_digest
    assert often.bytes_up == 2 * flat.bytes_up
    assert {line["inner_rounds"] for line in device_lines(tmp_path / "often")} == {2}
    assert len({line["group"] for line in device_lines(tmp_path / "often")}) == 3


@SLOW
def test_a_group_of_one_that_aggregates_often_trains_as_if_alone_with_a_fresh_optimiser(run) -> None:
    """Oracle: of one device, two rounds of one step are a round of two inner rounds of one step each."""
    alone = "fleet.groups=[{profile: jetson-tx2, count: 1}]"
    inner = run(alone, "training={rounds: 1, local_steps: 2, batch_size: 4}", "topology={groups: 1, inner_rounds: 2}")
    assert inner.bytes_up == 2 * inner.bytes_down // 2
    plain = run(alone, "training={rounds: 1, local_steps: 2, batch_size: 4}", name="plain")
    assert inner.result_digest != plain.result_digest  # AdamW starts anew after an aggregation
    assert inner.bytes_up == 2 * plain.bytes_up


def test_a_methods_multiplier_is_for_the_lora_rate_alone(small_scenario: Path) -> None:
    rates = "training.optimiser={learning_rate: 0.002, head_learning_rate: 0.03}"
    method = "method={name: fedsvd, rank: 4, learning_rate_multiplier: 3.0}"
    experiment = prepare(load_scenario(small_scenario, [method, rates]))
    assets = experiment.assets(experiment.build_method().adapter())
    assert assets is not None
    assert (assets.optimiser.learning_rate, assets.optimiser.head_learning_rate) == (pytest.approx(0.006), 0.03)
    assert experiment.scenario.training.optimiser.learning_rate == 0.002


@SLOW
def test_fedquad_fits_where_floats_would_not_and_learns_as_well(run, small_scenario: Path, tmp_path: Path) -> None:
    loaded = load_scenario(small_scenario, ["method={name: fedquad, rank: 4}"])
    pricing = prepare(loaded).pricing
    both = AdapterSpec((4, 4), (0, 1), 4.0)
    one = pricing.work(both.deepest(1), 2).memory_bytes
    half = pricing.work(both, 2, Quantisation((0,), 4, 256)).memory_bytes
    assert find_backbone(loaded, 3).shape.layers == 2
    boards = tmp_path / "boards"
    boards.mkdir()
    room = (one + half) / 2 / 2**30  # one layer in floats; both layers only if both are quantised
    write_board(boards, "small", gb=room)
    link = "fleet.link={kind: constant, down_mbps: 10.0, up_mbps: 10.0}"
    fleet = (f"fleet.catalogue={boards}", "fleet.groups=[{profile: small, count: 6}]", "training.rounds=1", link)
    packed = run("method={name: fedquad, rank: 4}", *fleet, name="packed")
    again = run("method={name: fedquad, rank: 4}", *fleet, "runtime.hosts=3", name="again")
    assert again.result_digest == packed.result_digest  # the rounding's noise too comes from seeds alone
    run("method={name: fedquad, rank: 4, quantise: none}", *fleet, name="floats")
    lines = device_lines(tmp_path / "packed")
    assert {(line["depth"], line["quantised_layers"]) for line in lines} == {(2, 2)}
    assert all(line["fits"] and line["memory_bytes"] <= line["memory_limit_bytes"] for line in lines)
    assert {line["depth"] for line in device_lines(tmp_path / "floats")} == {1}
    assert packed.updates_rejected == 0
    more = "fleet.groups=[{profile: jetson-tx2, count: 6}]"
    plain = run("method={name: fedit, rank: 4}", more, "training.rounds=1", name="plain")
    losses = [RunDirectory(tmp_path / name).rounds()[-1].loss for name in ("packed", "plain")]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert packed.result_digest != plain.result_digest


@SLOW
def test_fedara_sends_less_every_round_and_leaves_an_adapter_that_peft_loads(run, tmp_path: Path) -> None:
    from peft import PeftModel

    from fedray.learning.classifier import load_classifier

    run("method={name: fedara, rank: 4, final_rank: 0.5, warmup: 0.0, final: 0.0}", "training.rounds=3")
    records = RunDirectory(tmp_path / "run").rounds()
    assert records[0].bytes_up > records[1].bytes_up > records[2].bytes_up
    assert records[1].bytes_down < records[0].bytes_down
    config = json.loads((tmp_path / "run" / "adapter" / "adapter_config.json").read_text())
    assert sum(config["rank_pattern"].values()) == 2  # half a triplet for each of four modules
    model = PeftModel.from_pretrained(
        load_classifier(config["base_model_name_or_path"], 3), str(tmp_path / "run" / "adapter")
    )
    assert sum("lora_A" in name for name, _ in model.named_parameters()) == len(config["rank_pattern"])


@SLOW
def test_a_cost_twin_changes_prices_and_no_bit_of_training(run) -> None:
    twin = "costs={twin: {backbone: roberta-base, batch_size: 16, max_length: 128, local_steps: 20}}"
    method = "method={name: fedit, rank: 4}"
    plain, priced = run(method, "training.rounds=1", name="plain"), run(method, "training.rounds=1", twin, name="twin")
    assert priced.result_digest == plain.result_digest
    assert (plain.twin, priced.twin) == (None, "roberta-base")
    # 12 layers, query and value of 768 x 768 at rank 4, a head of 768 x 3 + 3, six devices
    assert priced.bytes_up == 6 * 4 * (12 * 2 * 4 * 2 * 768 + 768 * 3 + 3)
    assert priced.emulated_seconds > 20 * plain.emulated_seconds
    assert priced.peak_memory_bytes > 124e6 * 4
