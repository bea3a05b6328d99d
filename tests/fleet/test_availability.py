"""When devices are online, and what goes wrong with them."""

import json
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.environment.windows import ALWAYS, OnlineWindows, of_switches
from fedray.errors import UserError
from fedray.fleet import Fleet, FleetState, build_fleet
from fedray.fleet.faults import round_faults
from fedray.scenario.schema import Corruption, Faults
from fedray.scenario.schema.faults import Crash, Slowdown

OVERNIGHT = OnlineWindows(24.0, np.array([9.0, 22.0]), np.array([10.0, 30.0]))  # 9 to 10, and 22 to 6


@pytest.mark.parametrize(
    ("at", "until", "comes"),
    [(9.5, 10.0, 9.5), (10.0, 10.0, 22.0), (23.0, 30.0, 23.0), (3.0, 6.0, 3.0), (6.0, 6.0, 9.0), (51.0, 54.0, 51.0)],
)
def test_spells_by_hand(at: float, until: float, comes: float) -> None:
    assert OVERNIGHT.online_until(at) == until
    assert OVERNIGHT.next_online(at) == comes


def test_always_and_never() -> None:
    never = OnlineWindows(24.0, np.zeros(0), np.zeros(0))
    assert (ALWAYS.online_until(1e6), ALWAYS.next_online(1e6)) == (inf, 1e6)
    assert (never.online_until(3.0), never.next_online(3.0)) == (3.0, inf)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), min_size=1, max_size=8), st.integers(0, 100))
def test_spells_say_what_the_switches_say(states, at) -> None:
    """Oracle: a table of seconds."""
    online, seconds = zip(*states, strict=True)
    table = [on for on, length in states for _ in range(length)]
    windows = of_switches(float(len(table)), np.array(online), np.array(seconds, np.float64))
    now = at
    while now < at + 2 * len(table) and table[now % len(table)]:
        now += 1
    assert windows.online_until(float(at)) == (inf if all(table) else now)
    while now < at + 2 * len(table) and not table[now % len(table)]:
        now += 1
    assert windows.next_online(float(at)) == (at if table[at % len(table)] else now if any(table) else inf)


def fleet_of(scenario, availability: str, count: int = 400, seed: int = 1) -> Fleet:
    groups = f"[{{profile: jetson-tx2, count: {count}}}]"
    text = f"schema_version: 1\nseed: {seed}\nfleet: {{groups: {groups}, availability: {availability}}}\n"
    return build_fleet(scenario(text))


def online(fleet: Fleet, at: float) -> list[int]:
    return fleet.available(fleet.batteries.charged(fleet.first_state(), at), np.arange(len(fleet))).tolist()


def share_online(fleet: Fleet, at: float) -> float:
    return len(online(fleet, at)) / len(fleet)


@pytest.mark.parametrize(
    ("availability", "share"),
    [
        ("{kind: always}", 1.0),
        ("{kind: bernoulli, share: 0.3}", 0.3),
        ("{kind: onoff, mean_on_seconds: 300, mean_off_seconds: 900}", 0.25),
    ],
)
def test_so_many_are_online_at_any_time(availability: str, share: float, scenario) -> None:
    fleet = fleet_of(scenario, availability)
    for at in (0.0, 5000.0, 200_000.0):
        assert share_online(fleet, at) == pytest.approx(share, abs=0.08)
    again, other = fleet_of(scenario, availability), fleet_of(scenario, availability, seed=2)
    assert online(fleet, 5000.0) == online(again, 5000.0)
    assert share == 1.0 or online(fleet, 5000.0) != online(other, 5000.0)


def test_on_and_off_last_as_long_as_asked(scenario) -> None:
    fleet = fleet_of(scenario, "{kind: onoff, mean_on_seconds: 300, mean_off_seconds: 900}")
    lengths = np.concatenate([windows.ends - windows.starts for windows in fleet.presence])
    gaps = np.concatenate([windows.starts[1:] - windows.ends[:-1] for windows in fleet.presence])
    assert lengths.mean() == pytest.approx(300, rel=0.03)
    assert gaps.mean() == pytest.approx(900, rel=0.03)


def test_nights_go_round_the_zones(scenario) -> None:
    """The run begins at noon in zone 0; half of the devices live 12 hours to the east, where it is midnight."""
    words = "from_hour: 22, hours: 8, spread_hours: 0.5, time_zones: [0, 12], start_hour: 12"
    fleet = fleet_of(scenario, f"{{kind: diurnal, {words}}}")
    east = np.arange(1, 400, 2)
    assert set(online(fleet, 0.0)) == set(east.tolist())
    at_two_in_the_morning = 14 * 3600.0
    assert set(online(fleet, at_two_in_the_morning)) == set(np.arange(0, 400, 2).tolist())
    assert share_online(fleet, 8 * 3600.0) == 0
    opening = fleet.next_start(FleetState(8 * 3600.0, fleet.first_state().charge), np.arange(400))
    assert opening.seconds > 8 * 3600.0
    assert online(fleet, opening.seconds)


def test_recorded_presence_is_dealt_and_repeats(scenario, tmp_path: Path) -> None:
    phones = {
        "a": {"duration": 100, "active": [10, 60], "inactive": [30, 80]},
        "b": {"duration": 200, "active": [150], "inactive": [50]},  # there from the start, and again from 150
    }
    (tmp_path / "phones.json").write_text(json.dumps(phones))
    fleet = fleet_of(scenario, "{kind: trace, path: phones.json}")
    assert sorted({windows.period for windows in fleet.presence}) == [100.0, 200.0]
    assert share_online(fleet, 12_345.0) == pytest.approx((0.4 + 0.5) / 2, abs=0.08)
    for windows in fleet.presence:
        online = np.mean([windows.online_until(float(at)) > at for at in range(int(windows.period))])
        assert online == pytest.approx(0.4 if windows.period == 100 else 0.5, abs=0.02)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "no device's presence"),
        ('{"a": {"duration": 10, "active": [20], "inactive": []}}', "lies within it"),
        ('{"a": {"active": [1]}}', "expected is"),
        ("[]", "expected is"),
    ],
)
def test_a_wrong_recording_is_named(text: str, said: str, scenario, tmp_path: Path) -> None:
    (tmp_path / "phones.json").write_text(text)
    with pytest.raises(UserError, match=f"fleet.availability.path.*{said}"):
        fleet_of(scenario, "{kind: trace, path: phones.json}")


@given(st.floats(0.1, 1e5), st.floats(0, 1), st.floats(0.01, 0.9), st.floats(0, 1e8))
def test_who_comes_is_there(period: float, starts: float, lasts: float, at: float) -> None:
    """However the sums of periods are rounded."""
    windows = OnlineWindows(period, np.array([starts * period]), np.array([(starts + lasts) * period]))
    comes = windows.next_online(at)
    assert comes >= at
    assert windows.online_until(comes) > comes


BATTERY = "{capacity_wh: 10, charging_watts: 6, reserve_share: 0.5, start_share: 0.25}"


def battery_fleet(scenario, battery: str = BATTERY) -> Fleet:
    groups = "[{profile: jetson-tx2, count: 2}, {profile: jetson-tx2, count: 1, battery: {capacity_wh: 1}}]"
    return build_fleet(scenario(f"schema_version: 1\nfleet: {{groups: {groups}, battery: {battery}}}\n"))


def test_batteries_by_hand(scenario) -> None:
    """10 Wh are 36 kJ: from a quarter to the half that is the reserve, 9 kJ at 6 W, take 1,500 s."""
    fleet = battery_fleet(scenario)
    first = fleet.first_state()
    assert first.charge.tolist() == [9000, 9000, 3600]
    all_devices = np.arange(3)
    assert fleet.available(first, all_devices).tolist() == [2]
    assert fleet.next_start(first, all_devices).seconds == 0
    later = fleet.next_start(first, np.array([0, 1]))
    assert later.seconds == pytest.approx(1500)
    assert fleet.available(later, all_devices).tolist() == [0, 1, 2]
    after = fleet.batteries.after(later, 100.0, np.array([0, 2]), np.array([600.0, 3000.0]))
    assert after.seconds == pytest.approx(1600)
    assert after.charge == pytest.approx([18_000, 18_600, 600])
    emptied = fleet.batteries.after(later, 1e5, np.array([2]), np.array([1e9]))
    assert emptied.charge.tolist() == [36_000, 36_000, 0]
    assert fleet.batteries.charged(after, 1e6).charge == pytest.approx([36_000, 36_000, 600])


def test_when_nothing_charges_them_there_is_no_next_round(scenario) -> None:
    fleet = battery_fleet(scenario, "{capacity_wh: 10, reserve_share: 0.5, start_share: 0.25}")
    assert fleet.next_start(fleet.first_state(), np.array([0, 1])) is None


FAULTS = Faults(
    dropout=0.2,
    upload_lost=0.1,
    slowdown=Slowdown(share=0.3, factor=4.0),
    crash=Crash(share=0.05, reboot_seconds=9.0),
    corruption=Corruption(share=0.15, kind="stale"),
)


def test_faults_strike_as_often_as_asked_and_anew_every_round() -> None:
    drawn = round_faults(FAULTS, 1, 0, 20_000, 3)
    assert (~np.isnan(drawn.vanishes_at)).mean() == pytest.approx(0.2, abs=0.01)
    assert np.nanmean(drawn.vanishes_at) == pytest.approx(0.5, abs=0.01)
    assert drawn.upload_lost.mean() == pytest.approx(0.1, abs=0.01)
    assert (drawn.slowed_by == 4.0).mean() == pytest.approx(0.3, abs=0.01)
    assert (drawn.slowed_by == 1.0).mean() == pytest.approx(0.7, abs=0.01)
    assert (drawn.reboot_seconds == 9.0).mean() == pytest.approx(0.05, abs=0.01)
    assert np.mean([corruption is not None for corruption in drawn.corruptions]) == pytest.approx(0.15, abs=0.01)
    struck = np.array([~np.isnan(drawn.vanishes_at), drawn.upload_lost, drawn.slowed_by > 1, drawn.reboot_seconds > 0])
    assert np.abs(np.corrcoef(struck) - np.eye(4)).max() < 0.03  # one has nothing to do with another
    assert (drawn.upload_lost != round_faults(FAULTS, 1, 0, 20_000, 4).upload_lost).any()
    assert (drawn.upload_lost == round_faults(FAULTS, 1, 0, 20_000, 3).upload_lost).all()


def test_one_fault_more_leaves_the_others_where_they_were() -> None:
    some = round_faults(Faults(dropout=0.2), 1, 0, 500, 3)
    more = round_faults(FAULTS, 1, 0, 500, 3)
    assert np.array_equal(some.vanishes_at, more.vanishes_at, equal_nan=True)
    assert not some.upload_lost.any()
