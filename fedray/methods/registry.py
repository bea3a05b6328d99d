"""All methods by name, imported when they are asked for, and the method section of a scenario."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fedray.imports import TARGET
from fedray.methods.base import Method, MethodContext, MethodSection, ParameterError
from fedray.methods.origin import OWN, MethodError, load, origin_of, origins, section_name
from fedray.scenario import LoadedScenario, Scenario, ScenarioError
from fedray.scenario.source import did_you_mean, show
from fedray.scenario.validation import validate

BY_CLASS = "package.module:Class"


class _OwnMethods(Mapping[str, type[Method[Any]]]):
    """fedray's own methods by name; each is imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Method[Any]]:
        if name not in OWN:
            raise KeyError(name)
        return known_method(name)

    def __iter__(self) -> Iterator[str]:
        return iter(OWN)

    def __len__(self) -> int:
        return len(OWN)


METHODS: Mapping[str, type[Method[Any]]] = _OwnMethods()


def known_method(name: str) -> type[Method[Any]]:
    """The method that a scenario names so; KeyError if there is none, MethodError if it is broken."""
    origin = origin_of(name)
    if origin is None:
        raise KeyError(name)
    return load(origin)


@dataclass(frozen=True)
class MethodEntry:
    """An installed method as the catalogue lists it; `target` is its class, `problem` what makes it unusable."""

    about: str
    package: str
    version: str
    target: str
    problem: str | None = None


def method_entries() -> dict[str, MethodEntry]:
    """Every installed method by name; all are imported."""
    entries: dict[str, MethodEntry] = {}
    for name, origin in origins().items():
        about, problem = "", None
        try:
            about = (load(origin).section.__doc__ or "").strip().split("\n", 1)[0]
        except MethodError as error:
            problem = str(error)
        entries[name] = MethodEntry(about, origin.package, origin.version, origin.target, problem)
    return entries


def method_defaults(name: object) -> dict[str, Any]:
    """Every parameter of a method at its default, as plain data; nothing if it is unknown, broken, or has none."""
    try:
        section = known_method(name).section if isinstance(name, str) else None
        values = section.model_validate({"name": section_name(section)}) if section else None
    except (KeyError, MethodError, ValidationError):
        values = None
    return values.model_dump(mode="json") | {"name": name} if values else {}


def method_section(loaded: LoadedScenario) -> MethodSection:
    """The scenario's method section as the method's own model; ScenarioError otherwise."""
    written, source = loaded.scenario.method, loaded.source
    section = _method(loaded).section
    return validate(section, written | {"name": section_name(section)}, source, at=("method",))


def _method(loaded: LoadedScenario) -> type[Method[Any]]:
    """The class of the scenario's method; ScenarioError if it names none, or a broken one."""
    name, source = loaded.scenario.method.get("name"), loaded.source
    try:
        if not isinstance(name, str):
            raise KeyError(name)
        return known_method(name)
    except KeyError:
        given = show(name) + did_you_mean(name, origins()) if "name" in loaded.scenario.method else "nothing"
        allowed = " | ".join([*origins(), BY_CLASS])
        raise ScenarioError(source.problem(("method", "name"), f"given {given}; allowed: {allowed}")) from None
    except MethodError as error:
        raise ScenarioError(source.problem(("method", "name"), str(error))) from None


def resolved(loaded: LoadedScenario) -> LoadedScenario:
    """The scenario with every parameter of its method written out; ScenarioError if the method section is wrong."""
    section = method_section(loaded)
    method = {"name": loaded.scenario.method["name"], **section.model_dump(mode="json", exclude={"name"})}
    return LoadedScenario(loaded.scenario.model_copy(update={"method": method}), loaded.source)


def build_method(loaded: LoadedScenario, context: MethodContext) -> Method[Any]:
    """The scenario's method, ready to plan; ScenarioError if its parameters do not suit the backbone."""
    section = method_section(loaded)
    method = _method(loaded)(section, context)
    widest = min(min(target.in_features, target.out_features) for target in context.shape.targets)
    if section.rank > widest:
        raise loaded.source.error(("method", "rank"), section.rank, f"at most {widest}, the width of the modules")
    topology = loaded.scenario.topology
    if topology.groups is not None:
        from fedray.methods.topology import Grouped  # only where devices are grouped

        method = Grouped(_groupable(method, loaded), topology, topology.groups)
    try:
        method.adapter()
    except ParameterError as error:
        given = getattr(section, error.key)
        raise loaded.source.error(("method", error.key), given, error.allowed) from None
    return method


def _groupable(method: Method[Any], loaded: LoadedScenario) -> Method[Any]:
    """The method, if the scenario may group its devices; ScenarioError otherwise."""
    topology, name, source = loaded.scenario.topology, loaded.scenario.method["name"], loaded.source
    if method.forms_groups:
        raise source.error(("topology", "groups"), topology.groups, f"null: {name} forms its own groups")
    if not method.keeps_layout and topology.inner_rounds > 1:
        problem = f"1: {name}'s adapter changes its shape at every aggregation"
        raise source.error(("topology", "inner_rounds"), topology.inner_rounds, problem)
    if loaded.scenario.training.local_steps % topology.inner_rounds:
        allowed = f"a divisor of training.local_steps ({loaded.scenario.training.local_steps})"
        raise source.error(("topology", "inner_rounds"), topology.inner_rounds, allowed)
    return method


def scenario_schema() -> dict[str, Any]:
    """The scenario's JSON Schema with every usable method's parameters in place of the open `method` section."""
    schema = Scenario.model_json_schema()
    sections: list[dict[str, Any]] = []
    for origin in origins().values():
        try:
            section = load(origin).section
        except MethodError:
            continue  # `fedray catalog methods` says what is wrong with it
        one = TypeAdapter(section).json_schema(ref_template=f"#/$defs/{section.__name__}.{{model}}")
        for name, definition in one.pop("$defs", {}).items():
            schema["$defs"][f"{section.__name__}.{name}"] = definition
        sections.append(one)
    written = schema["properties"]["method"]
    schema["properties"]["method"] = {
        "oneOf": [*sections, _BY_CLASS_SCHEMA],
        "description": written["description"],
        "default": written.get("default"),
    }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "fedray scenario"
    return schema


_BY_CLASS_SCHEMA = {
    "type": "object",
    "title": "MethodByClass",
    "description": "A method by its class, package.module:Class, with that method's own parameters.",
    "properties": {
        "name": {
            "type": "string",
            "title": "Name",
            "description": "The method's class, its module on Python's path.",
            "pattern": f"^{TARGET.pattern}$",
        }
    },
    "required": ["name"],
}
