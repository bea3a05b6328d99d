"""Recorded bandwidth over time, and how long bytes take through it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fedray.arrays import Floats
from fedray.environment.recordings import RecordingError, read_text

PACKET_BYTES = 1500  # what one line of a mahimahi trace lets pass
MAX_STEP_SECONDS = 86_400.0
MAX_MBPS = 1e6
KINDS = (".down", ".up", ".pps", ".json")  # packet traces, and named series


@dataclass(frozen=True)
class Trace:
    """What has passed by when, over one period that repeats.

    `seconds` ascends from 0 to the period, `bits` is what has passed until then, both (knots,). In between it grows
    linearly; where two knots have one time, at once (a packet).
    """

    seconds: Floats
    bits: Floats

    @property
    def period(self) -> float:
        return float(self.seconds[-1])

    @property
    def mean_mbps(self) -> float:
        return 1e-6 * float(self.bits[-1]) / self.period

    def passed(self, at: float) -> float:
        """Bits until a time, counted from 0; at a packet, without it."""
        cycles, rest = divmod(at, self.period)
        place = int(np.searchsorted(self.seconds, rest, side="left"))
        return cycles * float(self.bits[-1]) + _between(self.seconds, self.bits, place, rest)

    def transferred_bits(self, start: float, seconds: float) -> float:
        """What passes in some seconds from a time on."""
        return self.passed(start + seconds) - self.passed(start)

    def transfer_seconds(self, size_bits: float, start: float) -> float:
        """Seconds that `size_bits` take from `start` on.

        Bits that start in a fade take as long as the fade lasts. Packets are counted exactly.
        """
        if size_bits <= 0:
            return 0.0
        cycles, rest = divmod(self.passed(start) + size_bits, float(self.bits[-1]))
        if rest == 0:  # the last bit of a lap passes before the idle time that follows it
            cycles, rest = cycles - 1, float(self.bits[-1])
        place = int(np.searchsorted(self.bits, rest, side="left"))
        return max(cycles * self.period + _between(self.bits, self.seconds, place, rest) - start, 0.0)


@dataclass(frozen=True)
class TracePair:
    """The two directions of a recorded link."""

    name: str
    down: Trace
    up: Trace

    @property
    def sha256(self) -> str:
        """Of all that passes when."""
        columns = (self.down.seconds, self.down.bits, self.up.seconds, self.up.bits)
        return hashlib.sha256(b"|".join(column.tobytes() for column in columns)).hexdigest()


def of_rates(seconds: Floats, mbps: Floats) -> Trace:
    """A trace of rates that each last so long; (pieces,) both."""
    knots = np.concatenate([[0.0], np.cumsum(seconds)])
    return Trace(knots, np.concatenate([[0.0], np.cumsum(1e6 * seconds * mbps)]))


def of_packets(milliseconds: Floats) -> Trace:
    """A mahimahi trace: at each of the ascending times one packet passes; the last is the period."""
    times, counts = np.unique(milliseconds / 1e3, return_counts=True)
    after = np.cumsum(counts) * float(8 * PACKET_BYTES)
    before = np.concatenate([[0.0], after[:-1]])
    jumps = np.stack([before, after], axis=1).ravel()
    return Trace(np.concatenate([[0.0], np.repeat(times, 2)]), np.concatenate([[0.0], jumps]))


def read_traces(path: Path) -> tuple[TracePair, ...]:
    """The traces of a file or of all files of a folder, ascending by name.

    X.down and X.up are the two directions of one link, in one series or as files side by side; a trace without a
    counterpart serves both directions.

    Raises
    ------
    RecordingError
        for a file that is of neither kind, an unusable number, or a folder without traces.
    """
    by_name = {name: trace for file in _files(path) for name, trace in _read(file)}
    if not by_name:
        raise RecordingError(f"{path} holds no traces")
    links = sorted({_link_name(name) for name in by_name})
    pairs = []
    for link in links:
        down = by_name.get(f"{link}.down", by_name.get(link))
        up = by_name.get(f"{link}.up", down)
        assert up is not None
        pairs.append(TracePair(link, down or up, up))
    return tuple(pairs)


def _files(path: Path) -> list[Path]:
    """A folder's files; of a file that is one direction of a link, its counterpart too."""
    if path.is_dir():
        return sorted(each for each in path.iterdir() if _bare(each).endswith(KINDS))
    link = _link_name(_bare(path))
    if link == _bare(path) or not path.is_file():
        return [path]
    return sorted(each for each in path.parent.iterdir() if _bare(each) in (f"{link}.down", f"{link}.up"))


def _bare(file: Path) -> str:
    return file.name.removesuffix(".gz")


def _link_name(name: str) -> str:
    return name.removesuffix(".down").removesuffix(".up")


def _read(file: Path) -> Iterator[tuple[str, Trace]]:
    """The named traces of one file."""
    text = read_text(file)
    if _bare(file).endswith(".json"):
        yield from _series(file, text)
        return
    try:
        times = np.array(text.split(), np.int64).astype(np.float64)
    except (ValueError, OverflowError):
        wrong = next((n for n, line in enumerate(text.splitlines(), 1) if not _whole_number(line)), 1)
        raise RecordingError(f"{file}:{wrong}: a packet trace has one whole number of milliseconds a line") from None
    if not len(times) or times[-1] <= 0 or (np.diff(times) < 0).any() or times[0] < 0:
        raise RecordingError(f"{file}: the milliseconds of a packet trace ascend from 0 and end above it")
    yield _bare(file), of_packets(times)


def _series(file: Path, text: str) -> Iterator[tuple[str, Trace]]:
    try:
        for name, series in json.loads(text).items():
            mbps, step = np.array(series["mbps"]), series["dt"]
            numbers = mbps.ndim == 1 and mbps.dtype.kind in "iuf" and isinstance(step, int | float)
            usable = numbers and ((mbps >= 0) & (mbps <= MAX_MBPS)).all() and mbps.any()
            if not usable or not 0 < step < MAX_STEP_SECONDS:
                allowed = (
                    f"rates from 0 to {MAX_MBPS:,.0f}, not all 0, and dt above 0 and below {MAX_STEP_SECONDS:,.0f}"
                )
                raise RecordingError(f"{file}: {name}: {allowed}, as numbers")
            yield name, of_rates(np.full(len(mbps), float(step)), mbps.astype(np.float64))
    except RecordingError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise RecordingError(f'{file}: a series is {{"name": {{"dt": seconds, "mbps": [numbers]}}, ...}}') from None


def _whole_number(line: str) -> bool:
    return not line.strip() or (line.strip().isascii() and line.strip().isdigit())


def _between(along: Floats, values: Floats, place: int, at: float) -> float:
    """Linear interpolation before knot `place`, the first that is not below `at`."""
    if place == 0:
        return float(values[0])
    before, after = along[place - 1], along[place]
    return float(values[place - 1] + (at - before) / (after - before) * (values[place] - values[place - 1]))
