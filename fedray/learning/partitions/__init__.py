"""Who holds which training examples: a file for each kind of partition, and a line here."""

from typing import Annotated

from pydantic import Field

from fedray.learning.kinds import sections_by_kind
from fedray.learning.partitions.base import PartitionSection, Pool
from fedray.learning.partitions.dirichlet import Dirichlet
from fedray.learning.partitions.iid import Iid
from fedray.learning.partitions.natural_id import NaturalId
from fedray.learning.partitions.pathological import Pathological
from fedray.learning.partitions.shard import Shard
from fedray.learning.partitions.size_skewed import SizeSkewed

Partition = Annotated[Iid | Dirichlet | Pathological | Shard | NaturalId | SizeSkewed, Field(discriminator="kind")]
PARTITIONS = sections_by_kind(Partition)

__all__ = [
    "PARTITIONS",
    "Dirichlet",
    "Iid",
    "NaturalId",
    "Partition",
    "PartitionSection",
    "Pathological",
    "Pool",
    "Shard",
    "SizeSkewed",
]
