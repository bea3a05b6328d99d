"""Sections of several kinds, told apart by their key `kind`."""

from typing import Any, get_args

from fedray.scenario.schema import Section


def sections_by_kind(union: Any) -> dict[str, type[Section]]:  # noqa: ANN401  (typing has no type for annotated unions)
    """The members of an annotated union of sections, by kind, in its order."""
    return {get_args(section.model_fields["kind"].annotation)[0]: section for section in get_args(get_args(union)[0])}
