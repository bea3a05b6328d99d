"""Joint choice for all parties: the most gain per second with bounded waiting (FedQuad, HierFedLoRA)."""

import numpy as np

from fedray.arrays import Floats, Ints

CANDIDATES = 512  # round times that are tried at most; beyond, evenly spaced ones of all


def select_round_time(seconds: Floats, gains: Floats, waiting_bound: float) -> Ints:
    """The index of each party's choice, (parties,).

    `seconds[i, k]` and `gains[i, k]` are what choice k takes party i and is worth, (parties, choices); infinite seconds
    mean that there is no such choice, and every party has at least one. The times of all choices are tried as the
    round's time T: each party takes its best gain within T (ties: the quickest), or its quickest choice where none is.
    Of these the one with the largest sum of gains per longest time is taken, among those whose mean waiting is at most
    `waiting_bound` of the longest time; where there is none, the one with the least such share of waiting.
    Reconstructed.
    """
    times = np.unique(seconds[np.isfinite(seconds)])
    if len(times) > CANDIDATES:
        times = times[np.linspace(0, len(times) - 1, CANDIDATES).round().astype(np.int64)]
    rows = np.arange(len(seconds))
    quickest = seconds.argmin(axis=1)
    best: tuple[tuple[bool, float], Ints] | None = None
    for time in times:
        possible = seconds <= time
        worth = np.where(possible, gains, -np.inf)
        ties = worth == worth.max(axis=1, keepdims=True)
        chosen = np.where(possible.any(axis=1), np.where(ties & possible, seconds, np.inf).argmin(axis=1), quickest)
        taken = seconds[rows, chosen]
        longest = taken.max()
        waiting = (longest - taken.mean()) / longest if longest > 0 else 0.0
        calm = bool(waiting <= waiting_bound + 1e-12)
        score = (calm, float(gains[rows, chosen].sum() / longest) if calm and longest > 0 else -float(waiting))
        if best is None or score > best[0]:
            best = score, chosen
    if best is None:
        raise ValueError("no party has a choice")
    return best[1].astype(np.int64)
