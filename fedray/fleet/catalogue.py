"""The hardware types: one YAML per device in `devices/`, every number with its source.

Adding a device type is adding a YAML file there, or in a folder of one's own named by `fleet.catalogue`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from fedray.scenario.schema import Section
from fedray.scenario.source import Key, Source, did_you_mean, read_source
from fedray.scenario.validation import validate

BUNDLED = Path(__file__).parent / "devices"


class Mode(Section):
    """A power mode of a board."""

    fp32_tflops: float = Field(gt=0, description="Peak single-precision TFLOP/s at this mode's clocks.")
    watts: float = Field(gt=0, description="Drawn while computing.")


class Profile(Section):
    """A hardware type. Effective throughput = utilisation · peak of the mode, because boards train far below peak."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    memory_gb: float = Field(gt=0, description="GiB of memory, shared by CPU and GPU on these boards.")
    reserved_gb: float = Field(ge=0, description="GiB that training cannot have.")
    utilisation: float = Field(gt=0, le=1)
    step_overhead_ms: float = Field(ge=0, description="Per local step, besides the arithmetic.")
    radio_watts: float = Field(ge=0, description="Drawn while sending or receiving.")
    default_mode: str
    modes: dict[str, Mode] = Field(min_length=1)
    sources: dict[str, str]

    @model_validator(mode="after")
    def _complete(self) -> "Profile":
        numbers = {"memory_gb", "reserved_gb", "utilisation", "step_overhead_ms", "radio_watts", "modes"}
        if missing := numbers - self.sources.keys():
            raise ValueError(f"no source given for {', '.join(sorted(missing))}")
        if self.default_mode not in self.modes:
            raise ValueError(f"default_mode {self.default_mode!r} is not among the modes")
        if self.reserved_gb >= self.memory_gb:
            raise ValueError("reserved_gb must be below memory_gb")
        return self

    def flops_per_second(self, mode: str) -> float:
        """Effective training throughput in a mode."""
        return self.utilisation * self.modes[mode].fp32_tflops * 1e12

    @property
    def training_memory_bytes(self) -> int:
        """What training may use."""
        return int((self.memory_gb - self.reserved_gb) * 2**30)


@dataclass(frozen=True)
class Catalogue:
    """Profiles by name."""

    profiles: Mapping[str, Profile]

    def profile(self, name: str, source: Source, key: Key) -> Profile:
        """The profile a scenario names at `key`; ScenarioError with the known names otherwise."""
        if name not in self.profiles:
            known = " | ".join(self.profiles)
            raise source.error(key, name, f"{known}{did_you_mean(name, self.profiles)}; see `fedray catalog devices`")
        return self.profiles[name]


def load_catalogue(extra: Path | None = None) -> Catalogue:
    """The bundled profiles and those of an extra folder, which may not redefine a bundled name."""
    profiles: dict[str, Profile] = {}
    for folder in (BUNDLED, *([extra] if extra else [])):
        for path in sorted(folder.glob("*.yaml")):
            source = read_source(path)
            profile = validate(Profile, source.data, source)
            if profile.name in profiles:
                raise source.error(("name",), profile.name, "a name the catalogue does not have yet")
            profiles[profile.name] = profile
    return Catalogue(profiles)
