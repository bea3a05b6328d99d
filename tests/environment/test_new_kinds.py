"""A kind of link or of availability is one file: here each is a class of this module, and a line in its registry."""

import json
from pathlib import Path
from typing import Literal

import jsonschema
import numpy as np
import pytest
import yaml
from pydantic import Field

from fedray.arrays import Floats
from fedray.environment.availability import AVAILABILITIES, AvailabilitySection
from fedray.environment.links import LINKS, Mbps, SteadyLink
from fedray.environment.members import Members
from fedray.environment.windows import ALWAYS, OnlineWindows
from fedray.experiment.sections import scenario_schema
from fedray.scenario import load_scenario
from fedray.scenario.source import show
from fedray.sections import FilePath, Positive, SectionError


class RelayLink(SteadyLink):
    """A link by relays: the device at place i of its group is i hops away, each of which halves the bandwidth."""

    kind: Literal["relay"] = Field(description="A link by relays.")
    first_mbps: Mbps = Field(description="Bandwidth without a hop, 1e6 bits per second.")
    most_hops: Positive = Field(3, description="Hops of the farthest devices.")

    @property
    def nominal_mbps(self) -> float:
        return self.first_mbps

    def bandwidths(self, members: Members, round_: int) -> Floats:
        hops = np.minimum(np.arange(members.count), self.most_hops)
        return np.repeat(self.first_mbps / 2.0**hops, 2).reshape(-1, 2)


class Timetable(AvailabilitySection):
    """All devices are online from one second of a day to another, which a file names."""

    kind: Literal["timetable"] = Field(description="A timetable in a file.")
    table: FilePath | None = Field(None, description="A file of two numbers, relative to the scenario; null: always.")

    def windows(self, members: Members) -> tuple[OnlineWindows, ...]:
        if self.table is None:
            return (ALWAYS,) * members.count
        try:
            start, end = map(float, Path(self.table).read_text().split())
        except (OSError, ValueError):
            raise SectionError("table", "a file of two numbers") from None
        return (OnlineWindows(86_400.0, np.array([start]), np.array([end])),) * members.count


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LINKS, "relay", RelayLink)
    monkeypatch.setitem(AVAILABILITIES, "timetable", Timetable)


def written(folder: Path, link: str = "{kind: relay, first_mbps: 8.0}", table: str = "hours.txt") -> Path:
    """Four boards whose links and availability are of the new kinds; no data, so that nothing is trained."""
    (folder / "hours.txt").write_text("600 7200\n")
    path = folder / "mine.yaml"
    path.write_text(f"""schema_version: 1
task: {{dataset: {{kind: none}}}}
fleet:
  groups:
  - {{profile: jetson-tx2, count: 3}}
  - profile: jetson-tx2
    count: 1
    link: {link}
  link: {{kind: relay, first_mbps: 16.0, most_hops: 1, latency_ms: 0.0}}
  availability: {{kind: timetable, table: {table}}}
""")
    return path


@pytest.mark.model
def test_a_new_kind_is_validated_and_planned(fedray, tmp_path: Path) -> None:
    """By hand: 8e-6 * bytes / (Mb/s), 10 ms of latency where it is not given."""
    path = written(tmp_path)
    assert fedray("validate", path).code == 0

    devices = json.loads(fedray("plan", path, "--json").out)["devices"]

    mbps, latency = np.array([16.0, 8.0, 8.0, 8.0]), np.array([0.0, 0.0, 0.0, 0.01])
    expected = latency + 8e-6 * np.array([device["bytes_up"] for device in devices]) / mbps
    assert [device["upload_seconds"] for device in devices] == pytest.approx(expected.tolist())


@pytest.mark.model
def test_a_file_of_a_new_kind_is_relative_to_the_scenario(fedray, tmp_path: Path) -> None:
    loaded = load_scenario(written(tmp_path))
    assert loaded.scenario.fleet.availability == Timetable(kind="timetable", table=str(tmp_path / "hours.txt"))

    said = fedray("validate", written(tmp_path, table="lost.txt"))

    assert said.code == 2
    assert said.err.strip() == (
        f"{tmp_path}/mine.yaml:10: fleet.availability.table: "
        f"given {show(f'{tmp_path}/lost.txt')}; allowed: a file of two numbers"
    )


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("{kind: relai, first_mbps: 8}", "given kind: 'relai' (did you mean 'relay'?); allowed: kind: constant | "),
        ("{kind: relay, first_mpbs: 8}", "unknown key (did you mean 'first_mbps'?); allowed: latency_ms, loss, kind"),
        ("{kind: relay, first_mbps: -1}", "given -1; allowed: a number ≥ 0.001 and ≤ 1000000"),
    ],
)
def test_errors_of_a_new_kind_name_their_place(link: str, said: str, fedray, tmp_path: Path) -> None:
    result = fedray("validate", written(tmp_path, link))
    assert result.code == 2
    assert f"{tmp_path}/mine.yaml:8: fleet.groups.1.link" in result.err
    assert said in result.err


def test_a_new_kind_is_in_the_schema_and_in_the_resolved_scenario(tmp_path: Path) -> None:
    path = written(tmp_path)
    jsonschema.validate(yaml.safe_load(path.read_text()), scenario_schema())
    assert scenario_schema()["$defs"]["RelayLink"]["properties"]["most_hops"]["default"] == 3

    loaded = load_scenario(path)
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(loaded.to_yaml())
    assert yaml.safe_load(loaded.to_yaml())["fleet"]["groups"][1]["link"]["most_hops"] == 3
    assert load_scenario(resolved).scenario == loaded.scenario


def test_what_is_no_longer_registered_is_unknown(fedray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LINKS, "relay")
    assert "given kind: 'relay'; allowed: kind: constant | " in fedray("validate", written(tmp_path)).err
