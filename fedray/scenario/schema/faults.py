"""`battery` and `faults`: the energy of devices, and what goes wrong with them."""

from typing import Literal

from pydantic import Field, model_validator

from fedray.scenario.schema.base import LARGEST, Chance, Section, Share


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
