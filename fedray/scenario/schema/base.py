"""What all sections of a scenario share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of a scenario: nothing unknown, nothing coerced, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


LARGEST = 1_000_000_000  # of counts and magnitudes: more is a slip, and overflows somewhere later
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
Share = Annotated[float, Field(gt=0, le=1)]
Chance = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
