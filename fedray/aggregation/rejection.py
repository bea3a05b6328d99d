"""Which updates are refused: what would turn into garbage in fixed point never reaches a fold."""

import numpy as np

from fedray.protocol import Update

MAGNITUDE_LIMIT = 64  # trained LoRA and head weights stay below 10; 64 leaves room for 2**25 examples in int64 sums


def rejection(update: Update) -> str | None:
    """Why an update is refused (`shape`, `not-finite`, `too-large`), or None if it is sound."""
    values = update.values
    if values.dtype != np.float32 or values.shape != (update.layout.size,):
        return "shape"
    largest = np.abs(values).max(initial=0.0)  # nan if any is
    if not np.isfinite(largest):
        return "not-finite"
    return "too-large" if largest >= MAGNITUDE_LIMIT else None
