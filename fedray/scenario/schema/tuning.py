"""`tuning`: which values `fedray tune` chose, and with which seeds."""

from typing import Annotated

from pydantic import Field

from fedray.scenario.schema.base import LARGEST, Positive, Section, Words


class Tuning(Section):
    """How values of this scenario were chosen; written by `fedray tune`. Training ignores it.

    A run must not use a seed that chose its values: the scenario is refused with such a seed.
    """

    keys: Words = Field(
        description="Dotted keys whose values were chosen, for example training.optimiser.learning_rate."
    )
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=2**63)], ...],
        Field(strict=False, min_length=1, description="Seeds of the runs that chose them; no other run may use them."),
    ]
    rounds: Positive = Field(description="Rounds of the longest of those runs.")
    score: float = Field(
        le=LARGEST, description="Mean of the last two validation scores of the chosen values, over the seeds."
    )
