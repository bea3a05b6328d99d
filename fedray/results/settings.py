"""What a run was asked to do: which runs are one experiment under other seeds, and what tells experiments apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedray.results.run_directory import RunDirectory
from fedray.scenario import Scenario, load_scenario

ASIDE = ("name", "seed", "runtime", "telemetry", "tuning")  # a seed repeats an experiment, the others change no result
SETTING = ("task", "fleet", "model", "costs", "training")  # what two methods must share to be comparable
LENGTH = ("training.rounds", "training.stop")  # but for how long they ran
LONGEST_LABEL = 60  # characters; more differences than that are no longer read


@dataclass(frozen=True)
class Settings:
    """The scenario of a run without what is aside, flat: dotted key to value, lists by index.

    `tuned` are the keys whose values `fedray tune` chose for the method.
    """

    seed: int
    method: str
    values: Mapping[str, Any]
    tuned: tuple[str, ...] = ()

    def section(self, name: str) -> dict[str, Any]:
        """The values below a top-level key."""
        mine = (key for key in self.values if key == name or key.startswith(f"{name}."))
        return {key: self.values[key] for key in mine if not key.startswith(LENGTH)}


def settings_of(run: RunDirectory, method: str) -> Settings:
    """What scenario.yaml of a run says; `method` is the one it ran. UserError if there is no valid one."""
    return flattened(load_scenario(run.scenario).scenario, method)


def flattened(scenario: Scenario, method: str) -> Settings:
    """The settings of a scenario whose method is named so."""
    data = scenario.model_dump(mode="json", exclude=set(ASIDE))
    tuned = scenario.tuning.keys if scenario.tuning else ()
    return Settings(scenario.seed, method, dict(_flat(data, "")), tuned)


def labels(rows: Sequence[Settings]) -> list[str]:
    """A name for each row: its method, then every key whose value differs from another row's, save what most rows say.

    A method's parameter that another method does not have is no difference, nor is a value that was tuned for each of
    two methods. Where too much differs to be read, the name ends with an ellipsis.
    """
    usual = {
        key: value for row in rows for key, value in row.values.items() if 2 * _alike(rows, key, value) > len(rows)
    }
    names = []
    for row in rows:
        differing = [
            key
            for key, value in row.values.items()
            if key != "method.name" and any(_differ(row, other, key) for other in rows)
            if key not in usual or usual[key] != value
        ]
        words = [f"{key.removeprefix('method.')}={_word(row.values[key])}" for key in differing]
        label = " ".join([row.method, *words])
        names.append(label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 2].rstrip()} …")
    return names


def differing_sections(runs: Sequence[Settings]) -> tuple[str, ...]:
    """The sections in which runs differ that should only differ in their method and in what was tuned for it."""
    return tuple(name for name in SETTING if any(_section_differs(run, runs[0], name) for run in runs))


def _section_differs(run: Settings, other: Settings, name: str) -> bool:
    here, there = run.section(name), other.section(name)
    keys = here.keys() | there.keys()
    return any(here.get(key) != there.get(key) for key in keys if not _both_tuned(run, other, key))


def _both_tuned(row: Settings, other: Settings, key: str) -> bool:
    """Whether both values of a key were tuned, each for its method."""
    return row.method != other.method and key in row.tuned and key in other.tuned


def _alike(rows: Sequence[Settings], key: str, value: object) -> int:
    """How many rows have this value."""
    return sum(key in row.values and row.values[key] == value for row in rows)


def _differ(row: Settings, other: Settings, key: str) -> bool:
    if _both_tuned(row, other, key):
        return False
    if key in other.values:
        return bool(row.values[key] != other.values[key])
    return row.method == other.method or not key.startswith("method.")


def _flat(data: Any, key: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (plain YAML data of any shape)
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else None
    if not items:  # a plain value, or an empty collection
        yield key, data
        return
    for name, value in items:
        yield from _flat(value, f"{key}.{name}" if key else str(name))


def _word(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
