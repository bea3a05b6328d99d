"""What passes between a host, the process that forks its devices, and the devices."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedray.adapters import AdapterSpec
from fedray.learning.local_trainer import TrainingAssets
from fedray.learning.trainer import Trained
from fedray.protocol import Assignment, Values
from fedray.results import Enforced
from fedray.wall.errand import Errand


@dataclass(frozen=True)
class WorkerInit:
    """What devices work with: the assets, and where torch computes."""

    assets: TrainingAssets
    torch_device: str


@dataclass(frozen=True)
class Task:
    """A device's assignment in a round, which of how many equal parts of its steps, the values it downloads, and what
    it is held to.
    """

    assignment: Assignment
    round: int
    part: tuple[int, int]
    values: Values
    errand: Errand


@dataclass(frozen=True)
class Wave:
    """Devices that begin together; an emulated second takes `dilation` of them on the wall."""

    tasks: Sequence[Task]
    dilation: float


@dataclass(frozen=True)
class Examination:
    """Blocks of held-out examples, each given as (split, number), to be scored with an adapter."""

    spec: AdapterSpec
    values: Values
    blocks: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class SpeedTest:
    """So many processes at once are to measure how fast they are."""

    processes: int


Order = Wave | Examination | SpeedTest


@dataclass(frozen=True)
class Performance:
    """What a device did; nothing was trained if it was cut short or failed, and `failure` says why it failed.

    What it took is there under the wall clock.
    """

    trained: Trained | None
    failure: str | None = None
    enforced: Enforced | None = None
