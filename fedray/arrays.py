"""The arrays that pass between modules, by what they hold; docstrings give their shapes."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Values = NDArray[np.float32]  # floats of an adapter
