"""A scenario means the same wherever and however it is written."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.experiment.sections import resolved, scenario_schema
from fedray.learning.tasks import task_section
from fedray.methods import method_section
from fedray.scenario import ScenarioError, load_scenario
from fedray.scenario.overrides import setting_words
from fedray.scenario.source import parse_source
from tests.conftest import SCENARIOS


def test_the_resolved_scenario_loads_to_an_equal_one(scenario, tmp_path: Path) -> None:
    text = "schema_version: 1\nfleet: {groups: [{profile: jetson-tx2, count: 3}]}\nmethod: {name: legend}\n"
    loaded = resolved(scenario(text))
    again = tmp_path / "again.yaml"
    again.write_text(loaded.to_yaml())
    assert resolved(load_scenario(again)).scenario == loaded.scenario


def test_without_groups_the_fleet_is_the_legend_testbed(scenario) -> None:
    groups = scenario().scenario.fleet.groups
    assert [(group.profile, group.count) for group in groups] == [
        ("jetson-tx2", 30),
        ("jetson-xavier-nx", 40),
        ("jetson-agx-xavier", 10),
    ]


def test_settings_override_the_file(scenario) -> None:
    text = "schema_version: 1\nfleet:\n  groups:\n    - {profile: jetson-tx2, count: 3}\n"
    loaded = scenario(text, "fleet.groups.0.count=8", "method.name=legend", "training.optimiser.learning_rate=2e-4")
    assert loaded.scenario.fleet.groups[0].count == 8
    assert loaded.scenario.training.optimiser.learning_rate == 2e-4
    assert method_section(loaded).name == "legend"


def test_paths_are_relative_to_the_file_or_to_the_working_directory(scenario, tmp_path: Path) -> None:
    text = "schema_version: 1\ntask: {dataset: {kind: files, data_dir: here, train: a.csv, test: b.csv}}\n"
    written = task_section(scenario(text)).dataset
    assert written.data_dir == str(tmp_path / "here")
    assert task_section(scenario(text, "task.dataset.data_dir=there")).dataset.data_dir == str(Path.cwd() / "there")


def test_task_none_is_short_for_no_data(scenario) -> None:
    assert task_section(scenario("schema_version: 1\ntask: none\n")).dataset.kind == "none"


@pytest.mark.parametrize("path", sorted(SCENARIOS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_ready_scenarios_load_and_point_editors_to_the_schema(path: Path) -> None:
    resolved(load_scenario(path))
    schema = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == SCENARIOS / "scenario.schema.json"


def test_the_schema_file_is_what_the_command_prints() -> None:
    assert json.loads((SCENARIOS / "scenario.schema.json").read_text()) == scenario_schema()


def test_a_mapping_is_the_scenario_of_the_same_yaml(scenario) -> None:
    text = "schema_version: 1\nfleet: {groups: [{profile: jetson-tx2, count: 3}]}\nmethod: {name: legend, rank: 4}\n"
    written = {
        "schema_version": np.int64(1),
        "fleet": {"groups": ({"profile": "jetson-tx2", "count": 3},)},
        "method": {"name": "legend", "rank": 4},
    }
    assert load_scenario(written).scenario == scenario(text).scenario
    assert written["fleet"] == {"groups": ({"profile": "jetson-tx2", "count": 3},)}


def test_overrides_of_a_mapping_are_those_of_words(scenario, tmp_path: Path) -> None:
    text = "schema_version: 1\nfleet: {groups: [{profile: jetson-tx2, count: 3}]}\n"
    words = ("training.optimiser.learning_rate=1e-5", "fleet.groups.0.count=8", "fleet.battery=null", "name=a.b")
    values = {
        "training.optimiser.learning_rate": 1e-5,
        "fleet.groups.0.count": 8,
        "fleet.battery": None,
        "name": "a.b",
    }
    expected = scenario(text, *words).scenario
    assert load_scenario(tmp_path / "scenario.yaml", values).scenario == expected
    assert load_scenario(tmp_path / "scenario.yaml", setting_words(values)).scenario == expected


def test_a_loaded_scenario_can_be_changed_and_keeps_its_places(scenario) -> None:
    loaded = scenario("schema_version: 1\nname: a\ntraining: {participants: 70}\n", "seed=3")
    changed = load_scenario(loaded, {"training.rounds": 9})
    assert (changed.scenario.seed, changed.scenario.training.rounds) == (3, 9)
    with pytest.raises(
        ScenarioError, match=r"scenario\.yaml:3: training\.participants: given 70; allowed: all, or at most 5"
    ):
        load_scenario(loaded, {"fleet.groups": [{"profile": "jetson-tx2", "count": 5}]})


def test_paths_of_a_mapping_and_of_overrides_start_at_the_working_directory(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "boards").mkdir()
    monkeypatch.chdir(tmp_path)
    written = {"schema_version": 1, "fleet": {"catalogue": Path("boards")}}
    assert load_scenario(written).scenario.fleet.catalogue == str(tmp_path / "boards")
    (tmp_path / "boards" / "s.yaml").write_text("schema_version: 1\n")
    changed = load_scenario(Path("boards/s.yaml"), {"fleet.catalogue": "boards"})
    assert changed.scenario.fleet.catalogue == str(tmp_path / "boards")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"schema_version": 1, "seed": {1, 2}}, r"scenario: seed: given \{1, 2\}; allowed: mappings, lists, text"),
        ({"schema_version": 1, "fleet": {1: 2}}, r"scenario: fleet: given the key 1; allowed: text"),
        ({"schema_version": 1, "training": {"rounds": 0}}, r"scenario: training\.rounds: given 0; allowed: an integer"),
        ({"schema_version": 1, "seed": float("nan")}, r"scenario: seed: given nan"),
    ],
)
def test_python_data_that_no_yaml_says_is_refused_by_its_key(written, said) -> None:
    with pytest.raises(ScenarioError, match=said):
        load_scenario(written)


def test_a_mapping_that_contains_itself_is_refused() -> None:
    written: dict = {"schema_version": 1}
    written["fleet"] = written
    with pytest.raises(ScenarioError, match="nested too deeply"):
        load_scenario(written)


@pytest.mark.parametrize("key", ["", "training..rounds", 3])
def test_an_override_needs_a_dotted_key(key) -> None:
    with pytest.raises(ScenarioError, match="expected a dotted key"):
        load_scenario(None, {key: 1})


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text("ab c:#"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
        max_leaves=12,
    )
)
def test_plain_data_survives_reading(value) -> None:
    """Oracle: JSON is YAML, and the json module knows what it says."""
    text = json.dumps({"value": value})
    assert parse_source("test", text).data == json.loads(text)


@given(st.text(max_size=200))
def test_any_text_is_data_or_one_plain_error(text: str) -> None:
    with contextlib.suppress(ScenarioError):
        assert isinstance(parse_source("test", text).data, dict)


def test_as_many_as_there_are_may_be_asked_for() -> None:
    all_at_once = ("training.participants=80", "training.schedule={kind: buffered, buffer: 80}")
    assert load_scenario(None, all_at_once).scenario.participant_count == 80
    assert load_scenario(None, ("topology.groups=80",)).scenario.topology.groups == 80
