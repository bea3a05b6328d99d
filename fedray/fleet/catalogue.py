"""The hardware types: one YAML per board in `devices/`, one file of chip families; every number with its source.

Adding a board is adding a YAML file there, or in a folder of one's own named by `fleet.catalogue`, which may hold a
`families.yaml` of its own too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from fedray.scenario.schema import Section
from fedray.scenario.source import Key, Source, did_you_mean, read_source, show
from fedray.scenario.validation import validate

BUNDLED = Path(__file__).parent / "devices"
FAMILIES = "families.yaml"
MOST_ALIKE = 4  # profiles that one hint names


class Mode(Section):
    """A power mode of a board."""

    fp32_tflops: float = Field(gt=0, description="Peak single-precision TFLOP/s at this mode's clocks.")
    memory_gbs: float = Field(gt=0, description="Peak memory bandwidth, GB/s (1e9 bytes).")
    cpu_cores: int = Field(gt=0, description="CPU cores that are on.")
    gpu_mhz: float | None = Field(None, gt=0, description="Clock of the GPU, where one trains.")
    watts: float = Field(gt=0, description="Drawn in all while training, idle draw included; at most the budget.")
    budget_watts: float | None = Field(None, gt=0, description="The mode's cap; null: none.")

    @model_validator(mode="after")
    def _capped(self) -> "Mode":
        if self.budget_watts is not None and self.watts > self.budget_watts:
            raise ValueError(f"watts: given {self.watts:g}; allowed: at most the budget of {self.budget_watts:g}")
        return self


class Family(Section):
    """What chips of one architecture reach of their peaks in training; the same for every board that has one."""

    title: str
    compute_utilisation: float = Field(gt=0, le=1, description="Share of peak FLOP/s in large matrix products.")
    bandwidth_utilisation: float = Field(gt=0, le=1, description="Share of peak memory bandwidth in large copies.")
    launch_microseconds: float = Field(ge=0, description="What every kernel costs besides its work.")
    sources: dict[str, Annotated[str, Field(min_length=1)]]

    @model_validator(mode="after")
    def _complete(self) -> "Family":
        _require_sources(self.sources, {"compute_utilisation", "bandwidth_utilisation", "launch_microseconds"})
        return self


class Families(Section):
    """The architectures by name."""

    families: dict[str, Family] = Field(min_length=1)


class Board(Section):
    """A hardware type as its YAML has it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    family: str = Field(description="The architecture of what trains: a name of families.yaml.")
    memory_gb: float = Field(gt=0, description="GiB of memory, shared by CPU and GPU on these boards.")
    reserved_gb: float = Field(ge=0, description="GiB that training cannot have.")
    radio_watts: float = Field(ge=0, description="Drawn while sending or receiving, beside the idle draw.")
    idle_watts: float = Field(ge=0, description="Drawn while nothing is computed: in waiting and transfers.")
    runtime_efficiency: float = Field(
        1.0, gt=0, le=1, description="What the training software reaches of what the family's chips do under PyTorch."
    )
    default_mode: str
    modes: dict[str, Mode] = Field(min_length=1)
    sources: dict[str, Annotated[str, Field(min_length=1)]]

    @model_validator(mode="after")
    def _complete(self) -> "Board":
        numbers = {"memory_gb", "reserved_gb", "radio_watts", "idle_watts", "modes"}
        if self.runtime_efficiency != 1:
            numbers.add("runtime_efficiency")
        _require_sources(self.sources, numbers)
        for name, mode in self.modes.items():
            if mode.watts < self.idle_watts:
                allowed = f"at least the board's idle_watts, {self.idle_watts:g}"
                raise ValueError(f"modes.{name}.watts: given {mode.watts:g}; allowed: {allowed}")
        if self.default_mode not in self.modes:
            raise ValueError(f"default_mode {self.default_mode!r} is not among the modes")
        if self.reserved_gb >= self.memory_gb:
            raise ValueError("reserved_gb must be below memory_gb")
        return self


@dataclass(frozen=True)
class Profile:
    """A hardware type: a board, and what its chip's family reaches of its peaks."""

    board: Board
    family: Family

    @property
    def name(self) -> str:
        return self.board.name

    @property
    def modes(self) -> Mapping[str, Mode]:
        return self.board.modes

    @property
    def default_mode(self) -> str:
        return self.board.default_mode

    def flops_per_second(self, mode: str) -> float:
        """What large matrix products reach in a mode, under the board's software."""
        return self.board.runtime_efficiency * self.family.compute_utilisation * self.modes[mode].fp32_tflops * 1e12

    def bytes_per_second(self, mode: str) -> float:
        """What memory traffic reaches in a mode, under the board's software."""
        return self.board.runtime_efficiency * self.family.bandwidth_utilisation * self.modes[mode].memory_gbs * 1e9

    @property
    def launch_seconds(self) -> float:
        return self.family.launch_microseconds / 1e6

    @property
    def training_memory_bytes(self) -> int:
        """What training may use."""
        return int((self.board.memory_gb - self.board.reserved_gb) * 2**30)


@dataclass(frozen=True)
class Catalogue:
    """Profiles by name."""

    profiles: Mapping[str, Profile]

    def profile(self, name: str, source: Source, key: Key) -> Profile:
        """The profile a scenario names at `key`; ScenarioError with the known names otherwise."""
        if name not in self.profiles:
            known = " | ".join(self.profiles)
            raise source.error(key, name, f"{known}{self.nearest(name)}; see `fedray catalog devices`")
        return self.profiles[name]

    def nearest(self, name: str) -> str:
        """A hint to the profiles that have all words of a name, if they are few, else to the one spelled like it."""
        words = set(re.findall("[a-z]+|[0-9]+", name.lower()))
        alike = [known for known in self.profiles if words and words <= set(re.findall("[a-z]+|[0-9]+", known))]
        if 0 < len(alike) <= MOST_ALIKE:
            return f" (did you mean {' or '.join(map(show, alike))}?)"
        return did_you_mean(name, self.profiles)


def load_catalogue(extra: Path | None = None) -> Catalogue:
    """The bundled profiles and those of an extra folder, which may not redefine a bundled name.

    Raises
    ------
    ScenarioError
        with file and line for a wrong word in a YAML, a number without a source, a name taken or a family unknown.
    """
    folders = (BUNDLED, *([extra] if extra else []))
    families: dict[str, Family] = {}
    for folder in folders:
        if (folder / FAMILIES).is_file():
            source = read_source(folder / FAMILIES, "a file of families is a mapping with the key 'families'")
            for name, family in validate(Families, source.data, source).families.items():
                if name in families:
                    raise source.error(("families", name), name, "a name the catalogue does not have yet")
                families[name] = family
    profiles: dict[str, Profile] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            if path.name == FAMILIES:
                continue
            source = read_source(path, "a board is a mapping with the key 'name'")
            board = validate(Board, source.data, source)
            if board.name in profiles:
                raise source.error(("name",), board.name, "a name the catalogue does not have yet")
            if board.family not in families:
                raise source.error(
                    ("family",), board.family, " | ".join(families) + did_you_mean(board.family, families)
                )
            profiles[board.name] = Profile(board, families[board.family])
    return Catalogue(profiles)


def _require_sources(sources: Mapping[str, str], numbers: set[str]) -> None:
    if missing := numbers - sources.keys():
        raise ValueError(f"no source given for {', '.join(sorted(missing))}")
