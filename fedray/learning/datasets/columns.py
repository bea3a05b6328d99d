"""Datasets that are tables: which column is what."""

from pydantic import Field

from fedray.learning.datasets.base import DatasetSection
from fedray.scenario.schema import Words

LABEL_NAMES = (
    "Names of integer labels in ascending order, counted from 0, or from 1 if the largest equals their number; null: "
    "those that the data carries (ClassLabel), or the labels as they are."
)
ROLES = ("text", "text_pair", "label", "natural_id")  # the keys that name a column


class ColumnSection(DatasetSection):
    """A dataset whose columns have names."""

    text: str = Field("text", description="Column with the text.")
    text_pair: str | None = Field(None, description="Column with the second text of a pair; null: single texts.")
    label: str = Field("label", description="Column with the label (integers or words) or target (numbers).")
    label_names: Words | None = Field(None, description=LABEL_NAMES)
    natural_id: str | None = Field(
        None, description="Column naming the owner, for partition kind natural-id; null: no owners are named."
    )

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are read, by what they are for."""
        return {role: getattr(self, role) for role in ROLES if getattr(self, role) is not None}
