"""Dataset kind stdlib-docs."""

from typing import Literal

from pydantic import Field

from fedray.learning.datasets.base import AT, DatasetSection
from fedray.learning.rows import Origin, Rows, Splits
from fedray.learning.stdlib_docs import read_standard_library
from fedray.scenario import Source


class StdlibDocs(DatasetSection):
    """Python's own standard library: a text is a docstring and its code, the label is the package."""

    kind: Literal["stdlib-docs"] = Field(
        description="The standard library of the running Python; needs no file and no network."
    )

    def read(self, source: Source) -> Splits:
        """Training and test examples, owned by the files of the library."""
        examples = read_standard_library()

        def part(test: bool) -> Rows:
            chosen = [example for example in examples if example.test is test]
            return Rows(
                texts=[example.text for example in chosen],
                pairs=None,
                labels=[example.package for example in chosen],
                owners=[example.file for example in chosen],
                origin=Origin(AT),
            )

        return Splits(part(test=False), part(test=True))
