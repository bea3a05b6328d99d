"""Folds: partial aggregates that merge in any order to the same bits."""

from fedray.aggregation.fold import MAX_TOTAL_WEIGHT, Aggregate, Fold, PerTensorMean, ZeroPaddedMean
from fedray.aggregation.norms import NormOf, NormWeightedMean
from fedray.aggregation.rejection import MAGNITUDE_LIMIT, rejection
from fedray.aggregation.triplets import TripletAggregate, TripletMean, triplet_numbers

__all__ = [
    "MAGNITUDE_LIMIT",
    "MAX_TOTAL_WEIGHT",
    "Aggregate",
    "Fold",
    "NormOf",
    "NormWeightedMean",
    "PerTensorMean",
    "TripletAggregate",
    "TripletMean",
    "ZeroPaddedMean",
    "rejection",
    "triplet_numbers",
]
