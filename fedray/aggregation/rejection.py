"""Which updates are refused: what would turn into garbage in fixed point never reaches a fold."""

import numpy as np

from fedray.protocol import Update

MAGNITUDE_LIMIT = 64  # trained LoRA and head weights stay below 10; 64 leaves room for 2**25 examples in int64 sums


def rejection(update: Update) -> str | None:
    """Why an update is refused (`shape`, `not-finite`, `too-large`), or None if it is sound."""
    values = update.values
    if values.dtype != np.float32 or values.shape != (update.layout.size,):
        return "shape"
    if not np.isfinite(values).all():
        return "not-finite"
    if values.size and np.abs(values).max() >= MAGNITUDE_LIMIT:
        return "too-large"
    return None
