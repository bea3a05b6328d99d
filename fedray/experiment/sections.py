"""The sections that `scenario` keeps as they are written: validated by those who own them, all defaults written out."""

from collections.abc import Collection, Mapping
from typing import Any

from fedray import methods
from fedray.learning.tasks import task_schema, task_section
from fedray.scenario import LoadedScenario, ScenarioError, load_scenario
from fedray.scenario.loading import Origin
from fedray.scenario.overrides import Overrides


def load_resolved(origin: Origin, overrides: Overrides = ()) -> LoadedScenario:
    """Load a scenario (see `load_scenario`) and resolve its task and its method.

    ScenarioError if any is wrong; a parameter of a method that is written outside `method` is told where it belongs.
    """
    return resolved(load_scenario(origin, overrides, _method_keys))


def resolved(loaded: LoadedScenario) -> LoadedScenario:
    """The scenario with its task and every parameter of its method.

    ScenarioError, with one line per problem of both, if a section is wrong. Neither torch nor Ray is imported.
    """
    problems = []
    for section in (_with_task, methods.resolved):
        try:
            loaded = section(loaded)
        except ScenarioError as error:
            problems.append(str(error))
    if problems:
        raise ScenarioError("\n".join(problems))
    return loaded


def scenario_schema() -> dict[str, Any]:
    """The scenario's JSON Schema with every kind of task and every method in place of the open sections."""
    schema = methods.scenario_schema()
    task = task_schema("#/$defs/{model}")
    schema["$defs"] = {**schema["$defs"], **task.pop("$defs")}
    schema["properties"]["task"] = {**task, "description": schema["properties"]["task"]["description"]}
    return schema


def _with_task(loaded: LoadedScenario) -> LoadedScenario:
    task = task_section(loaded)
    return LoadedScenario(loaded.scenario.model_copy(update={"task": task}), loaded.source)


def _method_keys() -> Mapping[str, Collection[str]]:
    sections = (method.section for method in methods.METHODS.values())
    return {"method": {key for section in sections for key in section.model_fields if key != "name"}}
