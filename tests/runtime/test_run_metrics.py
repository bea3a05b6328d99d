"""What is told of a run, added up by hand."""

from math import log

import pytest

from fedray.errors import UserError
from fedray.protocol import Outcome
from fedray.results import DeviceRecord, RoundRecord, TrainedDeviceRecord
from fedray.runtime.run_metrics import RunMetrics
from fedray.telemetry.snapshot import BOUNDS, OUTCOMES
from tests.trained import trained


def record(round_: int, **more: object) -> RoundRecord:
    plain = dict(
        round=round_,
        emulated_seconds=10.0 * round_,
        round_seconds=10.0,
        mean_waiting_seconds=2.0,
        accuracy=None,
        loss=None,
        bytes_up=30,
        bytes_down=60,
        energy_joules=9.0,
        participants=3,
        dropped=1,
        rejected=1,
        groups=2,
        mean_depth=3.0,
        mean_rank=4.0,
        dropped_by={"late": 1},
        wasted_seconds=1.5,
    )
    return RoundRecord(**{**plain, **more})


def line(round_: int, id_: int, profile: str, compute: float, **more: object) -> TrainedDeviceRecord:
    plain = dict(
        id=id_,
        profile=profile,
        mode="MAXN",
        group=id_ % 2,
        depth=id_ + 1,
        ranks=(2, 6),
        quantised_layers=0,
        compute_seconds=compute,
        download_seconds=0.1,
        upload_seconds=0.3,
        waiting_seconds=1.0,
        bytes_up=10,
        bytes_down=20,
        memory_bytes=50,
        memory_limit_bytes=200,
        joules=3.0,
        fits=True,
    )
    return TrainedDeviceRecord(round_, DeviceRecord(**{**plain, **more}), 0.5, None)


HISTOGRAMS = {0: (2, 0), 1: (0, 2), 2: (2, 0)}


@pytest.fixture
def loaded(scenario):
    def load(*settings: str):
        return scenario("schema_version: 1\nfleet: {groups: [{profile: jetson-tx2, count: 3}]}\n", *settings).scenario

    return load


def two_rounds(scenario) -> RunMetrics:
    metrics = RunMetrics("run-1", scenario, HISTOGRAMS)
    metrics.add(
        record(1, accuracy=0.25, loss=2.0),
        trained([line(1, 0, "tx2", 0.2), line(1, 1, "nx", 30.0), line(1, 2, "tx2", 99.0, outcome="late")]),
    )
    metrics.add(record(2, dropped_by={"vanished": 1}), trained([line(2, 0, "tx2", 2e4), line(2, 1, "nx", 1.0)]))
    return metrics


def test_totals_by_profile_are_those_of_all_rounds_and_means_the_last_ones(loaded) -> None:
    tx2, nx = sorted(two_rounds(loaded()).snapshot({}).profiles, key=lambda one: one.profile, reverse=True)
    assert (tx2.profile, tx2.bytes_up, tx2.bytes_down, tx2.joules, tx2.devices) == ("tx2", 30, 60, 9.0, 1)
    assert (nx.devices, nx.mean_depth, nx.mean_rank) == (1, 2.0, 4.0)
    compute = tx2.phases["compute"]  # 0.2 lies in the bucket it bounds, 2e4 above all, the late 99 counts nowhere
    assert {i: count for i, count in enumerate(compute.counts) if count} == {BOUNDS.index(0.2): 1, len(BOUNDS): 1}
    assert compute.total == pytest.approx(2e4 + 0.2)


def test_what_was_evaluated_stays_until_it_is_evaluated_again(loaded) -> None:
    told = two_rounds(loaded()).snapshot({"training": 3.0})
    assert (told.round, told.accuracy, told.loss) == (2, 0.25, 2.0)
    assert told.dropped_by == {"late": 1, "vanished": 1}
    assert told.wasted_seconds == 3.0
    assert told.coordinator_seconds == {"training": 3.0}


def test_devices_keep_what_they_did_last_and_large_fleets_have_none(loaded) -> None:
    devices = {one.id: one for one in two_rounds(loaded()).snapshot({}).devices}
    assert devices[2].outcome == "late"  # it had no part in round 2
    assert devices[0].busy_seconds == pytest.approx(2e4 + 0.4)
    assert devices[0].memory_ratio == 0.25
    assert two_rounds(loaded("telemetry.device_series=2")).snapshot({}).devices == ()


def test_groups_are_told_with_the_divergence_of_their_labels(loaded) -> None:
    """Group 0 is device 0 with labels (1, 0), the fleet has (2/3, 1/3): ln(3/2)."""
    first, second = two_rounds(loaded()).snapshot({}).group_series
    assert (first.id, first.devices, first.inner_rounds) == (0, 1, 1)
    assert first.label_divergence == pytest.approx(log(1.5), abs=1e-4)
    assert second.label_divergence == pytest.approx(log(3), abs=1e-4)


def test_before_the_first_round_counters_stand_at_zero(loaded) -> None:
    told = RunMetrics("run-1", loaded(), None).snapshot({})
    assert (told.round, told.emulated_seconds, told.accuracy, told.wasted_bytes) == (0, 0.0, None, 0)


def test_an_outcome_that_no_device_can_have_is_refused(loaded) -> None:
    with pytest.raises(UserError, match="round 1, device 0: no outcome 'eaten'"):
        RunMetrics("run-1", loaded(), None).add(record(1), trained([line(1, 0, "tx2", 1.0, outcome="eaten")]))


def test_every_outcome_of_the_emulator_has_a_number() -> None:
    assert set(OUTCOMES) == {outcome.value for outcome in Outcome}
