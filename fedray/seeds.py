"""Where every random number of a run comes from.

A generator is keyed by (run seed, purpose, round, device), never by global state or by the order in which things
happen to arrive. Draws for a whole fleet or group use one generator keyed by (run seed, purpose, round, group).
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a generator is for. The numbers are part of every digest: append, never renumber."""

    PARTITION = 1
    TOP_UP = 2
    ADAPTER = 3
    HEAD = 4
    MODE = 5
    PLACE = 6
    LINK = 7
    PARTICIPANTS = 8
    BATCHES = 9
    EVAL_SUBSET = 10
    QUANTISATION = 11
    GROUPING = 12
    TRACE = 13
    FADES = 14
    PRESENCE = 15
    FAULTS = 16
    CALIBRATION = 17
    DROPOUT = 18
    VALIDATION = 19
    TUNING = 30


def generator(run_seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """A generator for one purpose; `key` is (), (round,), (round, device), or finer."""
    return np.random.default_rng(np.random.SeedSequence(entropy=run_seed, spawn_key=(int(purpose), *key)))
