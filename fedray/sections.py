"""What sections of a scenario are made of: their base, common numbers, files, and kinds that are looked up."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Section(BaseModel):
    """A part of a scenario: nothing unknown, nothing coerced, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


LARGEST = 1_000_000_000  # of counts and magnitudes: more is a slip, and overflows somewhere later
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
Share = Annotated[float, Field(gt=0, le=1)]
Chance = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


@dataclass(frozen=True)
class _NamesFile:
    """Marks a field that names a file or a folder."""


FilePath = Annotated[str, _NamesFile()]  # as written relative to the scenario; absolute once it is loaded


def file_keys(section: type[Section]) -> tuple[str, ...]:
    """The keys of a section that are declared as `FilePath`, or as one that may be null."""

    def marks(field: FieldInfo) -> list[object]:
        members = (getattr(member, "__metadata__", ()) for member in get_args(field.annotation))
        return [*field.metadata, *chain.from_iterable(members)]

    return tuple(name for name, field in section.model_fields.items() if _NamesFile() in marks(field))


class SectionError(ValueError):
    """A value that only its use can judge, such as a file: its key inside the section, and what is allowed."""

    def __init__(self, key: str, allowed: str) -> None:
        super().__init__(f"{key}: allowed: {allowed}")
        self.key = key
        self.allowed = allowed


class KindSection(Section):
    """A section that is one of several kinds: each declares `kind` as the one word that names it."""

    if TYPE_CHECKING:
        kind: str


@dataclass(frozen=True, eq=False)
class OneOf:
    """Annotation of a field that holds a section of one of `kinds`, by its key `kind`.

    Errors and JSON Schema are those of a union of the kinds. Unlike a union, `kinds` is read at each validation, so a
    kind that is added to it is known from then on.
    """

    kinds: Mapping[str, type[KindSection]]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(_union(tuple(self.kinds.values())).core_schema)

    def _validate(self, written: object) -> KindSection:
        section: KindSection = _union(tuple(self.kinds.values())).validate_python(written)
        return section


@lru_cache
def _union(sections: tuple[type[KindSection], ...]) -> TypeAdapter[Any]:
    union: Any = Annotated[Union[sections], Field(discriminator="kind")]  # noqa: UP007  (a tuple of types)
    return TypeAdapter(union)
