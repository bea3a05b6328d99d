"""What a round draws from every device, and when a battery has no more of it.

A board draws its idle watts from the start of the round until it is over, also while it waits; computing replaces them
by what the mode draws in training, a transfer adds the radio. A device that failed is in no account from then on, nor
are devices that take no part in a round: what they draw is not the round's.
"""

from dataclasses import dataclass

import numpy as np

from fedray.arrays import Flags, Floats, Ints
from fedray.costs import joules
from fedray.emulation.round_work import Timeline
from fedray.fleet import Conditions


@dataclass(frozen=True)
class DeviceLimits:
    """How long each assignment's device can go on, (assignments,).

    When it goes offline, in seconds since the run began; the joules it has, and the watts that it is charged with.
    """

    leaves: Floats
    charge: Floats
    charging_watts: Floats


@dataclass(frozen=True)
class Power:
    """Watts of every assignment's device, (assignments,): at rest, in all while computing, of the radio beside rest."""

    idle: Floats
    compute: Floats
    radio: Floats

    @staticmethod
    def of(conditions: Conditions, devices: Ints) -> "Power":
        """That of some devices in a round."""
        return Power(conditions.idle_watts[devices], conditions.compute_watts[devices], conditions.radio_watts[devices])

    def joules(self, powered: Floats, compute: Floats, transfer: Floats) -> Floats:
        """Energy over seconds: `powered` in all, of them computing and sending or receiving."""
        return joules(powered, self.idle, compute, self.compute, transfer, self.radio)


def battery_empty(timeline: Timeline, power: Power, limits: DeviceLimits) -> Floats:
    """When each device has used up its charge and what was charged since, (assignments,); inf if it has not.

    Between the ends of waiting and of the phases of inner rounds the balance is linear: it is computed there and
    interpolated.
    """
    empty = np.full(len(power.idle), np.inf)
    if np.isinf(limits.charge).all():
        return empty
    at, used = np.zeros(len(power.idle)), -limits.charge
    sending = power.idle + power.radio
    for times in timeline.inner_rounds:
        waiting = np.maximum(times.begins - at, 0.0)
        for seconds, drawn in (
            (waiting, power.idle),
            (times.download, sending),
            (times.compute, power.compute),
            (times.upload, sending),
        ):
            taken = np.where(times.taking, seconds, 0.0)
            growth = (drawn - limits.charging_watts) * taken
            dies = np.isinf(empty) & (used + growth > 0)
            share = np.divide(-used, growth, out=np.zeros_like(used), where=dies)
            empty = np.where(dies, at + share * taken, empty)
            at, used = at + taken, used + growth
    return empty


def rest_lasts(charge_left: Floats, power: Power, limits: DeviceLimits, finished: Flags) -> Floats:
    """How long each device can rest on what is left in its battery: for ever on mains, not at all if it failed."""
    drain = power.idle - limits.charging_watts
    lasts = np.divide(np.maximum(charge_left, 0.0), drain, out=np.full_like(drain, np.inf), where=drain > 0)
    return np.where(finished, lasts, 0.0)
