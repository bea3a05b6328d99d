"""What a run was asked to do: which runs are one experiment under other seeds, and whether settings are comparable."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedray.methods import method_defaults
from fedray.results import RunDirectory
from fedray.scenario import Scenario, load_scenario

ASIDE = ("name", "seed", "runtime", "telemetry", "tuning")  # a seed repeats an experiment, the others change no result
SETTING = ("task", "fleet", "model", "costs", "training")  # what two methods must share to be comparable
LENGTH = ("training.rounds", "training.stop")  # but for how long they ran


@dataclass(frozen=True)
class StopRule:
    """The score at which a run was told to stop, and for how many evaluations in a row it had to hold."""

    target: float
    hold: int


@dataclass(frozen=True)
class Settings:
    """The scenario of a run without what is aside, flat: dotted key to value, lists by index.

    `defaults` are those of the method's own parameters, by the same keys; `tuned` are the keys whose values
    `fedray tune` chose for the method.
    """

    seed: int
    method: str
    values: Mapping[str, Any]
    defaults: Mapping[str, Any]
    stop: StopRule | None = None
    tuned: tuple[str, ...] = ()

    def section(self, name: str) -> dict[str, Any]:
        """The values below a top-level key."""
        mine = (key for key in self.values if key == name or key.startswith(f"{name}."))
        return {key: self.values[key] for key in mine if not key.startswith(LENGTH)}


def settings_of(run: RunDirectory, method: str) -> Settings:
    """What scenario.yaml of a run says; `method` is the one it ran. UserError if there is no valid one."""
    return flattened(load_scenario(run.scenario).scenario, method)


def flattened(scenario: Scenario, method: str) -> Settings:
    """The settings of a scenario whose method is named so; parameters it leaves out are the method's defaults."""
    data = scenario.model_dump(mode="json", exclude=set(ASIDE))
    defaults = dict(flat({"method": method_defaults(method)}))
    stop = scenario.training.stop
    rule = StopRule(stop.target, stop.hold) if stop.target is not None else None
    tuned = scenario.tuning.keys if scenario.tuning else ()
    return Settings(scenario.seed, method, {**defaults, **dict(flat(data))}, defaults, rule, tuned)


def differing_sections(runs: Sequence[Settings]) -> tuple[str, ...]:
    """The sections in which runs differ that should only differ in their method and in what was tuned for it."""
    return tuple(name for name in SETTING if any(_section_differs(run, runs[0], name) for run in runs))


def both_tuned(row: Settings, other: Settings, key: str) -> bool:
    """Whether both values of a key were tuned, each for its method."""
    return row.method != other.method and key in row.tuned and key in other.tuned


def _section_differs(run: Settings, other: Settings, name: str) -> bool:
    here, there = run.section(name), other.section(name)
    keys = here.keys() | there.keys()
    return any(here.get(key) != there.get(key) for key in keys if not both_tuned(run, other, key))


def flat(data: Any, key: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (plain YAML data of any shape)
    """Dotted key and value of everything in nested data; an empty collection is a value."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else None
    if not items:
        yield key, data
        return
    for name, value in items:
        yield from flat(value, f"{key}.{name}" if key else str(name))
