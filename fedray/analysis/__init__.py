"""What finished runs say: how methods compare, how well two clocks agree, and the report."""

from fedray.analysis.comparison import ComparedRow, ComparedRun, Comparison, Statistic, compare
from fedray.analysis.fidelity import Fidelity, fidelity

__all__ = ["ComparedRow", "ComparedRun", "Comparison", "Fidelity", "Statistic", "compare", "fidelity"]
