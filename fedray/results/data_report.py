"""data.json: what became of the data of a run, as counts; what `validate` and a run's first lines say of it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

LABELS = "labels"


@dataclass(frozen=True)
class ExampleCounts:
    """Training examples, those held out for validation and for the test, and what became of the training examples.

    `used` are held by a device that trains on them, `dropped` by none, or by one that sits out; `copied` counts what
    topped-up devices hold beside their own. An example is held `mean_uses` times on average and `most_uses` at most:
    once, unless devices draw with replacement.
    """

    train: int
    test: int
    validation: int
    used: int
    dropped: int
    copied: int
    mean_uses: float
    most_uses: int


@dataclass(frozen=True)
class DeviceCounts:
    """Devices by what they hold; `sitting_out` contains `without_examples`.

    Smallest, median and largest are own examples over the devices that do not sit out.
    """

    total: int
    without_examples: int
    topped_up: int
    sitting_out: int
    smallest: int
    median: float
    largest: int


@dataclass(frozen=True)
class TextLengths:
    """Tokens a text is cut to and who chose that, tokens of the training texts uncut, and the texts that are cut."""

    max_length: int
    chosen: Literal["auto", "given"]
    train_p95: int
    train_longest: int
    train_cut: int
    train_cut_share: float
    test_cut: int
    test_cut_share: float


@dataclass(frozen=True)
class LabelCount:
    """Examples with one label, or of one of the `strata` that a task without labels has."""

    name: str
    train: int
    test: int


@dataclass(frozen=True)
class DataReport:
    """What became of the data.

    `majority_accuracy` is what always answering `majority_label`, the most frequent of the training labels, scores on
    the whole test set, both null for a task whose metrics no constant answer scores on; `unused_columns` are those of
    the data that nothing was read from. `strata` says what `labels` are, where they are no labels.
    """

    examples: ExampleCounts
    devices: DeviceCounts
    texts: TextLengths
    labels: tuple[LabelCount, ...]
    majority_label: str | None
    majority_accuracy: float | None
    unused_columns: tuple[str, ...]
    strata: str = LABELS

    def as_json(self) -> dict[str, Any]:
        """What is written and printed; the key `strata` exists only where they are no labels."""
        return {key: value for key, value in asdict(self).items() if key != "strata" or value != LABELS}
