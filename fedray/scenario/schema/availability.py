"""`availability`, `battery` and `faults`: when devices are online, and their faults."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedray.scenario.schema.base import LARGEST, Chance, Section, Share

Zone = Annotated[float, Field(ge=-12, le=14)]


class Always(Section):
    """Every device is online all the time."""

    kind: Literal["always"] = Field(description="Every device is online all the time.")


class Bernoulli(Section):
    """A device is online in a share of all spells of equal length, drawn one by one."""

    kind: Literal["bernoulli"] = Field(description="Online or offline in each spell, drawn independently.")
    share: Share = Field(description="Chance that a device is online in a spell.")
    spell_seconds: float = Field(600.0, ge=1, le=LARGEST, description="Emulated seconds of a spell.")


class OnOff(Section):
    """A device is online and offline by turns, each exponentially long (a Markov chain in continuous time)."""

    kind: Literal["onoff"] = Field(description="Online and offline by turns, each exponentially long.")
    mean_on_seconds: float = Field(gt=1, le=LARGEST, description="Mean emulated seconds online.")
    mean_off_seconds: float = Field(gt=1, le=LARGEST, description="Mean emulated seconds offline.")


class Diurnal(Section):
    """A device is online once a day, at its own local hours (phones that charge at night).

    The run starts at `start_hour` in zone 0; devices are dealt to the zones; each begins its hours a little earlier or
    later than the others.
    """

    kind: Literal["diurnal"] = Field(description="Online once a day, at local hours.")
    from_hour: float = Field(22.0, ge=0, lt=24, description="Local hour at which devices come online.")
    hours: float = Field(8.0, gt=0, le=24, description="Hours online a day.")
    spread_hours: float = Field(
        1.0, ge=0, le=24, description="Standard deviation over devices of the hour at which one comes online."
    )
    time_zones: Annotated[tuple[Zone, ...], Field(strict=False, min_length=1)] = Field(
        (0.0,), description="Hours ahead of zone 0; devices are dealt to the zones by turns."
    )
    start_hour: float = Field(22.0, ge=0, lt=24, description="Hour in zone 0 at which the run starts.")


class RecordedPresence(Section):
    """Recorded times at which devices came and went, each dealt to a device, from a place of its own, repeated.

    A JSON object of named series in FedScale's words: {"NAME": {"duration": seconds, "active": [seconds at which it
    came], "inactive": [seconds at which it went]}}; may be gzipped.
    """

    kind: Literal["trace"] = Field(description="Recorded times at which devices came online and went offline.")
    path: str = Field(description="A file, relative to the scenario.")


Availability = Annotated[Always | Bernoulli | OnOff | Diurnal | RecordedPresence, Field(discriminator="kind")]


class Battery(Section):
    """Energy that a device carries with it: work drains it, charging fills it, also during work.

    Below its reserve a device takes part in no round; one that runs empty in a round has stopped.
    """

    capacity_wh: float = Field(gt=0, le=LARGEST, description="Energy of a full battery, watt hours.")
    charging_watts: float = Field(
        0.0, ge=0, le=LARGEST, description="Power that charges it all the time, watts; 0: none."
    )
    reserve_share: Chance = Field(0.2, description="Share of the capacity that a device needs to begin a round.")
    start_share: Chance = Field(1.0, description="Charge when the run begins, as a share of the capacity.")


class Slowdown(Section):
    """Background load multiplies compute time by `factor`."""

    share: Share = Field(description="Chance per device and round of background load.")
    factor: float = Field(3.0, gt=1, le=LARGEST, description="Multiple of the compute time without background load.")


class Crash(Section):
    """The device loses what it has computed, reboots at full power, and computes again from the start."""

    share: Share = Field(description="Chance per device and round of a crash.")
    reboot_seconds: float = Field(60.0, ge=0, le=LARGEST, description="Emulated seconds that a reboot takes.")


class Corruption(Section):
    """The device sends an update other than the one it has trained."""

    share: Share = Field(description="Chance per device and round that the update is corrupted.")
    kind: Literal["nan", "scaled", "sign-flipped", "stale"] = Field(
        "sign-flipped",
        description="nan: not numbers; scaled: its change times factor; sign-flipped: its change times -1; stale: the "
        "adapter as received.",
    )
    factor: float = Field(10.0, gt=0, le=LARGEST, description="Multiple of the change; only with kind: scaled.")

    @model_validator(mode="after")
    def _scaled(self) -> "Corruption":
        if self.factor != 10.0 and self.kind != "scaled":
            raise ValueError(f"factor: given {self.factor:g}; allowed: only with kind: scaled")
        return self


class Faults(Section):
    """What goes wrong, drawn per device and round; a share is the chance that it does."""

    dropout: Chance = Field(0.0, description="Chance that the device drops out at a random point of its round.")
    upload_lost: Chance = Field(
        0.0, description="Chance that the device does all its work and its update does not arrive."
    )
    slowdown: Slowdown | None = Field(None, description="Background load; null: none.")
    crash: Crash | None = Field(None, description="Crashes while computing; null: none.")
    corruption: Corruption | None = Field(None, description="Corrupted updates; null: none.")
