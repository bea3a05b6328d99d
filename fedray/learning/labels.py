"""Which classes a label column means, and whether it means classes at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from fedray.errors import UserError
from fedray.scenario import Source
from fedray.scenario.source import Key, listed, show

AT: Key = ("task", "dataset", "label")
ALWAYS_CLASSES = 20  # distinct labels: so few are never taken for free text, whatever the size of the data


@dataclass(frozen=True)
class LabelSet:
    """The classes of a task by number: as they are written in the data, and their names."""

    written: tuple[str, ...]
    names: tuple[str, ...]


def label_set(
    labels: Sequence[int | str],
    data_names: Sequence[str] | None,
    given_names: tuple[str, ...] | None,
    source: Source,
) -> LabelSet:
    """The classes of the training labels, integers by value and then words.

    Parameters
    ----------
    data_names
        the names of 0, 1, … that the data itself carries, if it does.
    given_names
        `task.dataset.label_names`, which goes before the names in the data.

    Raises
    ------
    UserError
        if there is one class only, the labels are no classes, or the names do not suit them.
    """
    written = tuple(sorted({str(label) for label in labels}, key=_order))
    _require_classes(written, len(labels), source)
    if given_names is not None:
        return LabelSet(written, _named(written, given_names, source))
    if data_names is not None:
        return LabelSet(written, tuple(_name_in_data(data_names, label, source) for label in written))
    return LabelSet(written, written)


def _order(label: str) -> tuple[bool, int, str]:
    """Integers by value, then words."""
    integer = _is_integer(label)
    return not integer, int(label) if integer else 0, label


def _is_integer(label: str) -> bool:
    return label.removeprefix("-").isdecimal()


def _require_classes(written: Sequence[str], examples: int, source: Source) -> None:
    """UserError for a column that cannot be the classes of a classification.

    With more than half as many labels as examples most labels have a single example, so that what is learned from one
    is never asked again: free text, identifiers, swapped columns. Intent and few-shot data keep two examples or more.
    """
    problem = None
    if len(written) < 2:
        problem = f"every example has the label {show(written[0])}; nothing to learn"
    elif len(written) > ALWAYS_CLASSES and 2 * len(written) > examples:
        problem = (
            f"{len(written):,} different labels in {examples:,} training examples, for example {show(written[0])}: not "
            "a classification; allowed: a column with at least two examples a label on average (swapped with text?)"
        )
    elif fraction := _fraction(written):
        problem = f"numbers with fractions, for example {fraction}: not a classification; allowed: integers or words"
    if problem:
        raise UserError(source.problem(AT, problem))


def _fraction(written: Sequence[str]) -> str | None:
    """The first label with a fraction, if all labels are numbers."""
    numbers = [_number(label) for label in written]
    fractions = [label for label, number in zip(written, numbers, strict=True) if number is not None and number % 1]
    return fractions[0] if fractions and None not in numbers else None


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _name_in_data(names: Sequence[str], label: str, source: Source) -> str:
    number = int(label)
    if not 0 <= number < len(names):
        problem = f"training label {label} has no name in the data; allowed: 0 to {len(names) - 1}"
        raise UserError(source.problem(AT, f"{problem} (is the split unlabelled?)"))
    return names[number]


def _named(written: Sequence[str], names: Sequence[str], source: Source) -> tuple[str, ...]:
    """The given name of each label; names without a training example are left out."""
    at = (*AT[:2], "label_names")
    words = [label for label in written if not _is_integer(label)]
    if words:
        raise UserError(source.problem(at, f"given, but labels are words: {listed(words)}; allowed: integer labels"))
    if len(set(names)) < len(names):
        raise UserError(source.problem(at, f"a name is given twice: {listed(names)}"))
    smallest, largest = int(written[0]), int(written[-1])
    first = 1 if smallest >= 1 and largest == len(names) else 0
    if smallest < first or largest >= first + len(names):
        problem = f"{len(names):,} names for labels from {smallest} to {largest}; allowed: labels from 0 to one less"
        raise UserError(source.problem(at, f"{problem} than the number of names, or from 1 to it"))
    return tuple(names[int(label) - first] for label in written)
