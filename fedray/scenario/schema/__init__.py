"""The scenario: every word a user may write, as frozen models. Field descriptions become the JSON Schema."""

from fedray.scenario.schema.base import LARGEST, Positive, Section, Share, Words
from fedray.scenario.schema.costs import Costs, Topology, Twin
from fedray.scenario.schema.faults import Battery, Corruption, Faults
from fedray.scenario.schema.fleet import DefaultMode, DeviceGroup, FixedMode, Fleet, ModePolicy, RandomMode
from fedray.scenario.schema.model import BACKBONES, Model
from fedray.scenario.schema.scenario import Scenario
from fedray.scenario.schema.task import WITHOUT_DATA, Eval, OpenTask, Validation
from fedray.scenario.schema.training import (
    Asynchronous,
    Buffered,
    Optimiser,
    Policy,
    RoundSchedule,
    Runtime,
    StalenessDiscount,
    Stop,
    Synchronous,
    Telemetry,
    Training,
)
from fedray.scenario.schema.tuning import Tuning

__all__ = [
    "BACKBONES",
    "LARGEST",
    "WITHOUT_DATA",
    "Asynchronous",
    "Battery",
    "Buffered",
    "Corruption",
    "Costs",
    "DefaultMode",
    "DeviceGroup",
    "Eval",
    "Faults",
    "FixedMode",
    "Fleet",
    "ModePolicy",
    "Model",
    "OpenTask",
    "Optimiser",
    "Policy",
    "Positive",
    "RandomMode",
    "RoundSchedule",
    "Runtime",
    "Scenario",
    "Section",
    "Share",
    "StalenessDiscount",
    "Stop",
    "Synchronous",
    "Telemetry",
    "Topology",
    "Training",
    "Tuning",
    "Twin",
    "Validation",
    "Words",
]
