"""How updates in flight are kept in a checkpoint: their arrays as tensors, the rest as plain JSON data."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from fedray.emulation import InFlightUpdates, Schedule
from fedray.imports import ImportTargetError, import_target
from fedray.protocol import Assignment, LocalHook, Outcome, ServerState
from fedray.scenario.schema import Corruption

_ASSIGNMENTS = TypeAdapter(tuple[Assignment, ...], config=ConfigDict(arbitrary_types_allowed=True))
_CORRUPTIONS = TypeAdapter(dict[int, Corruption])
_COLUMNS = [
    column.name for column in fields(Schedule) if column.name not in ("round_seconds", "outcomes", "corruptions")
]


def in_flight_tensors(in_flight: InFlightUpdates | None) -> dict[str, NDArray[Any]]:
    """Every array by name: the columns of the schedule, when updates end, and the values of each version."""
    if in_flight is None:
        return {}
    columns = {f"in_flight.{name}": getattr(in_flight.schedule, name) for name in _COLUMNS}
    values = {f"version.{version}": base.values for version, base in in_flight.bases.items()}
    return {**columns, "in_flight.ends": in_flight.ends, **values}


def in_flight_facts(in_flight: InFlightUpdates | None) -> dict[str, Any] | None:
    """Everything that is not an array, as plain JSON data; None if nothing is in flight."""
    if in_flight is None:
        return None
    return {
        "assignments": _ASSIGNMENTS.dump_python(_without_hooks(in_flight.assignments), mode="json"),
        "hooks": [_hook_facts(assignment.hook) for assignment in in_flight.assignments],
        "outcomes": [outcome.value for outcome in in_flight.schedule.outcomes],
        "corruptions": _CORRUPTIONS.dump_python(dict(in_flight.schedule.corruptions), mode="json"),
        "versions": sorted(in_flight.bases),
    }


def load_in_flight(
    facts: dict[str, Any] | None, tensors: Mapping[str, NDArray[Any]], state: ServerState
) -> InFlightUpdates | None:
    """The updates in flight of a checkpoint whose server state is `state`; None if there were none.

    Raises
    ------
    KeyError, ValueError
        if something is missing or wrong.
    """
    if facts is None:
        return None
    schedule = Schedule(
        **{name: tensors[f"in_flight.{name}"] for name in _COLUMNS},
        round_seconds=0.0,
        outcomes=tuple(Outcome(value) for value in facts["outcomes"]),
        corruptions=_CORRUPTIONS.validate_python(facts["corruptions"]),
    )
    plain = _ASSIGNMENTS.validate_python(facts["assignments"])
    hooks = [_load_hook(hook) for hook in facts.get("hooks", [None] * len(plain))]
    assignments = tuple(replace(one, hook=hook) for one, hook in zip(plain, hooks, strict=True))
    bases = {int(one): ServerState(state.spec, tensors[f"version.{one}"]) for one in facts["versions"]}
    return InFlightUpdates(assignments, schedule, tensors["in_flight.ends"], bases)


def _without_hooks(assignments: Iterable[Assignment]) -> tuple[Assignment, ...]:
    return tuple(replace(assignment, hook=None) for assignment in assignments)


def _hook_facts(hook: LocalHook | None) -> dict[str, Any] | None:
    """A hook by the name of its class and its parameters."""
    if hook is None:
        return None
    kind = type(hook)
    parameters = TypeAdapter(kind).dump_python(hook, mode="json")
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "parameters": parameters}


def _load_hook(facts: dict[str, Any] | None) -> LocalHook | None:
    """ValueError if the class is not found here, or is no hook."""
    if facts is None:
        return None
    try:
        kind = import_target(facts["class"])
    except ImportTargetError as error:
        raise ValueError(str(error)) from None
    if not (isinstance(kind, type) and issubclass(kind, LocalHook)):
        raise ValueError(f"{facts['class']} is not a local hook")
    hook: LocalHook = TypeAdapter(kind).validate_python(facts["parameters"])
    return hook
