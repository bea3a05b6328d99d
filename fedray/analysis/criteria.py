"""By what runs are compared: the protocol, the target, the budgets, the baselines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from fedray.errors import UserError

ProtocolName = Literal["summary", "cost-to-target", "quality-under-budget", "robustness"]
Resource = Literal["seconds", "bytes", "joules"]
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)
SHARE = 0.97  # of a plateau; the last points of a curve cost most of its time and differ by seed
HOLD = 3  # evaluations in a row; one alone is luck
UNITS: dict[Resource, dict[str, float]] = {
    "seconds": {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86400},
    "bytes": {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12},
    "joules": {"": 1, "j": 1, "kj": 1e3, "mj": 1e6, "wh": 3600, "kwh": 3.6e6},
}


@dataclass(frozen=True)
class Budget:
    """What all devices of a run may spend together: emulated seconds, bytes both ways, or joules."""

    resource: Resource
    amount: float


@dataclass(frozen=True)
class Criteria:
    """How `compare` judges runs.

    `protocol`: None takes cost-to-target with a target, quality-under-budget with budgets, else summary.
    `target`: a score for all; None with `target_of` None takes the runs' own `training.stop.target`, if all agree.
    `target_of`: a row; the target is `share` (default 0.97) of its plateau, by seed.
    `hold`: evaluations in a row that have to reach it (default: the runs' own with their own target, else 3).
    `budgets`: each is judged by itself. `baselines`: rows that ratios are against; none takes the first row.

    Raises
    ------
    UserError
        for a value out of its range, and for options that contradict each other.
    """

    protocol: ProtocolName | None = None
    target: float | None = None
    target_of: str | None = None
    share: float | None = None
    hold: int | None = None
    budgets: tuple[Budget, ...] = ()
    baselines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        aimed = self.target is not None or self.target_of is not None
        if self.target is not None and self.target_of is not None:
            raise UserError("--target: not together with --target-of, which sets the target by seed")
        for option, value in (("--target", self.target), ("--share", self.share)):
            if value is not None and not 0 < value <= 1:
                raise UserError(f"{option}: given {value:g}; allowed: above 0, at most 1")
        if self.share is not None and self.target_of is None:
            raise UserError("--share: only together with --target-of, of whose plateau it is a share")
        if self.hold is not None and self.hold < 1:
            raise UserError(f"--hold: given {self.hold}; allowed: an integer ≥ 1")
        if aimed and self.budgets and self.protocol is None:
            raise UserError("--protocol: with a target and a budget, give cost-to-target or quality-under-budget")
        if self.protocol is not None and self.protocol not in PROTOCOLS:
            raise UserError(f"--protocol: given {self.protocol!r}; allowed: {' | '.join(PROTOCOLS)}")
        if self.protocol == "quality-under-budget" and not self.budgets:
            raise UserError("--protocol quality-under-budget: needs a budget, for example --budget seconds=600")
        if self.budgets and self.protocol not in (None, "quality-under-budget"):
            raise UserError(f"--budget: only with --protocol quality-under-budget, given {self.protocol}")


def criteria_of_words(
    *,
    protocol: str | None = None,
    target: float | None = None,
    target_of: str | None = None,
    share: float | None = None,
    hold: int | None = None,
    budgets: Sequence[str] = (),
    baselines: Sequence[str] = (),
) -> Criteria:
    """Criteria from the words of a command line; UserError as from `Criteria` and `parse_budget`."""
    known = next((name for name in PROTOCOLS if name == protocol), None)
    if protocol is not None and known is None:
        raise UserError(f"--protocol: given {protocol!r}; allowed: {' | '.join(PROTOCOLS)}")
    return Criteria(known, target, target_of, share, hold, tuple(map(parse_budget, budgets)), tuple(baselines))


def parse_budget(word: str) -> Budget:
    """`seconds=600`, `seconds=2h`, `bytes=500MB`, `joules=3.5kJ`; bytes count in powers of 1,000.

    Raises
    ------
    UserError
        for another resource or unit, or an amount that is not positive.
    """
    name, _, text = word.partition("=")
    resource = next((one for one in UNITS if one == name.strip()), None)
    if resource is None:
        raise UserError(f"--budget {word}: allowed: seconds=600 | bytes=500MB | joules=3kJ")
    match = re.fullmatch(r"([0-9.]+(?:e[+-]?[0-9]+)?) ?([a-z]*)", text.strip().replace(",", "").lower())
    unit = UNITS[resource].get(match[2]) if match else None
    try:
        amount = float(match[1]) * unit if match and unit else 0.0
    except ValueError:
        amount = 0.0
    if not amount > 0 or not isfinite(amount):
        units = " | ".join(unit for unit in UNITS[resource] if unit)
        raise UserError(f"--budget {word}: allowed: a number above 0, and one of {units} after it or nothing")
    return Budget(resource, amount)
