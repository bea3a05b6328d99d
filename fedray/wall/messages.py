"""Messages between a host, its fork server and the device processes."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedray.adapters import AdapterSpec
from fedray.arrays import Values
from fedray.learning.local_trainer import TrainingAssets
from fedray.learning.trainer import LocalResult
from fedray.protocol import Assignment
from fedray.results import MeasuredPhases
from fedray.wall.phase_targets import PhaseTargets


@dataclass(frozen=True)
class WorkerInit:
    """What device processes work with: training assets and torch device."""

    assets: TrainingAssets
    torch_device: str


@dataclass(frozen=True)
class Task:
    """A device's assignment in a round: `part` = (inner round, inner rounds), the values it downloads, its targets."""

    assignment: Assignment
    round: int
    part: tuple[int, int]
    values: Values
    targets: PhaseTargets


@dataclass(frozen=True)
class TrainRequest:
    """Train devices that begin together; an emulated second takes `dilation` wall seconds."""

    tasks: Sequence[Task]
    dilation: float


@dataclass(frozen=True)
class EvalRequest:
    """Evaluate an adapter on blocks of held-out examples, each given as (split, number)."""

    spec: AdapterSpec
    values: Values
    blocks: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class CalibrateRequest:
    """Measure the speed of `processes` processes at the same time."""

    processes: int


Request = TrainRequest | EvalRequest | CalibrateRequest


@dataclass(frozen=True)
class TaskResult:
    """The result of a task; `trained` is None if it was cut short or failed, `failure` says why.

    `enforced` holds the measured phases under the wall clock.
    """

    trained: LocalResult | None
    failure: str | None = None
    enforced: MeasuredPhases | None = None
