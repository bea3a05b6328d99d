"""What is under way between two rounds, and how it is kept in a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from numpy.typing import NDArray
from pydantic import TypeAdapter

from fedray.emulation import InFlightUpdates, Outcome, Schedule
from fedray.protocol import Assignment, ServerState
from fedray.scenario.schema import Corruption

_ASSIGNMENTS = TypeAdapter(tuple[Assignment, ...])
_CORRUPTIONS = TypeAdapter(dict[int, Corruption])


@dataclass(frozen=True)
class Sky:
    """InFlightUpdates, and the server states that they started from, by version; empty between rounds in lockstep."""

    flights: InFlightUpdates | None = None
    versions: Mapping[int, ServerState] = field(default_factory=dict)

    @property
    def busy(self) -> list[int]:
        """Devices under way."""
        return [one.device for one in self.flights.assignments] if self.flights else []

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Every array of it, by name: the columns of the schedule, when flights end, and each version's values."""
        if self.flights is None:
            return {}
        columns = {f"flights.{name}": getattr(self.flights.schedule, name) for name in _COLUMNS}
        values = {f"version.{version}": state.values for version, state in self.versions.items()}
        return {**columns, "flights.ends": self.flights.ends, **values}

    def facts(self) -> dict[str, Any] | None:
        """What is not an array, as plain JSON data; None if nothing is under way."""
        if self.flights is None:
            return None
        return {
            "assignments": _ASSIGNMENTS.dump_python(self.flights.assignments, mode="json"),
            "outcomes": [outcome.value for outcome in self.flights.schedule.outcomes],
            "corruptions": _CORRUPTIONS.dump_python(dict(self.flights.schedule.corruptions), mode="json"),
            "versions": sorted(self.versions),
        }

    @staticmethod
    def of(facts: dict[str, Any] | None, tensors: Mapping[str, NDArray[Any]], state: ServerState) -> "Sky":
        """The sky of a checkpoint whose state this is; KeyError or ValueError if something is missing or wrong."""
        if facts is None:
            return Sky()
        schedule = Schedule(
            **{name: tensors[f"flights.{name}"] for name in _COLUMNS},
            round_seconds=0.0,
            outcomes=tuple(Outcome(value) for value in facts["outcomes"]),
            corruptions=_CORRUPTIONS.validate_python(facts["corruptions"]),
        )
        assignments = _ASSIGNMENTS.validate_python(facts["assignments"])
        versions = {int(one): ServerState(state.spec, tensors[f"version.{one}"]) for one in facts["versions"]}
        return Sky(InFlightUpdates(assignments, schedule, tensors["flights.ends"]), versions)


_COLUMNS = [
    column.name for column in fields(Schedule) if column.name not in ("round_seconds", "outcomes", "corruptions")
]
