"""All tasks by name: a new kind is a file, a test file, and a line here."""

from collections.abc import Mapping
from typing import Annotated, Any, Union

from pydantic import Field, TypeAdapter

from fedray.learning.tasks.base import Task, TaskSection
from fedray.learning.tasks.classification import Classification
from fedray.learning.tasks.regression import Regression
from fedray.scenario import LoadedScenario, ScenarioError
from fedray.scenario.source import did_you_mean, show
from fedray.scenario.validation import validate

TASKS: Mapping[str, type[Task]] = {"classification": Classification, "regression": Regression}
WITHOUT_KIND = "classification"


def task_section(loaded: LoadedScenario) -> TaskSection:
    """The scenario's task as a section of its kind; ScenarioError if it is wrong."""
    task, source = loaded.scenario.task, loaded.source
    if isinstance(task, TaskSection):
        return task
    written = source.data.get("task", {})
    kind = written.get("kind", WITHOUT_KIND) if isinstance(written, dict) else WITHOUT_KIND
    if kind not in TASKS:
        given = show(kind) + did_you_mean(kind, TASKS)
        raise ScenarioError(source.problem(("task", "kind"), f"given {given}; allowed: {' | '.join(TASKS)}"))
    return validate(TASKS[kind].section, written, source, at=("task",))


def task_schema(ref_template: str) -> dict[str, Any]:
    """The JSON Schema of a task of any kind; references to its definitions (`$defs`) have the form of the template."""
    sections = tuple(task.section for task in TASKS.values())
    union = Annotated[Union[sections], Field(discriminator="kind")]  # type: ignore[valid-type]  # noqa: UP007
    return TypeAdapter[Any](union).json_schema(ref_template=ref_template)
