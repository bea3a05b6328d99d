"""reference/scenario.md: every key of a scenario, from its JSON Schema."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docs.generate.markdown import code, page, table

Schema = Mapping[str, Any]
BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
NO_BOUND = 1_000_000_000  # the schema's own limit of counts and magnitudes; it says nothing to a reader


@dataclass(frozen=True)
class Part:
    """A section of the schema, the path of its first use, and what tells it from its siblings."""

    path: str
    kind: str
    schema: Schema

    @property
    def title(self) -> str:
        return f"{self.path} ({self.kind})" if self.kind else self.path

    @property
    def anchor(self) -> str:
        return self.title.replace(".", "-").replace("[]", "").replace(" (", "-").rstrip(")")


def scenario_page(schema: Schema) -> str:
    """A heading per section or kind, with a table of its keys: type, default, what it is."""
    definitions = schema.get("$defs", {})
    parts = list(_walk(schema, definitions))
    places = {_identity(part.schema): part for part in parts}
    intro = (
        "Every section is optional but `schema_version`. `fedray schema` prints the same as JSON Schema, for editors.\n"
    )
    return page("Scenario", "the scenario's models", [intro, *(_section(part, definitions, places) for part in parts)])


def _walk(schema: Schema, definitions: Mapping[str, Schema]) -> Iterator[Part]:
    """The sections of a schema in the order of its keys, each at the first place nearest the top that uses it."""
    root = Part("scenario", "", schema)
    yield root
    seen: set[str] = set()
    for top in _below(root, definitions):
        waiting = [top]
        while waiting:
            part = waiting.pop(0)
            if _identity(part.schema) not in seen:
                seen.add(_identity(part.schema))
                yield part
                waiting += _below(part, definitions)


def _below(part: Part, definitions: Mapping[str, Schema]) -> list[Part]:
    """The sections that the keys of a section may hold."""
    found = []
    for key, value in part.schema.get("properties", {}).items():
        path = key if part.path == "scenario" else f"{part.path}.{key}"
        many = "[]" if value.get("type") == "array" else ""
        found += [Part(path + many, _kind(one), one) for one in _sections(value, definitions)]
    return found


def _sections(value: Schema, definitions: Mapping[str, Schema]) -> Iterator[Schema]:
    """The sections that a key's value may be."""
    if "$ref" in value:
        yield definitions[value["$ref"].rsplit("/", 1)[-1]]
    elif "properties" in value:
        yield value
    for word in ("anyOf", "oneOf", "allOf"):
        for one in value.get(word, ()):
            yield from _sections(one, definitions)
    if isinstance(value.get("items"), dict):
        yield from _sections(value["items"], definitions)


def _kind(schema: Schema) -> str:
    for word in ("kind", "name"):
        fixed = schema.get("properties", {}).get(word, {})
        if "const" in fixed:
            return str(fixed["const"])
    return ""


def _identity(schema: Schema) -> str:
    return json.dumps(schema, sort_keys=True)


def _section(part: Part, definitions: Mapping[str, Schema], places: Mapping[str, Part]) -> str:
    required = set(part.schema.get("required", ()))
    rows = []
    for key, value in part.schema.get("properties", {}).items():
        below = [places[_identity(one)] for one in _sections(value, definitions)]
        links = ", ".join(f"[{place.kind or place.path}](#{place.anchor})" for place in below)
        kind = f"{_type(value)}: {links}" if links else _type(value)
        rows.append((code(key), kind, _default(key, value, required, bool(links)), str(value.get("description", ""))))
    level = "##" if part.path == "scenario" or "." not in part.path else "###"
    text = str(part.schema.get("description", "")) + "\n"
    return (
        f"{level} {part.title} {{ #{part.anchor} }}\n\n{text}\n{table(('key', 'type', 'default', 'what it is'), rows)}"
    )


def _default(key: str, value: Schema, required: set[str], is_section: bool) -> str:
    if key in required:
        return "" if "const" in value else "required"
    if "default" not in value:
        return ""
    default = value["default"]
    if is_section:  # its keys have defaults of their own
        return code(default["kind"]) if isinstance(default, dict) and "kind" in default else ""
    return code(json.dumps(default))


def _type(value: Schema) -> str:
    """What may be written, in words."""
    if "const" in value:
        return code(value["const"])
    if "enum" in value:
        return " or ".join(code(word) for word in value["enum"])
    if "$ref" in value or "properties" in value:
        return "a mapping"
    choices = [*value.get("anyOf", ()), *value.get("oneOf", ())]
    if choices:
        return " or ".join(dict.fromkeys(_type(one) for one in choices))
    if value.get("type") == "array":
        return f"a list: {_type(value['items'])}" if isinstance(value.get("items"), dict) else "a list"
    bounds = " and ".join(
        f"{sign} {value[word]:g}" for word, sign in BOUNDS if word in value and abs(value[word]) < NO_BOUND
    )
    return f"{value.get('type', 'anything')} {bounds}".strip()
