"""`availability`, `battery` and `faults`: when devices are online, and their faults."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedray.scenario.schema.base import LARGEST, Chance, Section, Share

Zone = Annotated[float, Field(ge=-12, le=14)]


class Always(Section):
    """Every device is online all the time."""

    kind: Literal["always"]


class Bernoulli(Section):
    """A device is online in a share of all spells of equal length, drawn one by one."""

    kind: Literal["bernoulli"]
    share: Share
    spell_seconds: float = Field(600.0, ge=1, le=LARGEST)


class OnOff(Section):
    """A device is online and offline by turns, each exponentially long (a Markov chain in continuous time)."""

    kind: Literal["onoff"]
    mean_on_seconds: float = Field(gt=1, le=LARGEST)
    mean_off_seconds: float = Field(gt=1, le=LARGEST)


class Diurnal(Section):
    """A device is online once a day, at its own local hours (phones that charge at night).

    The run starts at `start_hour` in zone 0; devices are dealt to the zones; each begins its hours a little earlier or
    later than the others.
    """

    kind: Literal["diurnal"]
    from_hour: float = Field(22.0, ge=0, lt=24, description="Local hour at which devices come online.")
    hours: float = Field(8.0, gt=0, le=24, description="For so long.")
    spread_hours: float = Field(1.0, ge=0, le=24, description="Standard deviation of when they come.")
    time_zones: Annotated[tuple[Zone, ...], Field(strict=False, min_length=1)] = (0.0,)
    start_hour: float = Field(22.0, ge=0, lt=24)


class RecordedPresence(Section):
    """Recorded times at which devices came and went, each dealt to a device, from a place of its own, repeated.

    A JSON object of named series in FedScale's words: {"NAME": {"duration": seconds, "active": [seconds at which it
    came], "inactive": [seconds at which it went]}}; may be gzipped.
    """

    kind: Literal["trace"]
    path: str = Field(description="A file, relative to the scenario.")


Availability = Annotated[Always | Bernoulli | OnOff | Diurnal | RecordedPresence, Field(discriminator="kind")]


class Battery(Section):
    """Energy that a device carries with it: work drains it, charging fills it, also during work.

    Below its reserve a device takes part in no round; one that runs empty in a round has stopped.
    """

    capacity_wh: float = Field(gt=0, le=LARGEST, description="Watt hours.")
    charging_watts: float = Field(0.0, ge=0, le=LARGEST)
    reserve_share: Chance = Field(0.2, description="Of the capacity: needed to begin a round.")
    start_share: Chance = Field(1.0, description="Of the capacity: the charge when the run begins.")


class Slowdown(Section):
    """Background load multiplies compute time by `factor`."""

    share: Share
    factor: float = Field(3.0, gt=1, le=LARGEST)


class Crash(Section):
    """The device loses what it has computed, reboots at full power, and computes again from the start."""

    share: Share
    reboot_seconds: float = Field(60.0, ge=0, le=LARGEST)


class Corruption(Section):
    """The device sends something else than what it has trained."""

    share: Share
    kind: Literal["nan", "scaled", "sign-flipped", "stale"] = Field(
        "sign-flipped",
        description="nan: no numbers; scaled, sign-flipped: its change times factor, or -1; stale: what it received.",
    )
    factor: float = Field(10.0, gt=0, le=LARGEST, description="scaled: what the change is multiplied with.")

    @model_validator(mode="after")
    def _scaled(self) -> "Corruption":
        if self.factor != 10.0 and self.kind != "scaled":
            raise ValueError(f"factor: given {self.factor:g}; allowed: only with kind: scaled")
        return self


class Faults(Section):
    """What goes wrong, drawn per device and round; a share is the chance that it does."""

    dropout: Chance = Field(0.0, description="Vanishes at some moment of its work.")
    upload_lost: Chance = Field(0.0, description="Does all its work, and nothing arrives.")
    slowdown: Slowdown | None = None
    crash: Crash | None = None
    corruption: Corruption | None = None
