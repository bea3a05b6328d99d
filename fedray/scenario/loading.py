"""From a file and `--set` words to a scenario whose paths are absolute, so that it means the same anywhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fedray.environment.availability import AVAILABILITIES
from fedray.environment.links import LINKS
from fedray.scenario.overrides import Overrides, apply_overrides, is_override
from fedray.scenario.plain import plain_data
from fedray.scenario.schema import Buffered, Scenario
from fedray.scenario.source import Key, Source, parse_source, read_source
from fedray.scenario.validation import Elsewhere, nowhere, validate
from fedray.sections import Section, file_keys

MODEL_KEYS: tuple[Key, ...] = (("model", "backbone"), ("costs", "twin", "backbone"))  # a folder, or a name
PATH_KEYS: tuple[Key, ...] = (
    ("task", "dataset", "data_dir"),
    ("fleet", "catalogue"),
    *MODEL_KEYS,
)
KINDS: Mapping[str, Mapping[str, type[Section]]] = {"link": LINKS, "availability": AVAILABILITIES}  # in fleet or group


@dataclass(frozen=True)
class LoadedScenario:
    """A valid scenario and the source that names the place of each of its values."""

    scenario: Scenario
    source: Source

    def to_yaml(self) -> str:
        """The resolved scenario: every default written out, paths absolute; loads to an equal scenario."""
        return yaml.safe_dump(self.scenario.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def with_max_length(self, tokens: int) -> "LoadedScenario":
        """The scenario with `task.max_length` as a number: `tokens`, where it is `auto`."""
        task = self.scenario.task
        if task.max_length != "auto":
            return self
        cut = task.model_copy(update={"max_length": tokens})
        return LoadedScenario(self.scenario.model_copy(update={"task": cut}), self.source)


Origin = Path | Mapping[str, Any] | LoadedScenario | None  # a file, its content, a scenario to change, or all defaults


def load_scenario(origin: Origin, overrides: Overrides = (), elsewhere: Elsewhere = nowhere) -> LoadedScenario:
    """Load, override, resolve paths and validate; without an origin every value is its default.

    Relative paths written in a file are relative to the file; those of overrides and of Python data, to the working
    directory. `elsewhere` gives, when a key is unknown, the keys of sections that the schema leaves open.
    """
    source, folder = _read(origin)
    source = apply_overrides(source, overrides)
    for key in (*PATH_KEYS, *_recordings(source.data)):
        _make_absolute(source, key, folder)
    scenario = validate(Scenario, source.data, source, elsewhere=elsewhere)
    _check_counts(scenario, source)
    _check_seed(scenario, source)
    return LoadedScenario(scenario, source)


def _read(origin: Origin) -> tuple[Source, Path]:
    """The source of a scenario, and the folder that its relative paths start from."""
    if isinstance(origin, LoadedScenario):
        return origin.source, Path()
    if isinstance(origin, Path):
        return read_source(origin), origin.parent
    if origin is None:
        return parse_source("defaults", "schema_version: 1"), Path()
    return Source("scenario", plain_data(origin, "scenario"), {}), Path()


def _check_counts(scenario: Scenario, source: Source) -> None:
    """ScenarioError if more devices are asked for than there are."""
    training, devices, asked = scenario.training, scenario.device_count, scenario.participant_count
    if training.participants != "all" and training.participants > devices:
        allowed = f"all, or at most {devices:,}, the devices of the fleet"
        raise source.error(("training", "participants"), training.participants, allowed)
    if isinstance(training.schedule, Buffered) and training.schedule.buffer > asked:
        allowed = f"at most {asked:,}, the devices in flight at a time"
        raise source.error(("training", "schedule", "buffer"), training.schedule.buffer, allowed)
    if scenario.topology.groups is not None and scenario.topology.groups > asked:
        raise source.error(
            ("topology", "groups"), scenario.topology.groups, f"at most {asked:,}, the devices of a round"
        )


def _check_seed(scenario: Scenario, source: Source) -> None:
    """ScenarioError for a seed that tuning chose the scenario's values with: its score would be too good."""
    if scenario.tuning is not None and scenario.seed in scenario.tuning.seeds:
        used = ", ".join(map(str, scenario.tuning.seeds))
        raise source.error(("seed",), scenario.seed, f"any but {used}: the values were tuned with it (tuning.seeds)")


def _recordings(data: Mapping[str, Any]) -> Iterator[Key]:
    """Where the links and availabilities of the fleet and of its groups name files."""
    fleet = data.get("fleet")
    groups = fleet.get("groups") if isinstance(fleet, dict) else None
    holders: list[tuple[Key, object]] = [(("fleet",), fleet)]
    if isinstance(groups, list):
        holders += [(("fleet", "groups", index), group) for index, group in enumerate(groups)]
    for key, holder in holders:
        for name, kinds in KINDS.items():
            section = holder.get(name) if isinstance(holder, dict) else None
            kind = section.get("kind") if isinstance(section, dict) else None
            if isinstance(kind, str) and kind in kinds:
                yield from ((*key, name, file) for file in file_keys(kinds[kind]))


def _make_absolute(source: Source, key: Key, folder: Path) -> None:
    here: Any = source.data
    for part in key[:-1]:
        if isinstance(here, list) and isinstance(part, int):
            here = here[part]
        else:
            here = here.get(part) if isinstance(here, dict) else None
    if key[-1] == "data_dir" and isinstance(here, dict) and here.get("kind") == "files":
        here.setdefault("data_dir", ".")
    written = here.get(key[-1]) if isinstance(here, dict) else None
    if isinstance(written, str) and (key not in MODEL_KEYS or written.startswith((".", "/", "~"))):
        base = Path.cwd() if is_override(source.place(key)) else folder
        here[key[-1]] = str((base / Path(written).expanduser()).resolve())
