"""Quality under a budget: the best model of a run within a budget of seconds, bytes or joules."""

from dataclasses import dataclass

from fedray.analysis.criteria import Budget
from fedray.analysis.experiments import MeasuredRun, Spent
from fedray.analysis.statistics import Statistic, statistic


@dataclass(frozen=True)
class WithinBudget:
    """The evaluation with the best score within a budget, the earliest of equals, in figures on the test examples.

    `exhausted` says whether the run went on until the budget was spent; if not, more rounds might have done better.
    Figures are null where nothing was evaluated within the budget. `primary` is the primary metric, which is the
    accuracy of a classification.
    """

    round: int | None
    primary: float | None
    accuracy: float | None
    macro_f1: float | None
    worst_decile: float | None
    exhausted: bool


@dataclass(frozen=True)
class BudgetedQuality:
    """A row under one budget; `exhausted` of its runs went on until the budget was spent."""

    budget: Budget
    primary: Statistic
    accuracy: Statistic
    macro_f1: Statistic
    worst_decile: Statistic
    exhausted: int


def within(run: MeasuredRun, budget: Budget) -> WithinBudget:
    """What a run had by the time its budget was spent; UserError for evaluations without scores."""
    exhausted = bool(run.spent) and amount(run.spent[-1], budget) >= budget.amount
    affordable = [(score, record) for score, record, spent in run.scored if amount(spent, budget) <= budget.amount]
    if not affordable:
        return WithinBudget(None, None, None, None, None, exhausted)
    _, best = max(affordable, key=lambda one: one[0])
    return WithinBudget(
        round=best.round,
        primary=best.primary.value if best.primary else None,
        accuracy=best.accuracy,
        macro_f1=best.metrics.get("macro_f1"),
        worst_decile=best.device_accuracy.worst_decile if best.device_accuracy else None,
        exhausted=exhausted,
    )


def budgeted(found: list[WithinBudget], budget: Budget) -> BudgetedQuality:
    """The runs of a row under one budget, together."""
    return BudgetedQuality(
        budget=budget,
        primary=statistic(one.primary for one in found),
        accuracy=statistic(one.accuracy for one in found),
        macro_f1=statistic(one.macro_f1 for one in found),
        worst_decile=statistic(one.worst_decile for one in found),
        exhausted=sum(one.exhausted for one in found),
    )


def amount(spent: Spent, budget: Budget) -> float:
    """What was spent of the budget's resource."""
    match budget.resource:
        case "seconds":
            return spent.emulated_seconds
        case "bytes":
            return spent.bytes
        case "joules":
            return spent.joules
