"""From pydantic's errors to messages that name the place, the key, what was given and what is allowed."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fedray.scenario.source import Key, ScenarioError, Source, did_you_mean, one_line, show

M = TypeVar("M", bound=BaseModel)
Json = Mapping[str, Any]
Elsewhere = Callable[[], Mapping[str, Collection[str]]]  # sections that a model leaves open, and the keys they may have


def nowhere() -> Mapping[str, Collection[str]]:
    """No open section."""
    return {}


def validate(model: type[M], data: object, source: Source, at: Key = (), elsewhere: Elsewhere = nowhere) -> M:
    """`data`, which stands at key `at` of `source`, as a `model`; ScenarioError with one line per problem otherwise."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        schema = _Schema(model.model_json_schema())
        found: dict[Key, str] = {}
        for detail in error.errors():
            key = _written_key(detail, data)
            found.setdefault(key, _message(detail, key, data, schema, elsewhere))
        inner = {key[:length] for key in found for length in range(len(key))}  # a bad item also fails its list
        problems = (source.problem(at + key, text) for key, text in found.items() if not key or key not in inner)
        raise ScenarioError("\n".join(problems)) from None


def _written_key(detail: ErrorDetails, data: object) -> Key:
    """pydantic's location without the union tags it inserts, so that it is a path the user wrote."""
    key: list[str | int] = []
    here: Any = data
    for index, part in enumerate(detail["loc"]):
        last = index == len(detail["loc"]) - 1
        known = isinstance(part, int) if isinstance(here, list) else isinstance(here, dict) and part in here
        if known:
            here = here[part]
            key.append(part)
        elif last and detail["type"] == "missing":
            key.append(part)
    return tuple(key)


def _message(detail: ErrorDetails, key: Key, data: object, schema: "_Schema", elsewhere: Elsewhere) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = schema.keys(key[:-1], data)
        homes = [*schema.homes(key[-1]), *(name for name, keys in elsewhere().items() if key[-1] in keys)]
        hint = did_you_mean(key[-1], known) or _homes(homes)
        return f"unknown key{hint}; allowed: {', '.join(known)}"
    if kind == "missing":
        return f"missing; allowed: {schema.allowed(key, data)}"
    if kind == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ")
    if kind == "union_tag_not_found":
        tag = str(detail["ctx"]["discriminator"]).strip("'")
        return f"missing key {tag!r}; allowed: {tag}: {' | '.join(schema.tags(key, data))}"
    if kind == "union_tag_invalid":
        tag = detail["ctx"]["tag"]
        tags = schema.tags(key, data)
        name = str(detail["ctx"]["discriminator"]).strip("'")
        return f"given {name}: {show(tag)}{did_you_mean(tag, tags)}; allowed: {name}: {' | '.join(tags)}"
    allowed = schema.allowed(key, data)
    given = detail["input"]
    known = [word for word in allowed.replace("'", "").split(" | ") if word != given]
    hint = did_you_mean(given, known) if isinstance(given, str) else ""
    return f"given {show(given)}{hint}; allowed: {allowed}"


def _homes(homes: list[str]) -> str:
    """A hint to the keys of that name in other sections, if they are few."""
    return f", which is a key of {' and of '.join(homes)}" if 0 < len(homes) <= 3 else ""


def _mapping_words(node: Json) -> str:
    """A mapping by its keys, with the example of its section or one of a key and its default."""
    properties: Json = node["properties"]
    simple = {key: child["default"] for key, child in properties.items() if child.get("default") is not None}
    required = set(node.get("required", ()))
    examples = node.get("examples") or [dict([pair]) for pair in simple.items() if required <= {pair[0]}]
    example = f", for example {one_line(examples[0])}" if examples else ""
    return f"a mapping with keys of {', '.join(properties)}{example}"


class _Schema:
    """Reads a JSON Schema along a path of written keys, choosing union members by what was written."""

    def __init__(self, schema: Json) -> None:
        self.root = schema
        self.definitions: Json = schema.get("$defs", {})

    def keys(self, key: Key, data: object) -> list[str]:
        return list(self._at(key, data).get("properties", {}))

    def homes(self, name: str | int) -> list[str]:
        """The sections that have a key of this name, as dotted paths; those inside lists are left out."""
        found: list[str] = []
        open_nodes: list[tuple[str, Json]] = [("", self.root)]
        while open_nodes:
            path, node = open_nodes.pop(0)
            members = [self._resolve(member) for kind in ("anyOf", "oneOf") for member in node.get(kind, [])]
            open_nodes += [(path, member) for member in members]
            properties = node.get("properties", {})
            if path and name in properties and path not in found:
                found.append(path)
            open_nodes += [(f"{path}.{key}".lstrip("."), self._resolve(child)) for key, child in properties.items()]
        return found

    def tags(self, key: Key, data: object) -> list[str]:
        node = self._at(key, data, choose_last=False)
        for member in map(self._resolve, node.get("anyOf", [])):  # a union that may be null
            node = member if "discriminator" in member else node
        return list(node.get("discriminator", {}).get("mapping", {}))

    def allowed(self, key: Key, data: object) -> str:
        return self._describe(self._at(key, data))

    def _resolve(self, node: Json) -> Json:
        while "$ref" in node:
            node = self.definitions[node["$ref"].rsplit("/", 1)[-1]]
        return node

    def _choose(self, node: Json, value: object) -> Json:
        """The union member the written value belongs to, when a discriminator says so."""
        node = self._resolve(node)
        members = [self._resolve(member) for member in node.get("anyOf", [])]
        for member in members:
            if "discriminator" in member or "properties" in member:
                return self._choose(member, value)
        if "discriminator" in node and isinstance(value, dict):
            tag = value.get(node["discriminator"]["propertyName"])
            reference = node["discriminator"]["mapping"].get(tag)
            return self._resolve({"$ref": reference}) if reference else node
        return node

    def _at(self, key: Key, data: object, choose_last: bool = True) -> Json:
        node = self._choose(self.root, data)
        here: Any = data
        for index, part in enumerate(key):
            child = node.get("items", {}) if isinstance(part, int) else self._child(node, part)
            known = isinstance(here, dict | list) and (isinstance(part, int) or part in here)
            here = here[part] if known else None
            last = index == len(key) - 1
            child = self._resolve(child)
            node = child if last and not choose_last else self._choose(child, here) if known else child
        return node

    @staticmethod
    def _child(node: Json, part: str | int) -> Json:
        """A key of a mapping, named or any."""
        named = node.get("properties", {})
        child: Json | bool = named[part] if part in named else node.get("additionalProperties", {})
        return child if isinstance(child, Mapping) else {}

    def _describe(self, node: Json) -> str:
        node = self._resolve(node)
        if "anyOf" in node:
            return " | ".join(self._describe(member) for member in node["anyOf"])
        if "discriminator" in node:
            name = node["discriminator"]["propertyName"]
            return f"a mapping with {name}: {' | '.join(node['discriminator']['mapping'])}"
        if "const" in node:
            return show(node["const"])
        if "enum" in node:
            return " | ".join(show(word) for word in node["enum"])
        if node.get("type") == "array":
            least = f" at least {node['minItems']}:" if "minItems" in node else ""
            return f"a list of{least} {self._describe(node.get('items', {}))}"
        if node.get("properties"):
            return _mapping_words(node)
        names = {"integer": "an integer", "number": "a number", "string": "text", "object": "a mapping",
                 "boolean": "true | false", "null": "null"}  # fmt: skip
        bounds = {
            "minimum": "≥",
            "exclusiveMinimum": ">",
            "maximum": "≤",
            "exclusiveMaximum": "<",
            "pattern": "matching",
        }
        parts = [f"{sign} {node[bound]}" for bound, sign in bounds.items() if bound in node]
        return " ".join([names.get(node.get("type", ""), "a value"), " and ".join(parts)]).strip()
