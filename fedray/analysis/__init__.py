"""What finished runs say: how methods compare, how well two clocks agree, and the report."""

from fedray.analysis.comparison import Comparison, compare
from fedray.analysis.criteria import Budget, Criteria, ProtocolName, criteria_of_words
from fedray.analysis.fidelity import Fidelity, fidelity
from fedray.analysis.rows import ComparedRow, ComparedRun
from fedray.analysis.statistics import PairedDifference, PairedRatio, Statistic

__all__ = [
    "Budget",
    "ComparedRow",
    "ComparedRun",
    "Comparison",
    "Criteria",
    "Fidelity",
    "PairedDifference",
    "PairedRatio",
    "ProtocolName",
    "Statistic",
    "compare",
    "criteria_of_words",
    "fidelity",
]
