"""What the user writes: one YAML, validated into frozen models, with errors that name the place."""

from fedray.scenario.loading import LoadedScenario, load_scenario
from fedray.scenario.schema import Scenario
from fedray.scenario.source import ScenarioError, Source

__all__ = ["LoadedScenario", "Scenario", "ScenarioError", "Source", "load_scenario"]
