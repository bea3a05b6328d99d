"""Both clocks compared, by hand: two devices, two rounds."""

from dataclasses import replace
from pathlib import Path

import pytest

from fedray.analysis import fidelity
from fedray.display import fidelity_tables
from fedray.errors import UserError
from fedray.results import MeasuredPhases, RunDirectory, TrainedDeviceRecord, WallClockStats, summarise
from tests.results.test_results import DEVICE, INPUTS, a_round
from tests.trained import trained

EXACT = MeasuredPhases(2.0, 1.0, 3.0, 6.0, 0, 5000)  # what DEVICE was planned to take


def both(
    folder: Path, enforced: dict[tuple[int, int], MeasuredPhases], lengths: tuple[float, float], digest: str = "abc"
) -> tuple[RunDirectory, RunDirectory]:
    """A run under each clock; devices not in `enforced` take what was planned, in rounds of 10 s."""
    virtual, wall = RunDirectory(folder / "virtual"), RunDirectory(folder / "wall")
    for directory in (virtual, wall):
        directory.create("schema_version: 1\n")
        rounds = [a_round(1, 0.4), a_round(2, 0.5)]
        if directory is wall:
            overloads = [sum(one.overloads for (of, _), one in enforced.items() if of == number) for number in (1, 2)]
            forced = [WallClockStats(1.5 * n, lengths[n - 1], overloads[n - 1]) for n in (1, 2)]
            rounds = [replace(record, enforcement=mine) for record, mine in zip(rounds, forced, strict=True)]
        for record in rounds:
            directory.append_round(record)
            lines = [
                TrainedDeviceRecord(
                    record.round,
                    replace(
                        DEVICE, id=device, memory_bytes=10, outcome=OUTCOMES.get((record.round, device), "finished")
                    ),
                    0.5,
                    None,
                    enforced.get((record.round, device), EXACT) if directory is wall else None,
                )
                for device in (0, 1, 2)
            ]
            directory.append_devices(trained(lines), 3)
        inputs = INPUTS if directory is virtual else replace(INPUTS, result_digest=digest)
        directory.write_summary(summarise(rounds, inputs, "completed"))
    return virtual, wall


OUTCOMES = {(1, 2): "late", (2, 2): "vanished"}


def test_errors_by_hand(tmp_path: Path) -> None:
    """One compute phase 20 % long, one upload 10 % short: over four each, 5 % and 2.5 % in the mean."""
    enforced = {(1, 0): replace(EXACT, compute_seconds=1.2, overloads=2), (2, 1): replace(EXACT, upload_seconds=2.7)}
    found = fidelity(*both(tmp_path, enforced, (10.0, 10.5)), bound=0.05)
    assert {phase: accord.count for phase, accord in found.phases.items()} == {
        "download": 4,
        "compute": 4,
        "upload": 4,
        "round": 2,
    }
    errors = {phase: accord.mean_error for phase, accord in found.phases.items()}
    assert errors == pytest.approx({"download": 0.0, "compute": 0.05, "upload": 0.025, "round": 0.025})
    assert found.phases["compute"].p95_error == pytest.approx(0.17)  # between the third (0) and the fourth (0.2)
    first, second = found.devices
    assert (first.device, second.device) == (0, 1)
    assert first.enforced_seconds == pytest.approx({"download": 2.0, "compute": 1.1, "upload": 3.0})
    assert (first.mean_error, second.mean_error) == pytest.approx((0.2 / 6, 0.1 / 6))
    assert (found.least_dilation, found.most_dilation, found.overloads) == (1.5, 3.0, 2)
    assert found.holds
    assert found.as_json()["holds"] is True


def test_more_than_the_bound_or_other_bits_do_not_hold(tmp_path: Path) -> None:
    runs = both(tmp_path / "slow", {}, (10.0, 11.2))
    assert not fidelity(*runs, bound=0.05).holds
    assert fidelity(*runs, bound=0.061).holds
    other = fidelity(*both(tmp_path / "other", {}, (10.0, 10.0), digest="abd"), bound=0.05)
    assert not other.same_digest
    assert not other.holds


def test_a_run_of_the_virtual_clock_enforces_nothing(tmp_path: Path) -> None:
    virtual, _ = both(tmp_path, {}, (10.0, 10.0))
    with pytest.raises(UserError, match="under the wall clock"):
        fidelity(virtual, virtual, 0.05)


def test_tables_say_what_does_not_hold(tmp_path: Path) -> None:
    from io import StringIO

    from rich.console import Console

    found = fidelity(*both(tmp_path, {}, (10.0, 12.0), digest="abd"), bound=0.05)
    page = StringIO()
    for part in fidelity_tables(found):
        Console(file=page, width=140).print(part)
    for words in ("10.00%", "1.50 to 3.00 wall seconds", "NOT equal", "at most 5.0%: NOT kept", "jetson-tx2"):
        assert words in page.getvalue()
