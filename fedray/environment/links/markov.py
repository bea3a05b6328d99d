"""`kind: markov`."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from fedray.environment.links.base import LinkSection, Mbps
from fedray.environment.links.timed import TimedLinks
from fedray.environment.members import Members
from fedray.environment.spells import alternating_spells
from fedray.environment.traces import TracePair, of_rates
from fedray.sections import LARGEST
from fedray.seeds import Purpose

PERIOD = 3600.0  # seconds of good and bad states that a device has of its own


class MarkovLink(LinkSection):
    """A link that is good or bad by turns (Gilbert-Elliott), each state lasting exponentially long, also in a transfer.

    Both directions change together. Every device has an hour of its own, repeated.
    """

    kind: Literal["markov"] = Field(description="A link that is good or bad by turns.")
    good_mbps: Mbps = Field(description="Download bandwidth in the good state, 1e6 bits per second.")
    bad_mbps: Mbps = Field(description="Download bandwidth in the bad state, 1e6 bits per second; at most good_mbps.")
    mean_good_seconds: float = Field(60.0, ge=1, le=LARGEST, description="Mean emulated seconds of a good state.")
    mean_bad_seconds: float = Field(10.0, ge=1, le=LARGEST, description="Mean emulated seconds of a bad state.")
    up_share: float = Field(1.0, ge=1e-6, le=1e6, description="Upload bandwidth as a share of the state's.")

    @model_validator(mode="after")
    def _ordered(self) -> "MarkovLink":
        if self.bad_mbps > self.good_mbps:
            raise ValueError("bad_mbps must not exceed good_mbps")
        return self

    def open(self, members: Members) -> TimedLinks:
        good = self.mean_good_seconds / (self.mean_good_seconds + self.mean_bad_seconds)
        mean = good * self.good_mbps + (1 - good) * self.bad_mbps
        fading = tuple(self._fading(members, place) for place in range(members.count))
        return TimedLinks(self, fading, np.zeros(members.count), mean, self.up_share)

    def _fading(self, members: Members, place: int) -> TracePair:
        """A device's hour of good and bad states, beginning in either with the share of time it takes."""
        rng = members.generator(Purpose.FADES, 0, place)
        lengths, good = alternating_spells(rng, self.mean_good_seconds, self.mean_bad_seconds, PERIOD)
        is_good = np.arange(len(lengths)) % 2 != good
        trace = of_rates(lengths, np.where(is_good, self.good_mbps, self.bad_mbps))
        return TracePair("markov", trace, trace)
