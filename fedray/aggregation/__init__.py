"""Folds: partial aggregates that merge in any order to the same bits."""

from fedray.aggregation.fold import MAX_TOTAL_WEIGHT, Aggregate, Fold, NormWeightedMean, PerTensorMean
from fedray.aggregation.rejection import MAGNITUDE_LIMIT, rejection
from fedray.aggregation.triplets import TripletAggregate, TripletMean, triplet_numbers

__all__ = [
    "MAGNITUDE_LIMIT",
    "MAX_TOTAL_WEIGHT",
    "Aggregate",
    "Fold",
    "NormWeightedMean",
    "PerTensorMean",
    "TripletAggregate",
    "TripletMean",
    "rejection",
    "triplet_numbers",
]
