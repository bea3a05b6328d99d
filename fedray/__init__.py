"""fedray: emulate a fleet of edge devices on Ray and fine-tune language models across it with federated LoRA.

All that this module offers is public; the modules below it are not. A name is imported when it is first used, so that
`import fedray` costs nothing.
"""

from typing import TYPE_CHECKING

__version__ = "0.3.0"

HOMES = {
    "fedray.adapters": ("AdapterSpec",),
    "fedray.analysis": ("Comparison",),
    "fedray.api": ("Run", "SweepRuns", "compare", "load_scenario", "open_run", "plan", "run", "session", "sweep"),
    "fedray.display": ("RunPrinter", "SweepPrinter"),
    "fedray.errors": ("RunFailedError", "RunInterruptedError", "UserError"),
    "fedray.experiment.dry_run": ("PlannedRound",),
    "fedray.learning.trained_model": ("TrainedModel",),
    "fedray.methods.base": ("Method", "MethodContext", "MethodSection", "ParameterError", "in_one_group"),
    "fedray.protocol": ("Assignment", "DeviceReport", "Group", "LocalHook", "Plan", "ServerState", "View"),
    "fedray.results": ("DeviceRecord", "Progress", "RoundRecord", "Summary"),
    "fedray.runtime.driver": ("RunCallback",),
    "fedray.runtime.sweep": ("SweepCallback",),
    "fedray.scenario": ("LoadedScenario", "Scenario", "ScenarioError"),
}

if TYPE_CHECKING:
    from fedray.adapters import AdapterSpec as AdapterSpec
    from fedray.analysis import Comparison as Comparison
    from fedray.api import Run as Run
    from fedray.api import SweepRuns as SweepRuns
    from fedray.api import compare as compare
    from fedray.api import load_scenario as load_scenario
    from fedray.api import open_run as open_run
    from fedray.api import plan as plan
    from fedray.api import run as run
    from fedray.api import session as session
    from fedray.api import sweep as sweep
    from fedray.display import RunPrinter as RunPrinter
    from fedray.display import SweepPrinter as SweepPrinter
    from fedray.errors import RunFailedError as RunFailedError
    from fedray.errors import RunInterruptedError as RunInterruptedError
    from fedray.errors import UserError as UserError
    from fedray.experiment.dry_run import PlannedRound as PlannedRound
    from fedray.learning.trained_model import TrainedModel as TrainedModel
    from fedray.methods.base import Method as Method
    from fedray.methods.base import MethodContext as MethodContext
    from fedray.methods.base import MethodSection as MethodSection
    from fedray.methods.base import ParameterError as ParameterError
    from fedray.methods.base import in_one_group as in_one_group
    from fedray.protocol import Assignment as Assignment
    from fedray.protocol import DeviceReport as DeviceReport
    from fedray.protocol import Group as Group
    from fedray.protocol import LocalHook as LocalHook
    from fedray.protocol import Plan as Plan
    from fedray.protocol import ServerState as ServerState
    from fedray.protocol import View as View
    from fedray.results import DeviceRecord as DeviceRecord
    from fedray.results import Progress as Progress
    from fedray.results import RoundRecord as RoundRecord
    from fedray.results import Summary as Summary
    from fedray.runtime.driver import RunCallback as RunCallback
    from fedray.runtime.sweep import SweepCallback as SweepCallback
    from fedray.scenario import LoadedScenario as LoadedScenario
    from fedray.scenario import Scenario as Scenario
    from fedray.scenario import ScenarioError as ScenarioError
else:
    _HOME_OF = {name: home for home, names in HOMES.items() for name in names}
    __all__ = ["__version__", *sorted(_HOME_OF)]

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOME_OF[name]), name)

    def __dir__() -> list[str]:
        return __all__
