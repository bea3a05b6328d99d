"""What hosts send back, put together by hand."""

from dataclasses import replace

from fedray.results import DeviceRecord, MeasuredPhases
from fedray.results.round_devices import round_devices
from fedray.runtime.execution.messages import DeviceResult, RoundResult, combine_inner_rounds, merge_results

BOARD = DeviceRecord(0, "tx2", "MAXN", 0, 2, (4, 4), 0, 1.0, 0.1, 0.2, 0.0, 10, 20, 50, 100, 3.0, True)


def test_inner_rounds_of_a_device_are_one_result() -> None:
    """Losses 3 and 1 have the mean 2; a refusal in the first counts, the measurement is the last one."""
    first = RoundResult({}, {7: DeviceResult(7, 3.0, (1.0,), "not-finite"), 8: DeviceResult(8, 5.0)})
    second = RoundResult({}, {7: DeviceResult(7, 1.0, (2.0,))})
    combined = combine_inner_rounds([first, second])
    assert combined.devices == {7: DeviceResult(7, 2.0, (2.0,), "not-finite"), 8: DeviceResult(8, 5.0)}
    assert combined.rejected == [7]


def test_an_inner_round_begins_on_the_wall_when_the_slowest_has_ended_the_one_before() -> None:
    """Device 1 ends its second part 2 s after device 2, the slowest, ended the first at 9 s."""
    fast, slow = (MeasuredPhases(1.0, 2.0, 1.0, end, 1, size) for end, size in ((4.0, 5), (9.0, 6)))
    first = RoundResult({}, {1: DeviceResult(1, enforced=fast), 2: DeviceResult(2, enforced=slow)})
    second = RoundResult({}, {1: DeviceResult(1, enforced=replace(fast, end_seconds=2.0))})
    combined = combine_inner_rounds([first, second])
    assert combined.devices[1].enforced == MeasuredPhases(2.0, 4.0, 2.0, 11.0, 2, 5)
    assert combined.devices[2].enforced == slow


def test_results_stand_beside_their_devices_in_any_order() -> None:
    """Device 4 was not carried out, device 9 lost its loss to an overflow."""
    results = [
        RoundResult({}, {9: DeviceResult(9, float("inf"))}),
        RoundResult({}, {2: DeviceResult(2, 0.5, (), "shape")}),
    ]
    devices = round_devices(1, [replace(BOARD, id=number) for number in (9, 2, 4)])
    trained = merge_results(results).trained(devices)
    assert devices.id.tolist() == [2, 4, 9]
    assert (trained.loss, trained.rejected) == ((0.5, None, None), ("shape", None, None))
