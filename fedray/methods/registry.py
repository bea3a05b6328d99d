"""All methods by name: a new one is a file, a test file, and a line here."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from fedray.methods.base import Method, MethodContext, MethodSection, ParameterError
from fedray.methods.fedit import FedIT
from fedray.methods.legend import Legend
from fedray.scenario import LoadedScenario, Scenario, ScenarioError
from fedray.scenario.source import did_you_mean, show
from fedray.scenario.validation import validate

METHODS: Mapping[str, type[Method[Any]]] = {"fedit": FedIT, "legend": Legend}


def method_section(loaded: LoadedScenario) -> MethodSection:
    """The scenario's method section as the method's own model; ScenarioError otherwise."""
    written, source = loaded.scenario.method, loaded.source
    name = written.get("name")
    if not isinstance(name, str) or name not in METHODS:
        given = show(name) + did_you_mean(name, METHODS) if "name" in written else "nothing"
        raise ScenarioError(source.problem(("method", "name"), f"given {given}; allowed: {' | '.join(METHODS)}"))
    return validate(METHODS[name].section, written, source, at=("method",))


def build_method(loaded: LoadedScenario, context: MethodContext) -> Method[Any]:
    """The scenario's method, ready to plan; ScenarioError if its parameters do not suit the backbone."""
    section = method_section(loaded)
    method = METHODS[loaded.scenario.method["name"]](section, context)
    widest = min(min(target.in_features, target.out_features) for target in context.shape.targets)
    if section.rank > widest:
        raise loaded.source.error(("method", "rank"), section.rank, f"at most {widest}, the width of the modules")
    try:
        method.adapter()
    except ParameterError as error:
        given = getattr(section, error.key)
        raise loaded.source.error(("method", error.key), given, error.allowed) from None
    return method


def scenario_schema() -> dict[str, Any]:
    """The scenario's JSON Schema with every method's parameters in place of the open `method` section."""
    schema = Scenario.model_json_schema()
    sections = [TypeAdapter(method.section).json_schema() for method in METHODS.values()]
    schema["properties"]["method"] = {
        "oneOf": sections,
        "default": schema["properties"]["method"].get("default"),
    }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "fedray scenario"
    return schema
