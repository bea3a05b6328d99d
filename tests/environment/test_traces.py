"""How long bytes take through recorded bandwidth: by hand, against brute force, against the recordings themselves."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.environment.recordings import RecordingError
from fedray.environment.traces import of_packets, of_rates, read_traces

FADING = of_rates(np.array([1.0, 2.0, 1.0]), np.array([8.0, 0.0, 4.0]))  # 12 Mb in 4 s


@pytest.mark.parametrize(
    ("megabytes", "start", "seconds"),
    [
        (0.5, 0.0, 0.5),
        (1.0, 0.0, 1.0),
        (1.0, 0.5, 2.5 + 1.0),  # half before the fade, two seconds of it, half after it
        (0.5, 1.0, 2.0 + 1.0),  # begins with the fade
        (0.5, 2.5, 0.5 + 1.0),  # begins inside it
        (1.5, 0.0, 4.0),  # a whole lap, not the idle time after it
        (3.0, 1.0, 8.0),  # two laps
        (1.0, 400.5, 3.5),  # the hundredth lap is like the first
        (0.0, 1.0, 0.0),
    ],
)
def test_a_transfer_by_hand(megabytes: float, start: float, seconds: float) -> None:
    assert FADING.transfer_seconds(8e6 * megabytes, start) == pytest.approx(seconds)


def test_packets_pass_whole_and_only_at_their_milliseconds() -> None:
    trace = of_packets(np.array([0.0, 5.0, 5.0, 40.0]))
    packet = 12_000
    assert trace.transfer_seconds(packet, 0.0) == pytest.approx(0.0)
    assert trace.transfer_seconds(packet, 0.001) == pytest.approx(0.004)
    assert trace.transfer_seconds(2 * packet, 0.005) == pytest.approx(0.0)
    assert trace.transfer_seconds(3 * packet, 0.005) == pytest.approx(0.035)
    assert trace.transfer_seconds(3 * packet + 1, 0.005) == pytest.approx(0.035)  # the next lap begins with a packet
    assert trace.transfer_seconds(5 * packet, 0.005) == pytest.approx(0.040)
    assert trace.transfer_seconds(4 * 10**9 * packet, 0.0) == pytest.approx(0.04 * 10**9)  # laps are not walked


@given(
    pieces=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), min_size=1, max_size=8),
    start=st.integers(0, 50),
    bits=st.integers(1, 100),
)
def test_a_transfer_ends_when_its_bits_have_passed(pieces, start, bits) -> None:
    """Oracle: walking the trace second by second, in whole numbers."""
    if not any(rate for _, rate in pieces):
        return
    rates = [rate for seconds, rate in pieces for _ in range(seconds)]
    left, now = bits, start
    while left > rates[now % len(rates)]:
        left -= rates[now % len(rates)]
        now += 1
    expected = now + left / rates[now % len(rates)] - start
    seconds, mbps = (np.array(column, np.float64) for column in zip(*pieces, strict=True))
    assert of_rates(seconds, mbps).transfer_seconds(1e6 * bits, float(start)) == pytest.approx(expected)


def test_two_directions_are_paired_by_name(tmp_path: Path) -> None:
    (tmp_path / "city.down").write_text("1\n2\n3\n")
    with gzip.open(tmp_path / "city.up.gz", "wt") as up:
        up.write("3\n")
    (tmp_path / "tram.json").write_text(json.dumps({"tram": {"dt": 1.0, "mbps": [2.0, 4.0]}}))
    (tmp_path / "NOTES.txt").write_text("not a trace")
    city, tram = read_traces(tmp_path)
    assert (city.name, city.down.mean_mbps, city.up.mean_mbps) == ("city", pytest.approx(12.0), pytest.approx(4.0))
    assert tram.down is tram.up
    assert tram.up.mean_mbps == 3.0
    (alone,) = read_traces(tmp_path / "city.down")
    assert alone.sha256 == city.sha256 != tram.sha256


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.down", "1\nx\n", "a.down:2: .*whole number of milliseconds"),
        ("a.down", "5\n1\n", "ascend"),
        ("a.down", "", "ascend"),
        ("a.down", "0\n", "end above"),
        ("a.json", "[1]", "a series is"),
        ("a.json", '{"t": {"dt": 1, "mbps": [0, 0]}}', "not all 0"),
        ("a.json", '{"t": {"dt": 1, "mbps": [1, -1]}}', "rates from 0"),
        ("a.json", '{"t": {"dt": 0, "mbps": [1]}}', "dt above 0"),
        ("a.json", '{"t": {"dt": 1, "mbps": [NaN]}}', "rates from 0"),
        ("a.json", '{"t": {"dt": 1, "mbps": [1e308, 1]}}', "to 1,000,000"),
        ("a.json", '{"t": {"dt": 1, "mbps": ["1", 2]}}', "as numbers"),
        ("a.json.gz", "no gzip", "cannot be read"),
    ],
)
def test_what_is_no_trace_is_named(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(RecordingError, match=said):
            read_traces(path)


@pytest.mark.parametrize("name", ["none.down", "none/none.down", "none/none.json"])
def test_a_file_that_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        read_traces(tmp_path / name)


def test_a_folder_without_traces_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds no traces"):
        read_traces(tmp_path)


def test_packet_traces_and_their_binned_series_agree(shared: Path) -> None:
    """Oracle: the recordings, once as packets and once in seconds; a 4 MB transfer from many starts."""
    traces = shared / "traces"
    binned = {pair.name: pair for pair in read_traces(traces / "mahimahi_cellular_1s.json.gz")}
    for name in ("Verizon-LTE-short", "ATT-LTE-driving-2016"):
        (packets,) = read_traces(traces / f"{name}.down.gz")
        assert packets.name == name
        starts = np.linspace(0.0, 90.0, 19)
        for one, other in ((packets.down, binned[name].down), (packets.up, binned[name].up)):
            assert one.mean_mbps == pytest.approx(other.mean_mbps, rel=0.02)
            exact = np.array([one.transfer_seconds(32e6, start) for start in starts])
            coarse = np.array([other.transfer_seconds(32e6, start) for start in starts])
            assert np.median(np.abs(coarse - exact)) < 0.5
