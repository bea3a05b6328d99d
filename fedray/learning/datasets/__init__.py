"""Where examples come from: a file for each kind of dataset, and a line here."""

from typing import Annotated

from pydantic import Field

from fedray.learning.datasets.base import DatasetSection
from fedray.learning.datasets.files import Files
from fedray.learning.datasets.hub import Hub
from fedray.learning.datasets.no_data import NoData
from fedray.learning.datasets.stdlib_docs import StdlibDocs
from fedray.learning.kinds import sections_by_kind

Dataset = Annotated[StdlibDocs | Files | Hub | NoData, Field(discriminator="kind")]
DATASETS = sections_by_kind(Dataset)

__all__ = ["DATASETS", "Dataset", "DatasetSection", "Files", "Hub", "NoData", "StdlibDocs"]
