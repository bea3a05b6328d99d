"""All methods by name: a new one is a file, a test file, and a line here."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from fedray.methods.base import Method, MethodContext, MethodSection, ParameterError
from fedray.methods.fedadapter import FedAdapter
from fedray.methods.fedara import FedARA
from fedray.methods.fedit import FedIT
from fedray.methods.fedquad import FedQuad
from fedray.methods.fedsvd import FedSVD
from fedray.methods.hetlora import HetLoRA
from fedray.methods.hierfedlora import HierFedLoRA
from fedray.methods.legend import Legend
from fedray.methods.topology import Grouped
from fedray.scenario import LoadedScenario, Scenario, ScenarioError
from fedray.scenario.source import did_you_mean, show
from fedray.scenario.validation import validate

METHODS: Mapping[str, type[Method[Any]]] = {
    "fedit": FedIT,
    "legend": Legend,
    "hierfedlora": HierFedLoRA,
    "fedquad": FedQuad,
    "fedara": FedARA,
    "fedsvd": FedSVD,
    "hetlora": HetLoRA,
    "fedadapter": FedAdapter,
}


def method_section(loaded: LoadedScenario) -> MethodSection:
    """The scenario's method section as the method's own model; ScenarioError otherwise."""
    written, source = loaded.scenario.method, loaded.source
    name = written.get("name")
    if not isinstance(name, str) or name not in METHODS:
        given = show(name) + did_you_mean(name, METHODS) if "name" in written else "nothing"
        raise ScenarioError(source.problem(("method", "name"), f"given {given}; allowed: {' | '.join(METHODS)}"))
    return validate(METHODS[name].section, written, source, at=("method",))


def resolved(loaded: LoadedScenario) -> LoadedScenario:
    """The scenario with every parameter of its method written out; ScenarioError if the method section is wrong."""
    section = method_section(loaded)
    method = {"name": loaded.scenario.method["name"], **section.model_dump(mode="json", exclude={"name"})}
    return LoadedScenario(loaded.scenario.model_copy(update={"method": method}), loaded.source)


def build_method(loaded: LoadedScenario, context: MethodContext) -> Method[Any]:
    """The scenario's method, ready to plan; ScenarioError if its parameters do not suit the backbone."""
    section = method_section(loaded)
    method = METHODS[loaded.scenario.method["name"]](section, context)
    widest = min(min(target.in_features, target.out_features) for target in context.shape.targets)
    if section.rank > widest:
        raise loaded.source.error(("method", "rank"), section.rank, f"at most {widest}, the width of the modules")
    topology = loaded.scenario.topology
    if topology.groups is not None:
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
    """The scenario's JSON Schema with every method's parameters in place of the open `method` section."""
    schema = Scenario.model_json_schema()
    sections = [TypeAdapter(method.section).json_schema() for method in METHODS.values()]
    written = schema["properties"]["method"]
    schema["properties"]["method"] = {
        "oneOf": sections,
        "description": written["description"],
        "default": written.get("default"),
    }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "fedray scenario"
    return schema
