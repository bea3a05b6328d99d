"""Folds: partial aggregates that merge in any order to the same bits."""

from fedray.aggregation.fold import MAX_TOTAL_WEIGHT, Aggregate, Fold, PerTensorMean
from fedray.aggregation.rejection import MAGNITUDE_LIMIT, rejection

__all__ = ["MAGNITUDE_LIMIT", "MAX_TOTAL_WEIGHT", "Aggregate", "Fold", "PerTensorMean", "rejection"]
