"""What a dataset is: its section of the scenario, and how it is read."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from fedray.learning.rows import Rows, Splits
from fedray.scenario import Source
from fedray.scenario.schema import Section, Validation
from fedray.scenario.source import Key

AT: Key = ("task", "dataset")
VALIDATION: Key = ("task", "validation")


@dataclass(frozen=True)
class Declared:
    """What a dataset without examples says there is: outputs of the head, and examples on each device."""

    outputs: int
    examples_per_device: int


class DatasetSection(Section):
    """A section `task.dataset`; a kind of dataset is one file with a subclass, and a line in the registry.

    The libraries that read take seconds to import: modules of kinds import them when they read, so that a wrong
    scenario is refused before. `validation_key` is the key of `task.validation` by which a part of the dataset can be
    named.
    """

    kind: str
    validation_key: ClassVar[str | None] = None

    @property
    def declared(self) -> Declared | None:
        """What there is of a dataset without examples, which is never read; None for one with examples."""
        return None

    @abstractmethod
    def read(self, source: Source) -> Splits:
        """Training and test examples; UserError, with key and place, if something is missing or unreadable."""

    def read_validation(self, section: Validation, source: Source) -> Rows:
        """The validation examples that the task names; UserError as from `read`, or if the kind cannot have them."""
        given = "split" if section.file is None else "file"
        if given != self.validation_key:
            allowed = "share" if self.validation_key is None else f"share | {self.validation_key}"
            raise source.error(VALIDATION, f"{given} with dataset kind {self.kind}", allowed)
        return self.read_part(str(getattr(section, given)), (*VALIDATION, given), source)

    def read_part(self, written: str, key: Key, source: Source) -> Rows:
        """The examples of the part that is named at a key; of kinds with a `validation_key`."""
        raise NotImplementedError(f"{self.kind} has no parts with a name")
