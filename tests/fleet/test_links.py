"""The links of a fleet: what is drawn, what is lost, what changes inside a transfer."""

import json
from pathlib import Path

import numpy as np
import pytest

from fedray.errors import UserError
from fedray.fleet import build_fleet

DEVICES = np.arange(40)
MEGABYTE = np.full(40, 1_000_000)


def fleet_with(scenario, link: str, seed: int = 3, count: int = 40):
    groups = f"[{{profile: jetson-tx2, count: {count}}}]"
    return build_fleet(scenario(f"schema_version: 1\nseed: {seed}\nfleet: {{groups: {groups}, link: {link}}}\n"))


def test_losses_take_their_share_of_the_goodput(scenario) -> None:
    link = "{kind: constant, down_mbps: 8, up_mbps: 4, latency_ms: 100, loss: 0.2}"
    truth = fleet_with(scenario, link).conditions(1)
    assert truth.down.transfer_seconds(DEVICES, MEGABYTE, np.zeros(40)) == pytest.approx(0.1 + 1 / 0.8)
    assert truth.up.transfer_seconds(DEVICES, MEGABYTE, np.zeros(40)) == pytest.approx(0.1 + 2 / 0.8)


def test_lognormal_bandwidth_has_its_median_and_spread(scenario) -> None:
    fleet = fleet_with(scenario, "{kind: lognormal, median_mbps: 6, spread: 0.5, up_share: 0.25}", count=4000)
    down, up = fleet.conditions(1).down.mbps, fleet.conditions(1).up.mbps
    assert np.median(down) == pytest.approx(6, rel=0.05)
    assert np.median(up) == pytest.approx(1.5, rel=0.05)
    assert np.log(down).std() == pytest.approx(0.5, rel=0.05)
    assert abs(np.corrcoef(down, up)[0, 1]) < 0.1


def test_a_markov_link_is_good_and_bad_for_as_long_as_asked(scenario) -> None:
    link = "{kind: markov, good_mbps: 10, bad_mbps: 0.5, mean_good_seconds: 30, mean_bad_seconds: 10, latency_ms: 0}"
    fleet = fleet_with(scenario, link, count=200)
    traces = [timed.trace for timed in fleet.conditions(1).down.timed if timed]
    assert np.mean([trace.mean_mbps for trace in traces]) == pytest.approx(0.75 * 10 + 0.25 * 0.5, rel=0.03)
    assert fleet.declared_mbps()[0] == pytest.approx(0.75 * 10 + 0.25 * 0.5)
    lengths = np.concatenate([np.diff(trace.seconds) for trace in traces])
    rates = np.concatenate([np.diff(trace.bits) / np.diff(trace.seconds) for trace in traces])
    assert lengths[rates > 5e6].mean() == pytest.approx(30, rel=0.05)
    assert lengths[rates < 5e6].mean() == pytest.approx(10, rel=0.05)
    begins_bad = np.mean([trace.bits[1] / trace.seconds[1] < 5e6 for trace in traces])
    assert begins_bad == pytest.approx(0.25, abs=0.1)


def test_traces_are_dealt_evenly_and_met_at_places_of_their_own(scenario, tmp_path: Path) -> None:
    series = {f"t{i}": {"dt": 1.0, "mbps": [1.0 + i] * 50 + [9.0] * 50} for i in range(4)}
    (tmp_path / "bus.json").write_text(json.dumps(series))
    fleet = fleet_with(scenario, "{kind: trace, path: bus.json, up_share: 0.5, loss: 0.5, latency_ms: 0}")
    lane = fleet.conditions(1).down
    assert len({id(timed.trace) for timed in lane.timed}) == 4
    assert len({timed.offset_seconds for timed in lane.timed}) == 40
    late = lane.transfer_seconds(DEVICES, MEGABYTE, np.full(40, 70.0))
    assert (late != lane.transfer_seconds(DEVICES, MEGABYTE, np.zeros(40))).any()
    share = {timed.share for timed in lane.timed}, {timed.share for timed in fleet.conditions(1).up.timed}
    assert share == ({0.5}, {0.25})
    again = fleet_with(scenario, "{kind: trace, path: bus.json, up_share: 0.5, loss: 0.5, latency_ms: 0}")
    other = fleet_with(scenario, "{kind: trace, path: bus.json}", seed=4)
    assert [t.offset_seconds for t in again.conditions(1).up.timed] == [t.offset_seconds for t in lane.timed]
    assert [t.offset_seconds for t in other.conditions(1).up.timed] != [t.offset_seconds for t in lane.timed]
    assert [name for name, _ in fleet.recorded] == ["t0", "t1", "t2", "t3", "presence"]


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("{kind: trace, path: nowhere.json}", "fleet.link.path.*cannot be read"),
        ("{kind: trace, path: bad.down}", "fleet.link.path.*whole number of milliseconds"),
        ("{kind: trace}", "fleet.link.*path"),
        ("{kind: markov, good_mbps: 1, bad_mbps: 3}", "bad_mbps must not exceed good_mbps"),
        ("{kind: constant, down_mbps: 1e-300, up_mbps: 1}", "down_mbps"),
        ("{kind: markov, good_mbps: 3}", "bad_mbps"),
        ("{kind: constant, down_mbps: 1, up_mbps: 1, loss: 1}", "loss"),
    ],
)
def test_a_wrong_link_is_named_with_its_place(link: str, said: str, scenario, tmp_path: Path) -> None:
    (tmp_path / "bad.down").write_text("soon\n")
    with pytest.raises(UserError, match=said) as caught:
        fleet_with(scenario, link)
    assert ":3: " in str(caught.value)


def test_a_groups_own_trace_is_relative_to_the_scenario_too(scenario, tmp_path: Path) -> None:
    (tmp_path / "a.pps").write_text("10\n")
    group = "{profile: jetson-tx2, count: 2, link: {kind: trace, path: a.pps}}"
    fleet = build_fleet(scenario(f"schema_version: 1\nfleet: {{groups: [{group}]}}\n"))
    assert fleet.declared_mbps() == pytest.approx([1.2, 1.2])


def test_cells_are_numbered_through_the_groups(scenario) -> None:
    link = "{kind: wifi, devices_per_cell: 3}"
    groups = "[{profile: jetson-tx2, count: 4}, {profile: jetson-tx2, count: 2, link: {kind: uniform, low_mbps: 1, "
    groups += "high_mbps: 2}}, {profile: raspberry-pi-5, count: 4}]"
    fleet = build_fleet(scenario(f"schema_version: 1\nfleet: {{groups: {groups}, link: {link}}}\n"))
    assert fleet.conditions(1).cells.tolist() == [0, 0, 0, 1, -1, -1, 2, 2, 2, 3]


def test_wifi_is_faster_the_nearer_the_device(scenario) -> None:
    """By hand: 2, 3 and 20 m from 1 to 19 Mb/s. Uneven distances, for even ones are the same backwards."""
    link = "{kind: wifi, low_mbps: 1, high_mbps: 19, distances_m: [2.0, 3.0, 20.0], spread: 0}"
    mbps = fleet_with(scenario, link, count=30).conditions(1).down.mbps
    assert sorted(mbps) == pytest.approx([1.0] * 10 + [18.0] * 10 + [19.0] * 10)
