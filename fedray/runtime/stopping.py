"""When a run is over."""

from collections.abc import Sequence

from fedray.results import RoundRecord, reached
from fedray.scenario.schema import Training


def out_of_time(training: Training, round_: int, emulated_seconds: float) -> bool:
    """Whether a round is the last that the scenario has time for, whatever its accuracy."""
    hours = training.stop.emulated_hours
    return round_ >= training.rounds or (hours is not None and emulated_seconds >= 3600 * hours)


def is_finished(training: Training, records: Sequence[RoundRecord]) -> bool:
    """Whether the last round is done, the emulated time used up, or the target score held for long enough."""
    if not records:
        return False
    last, stop = records[-1], training.stop
    held = stop.target is not None and reached(records, stop.target, stop.hold) is not None
    return held or out_of_time(training, last.round, last.emulated_seconds)
