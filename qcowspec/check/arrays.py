"""The types of the arrays that a check works on: one element a cluster, an entry, or a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
"""Numbers of clusters, tables or entries, and host offsets in bytes that a sum may be taken of."""

Words = npt.NDArray[np.uint64]
"""Table entries, and the host offsets in them."""

Flags = npt.NDArray[np.bool_]

Counts = npt.NDArray[Any]
"""Refcounts, as wide as the image has them; or numbers of references."""
