"""What is learned; `registry` knows the kinds of tasks by name."""

from fedray.learning.tasks.base import Score, Task, TaskSection
from fedray.learning.tasks.registry import TASKS, task_schema, task_section

__all__ = ["TASKS", "Score", "Task", "TaskSection", "task_schema", "task_section"]
