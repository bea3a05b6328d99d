"""A scenario made ready: data, fleet, prices, method; checks, dry runs, resuming, and matrices of runs. No Ray."""
