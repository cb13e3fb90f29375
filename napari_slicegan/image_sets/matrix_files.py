"""Images that are tables of numbers in text files. Loads no torch."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_matrices(path: Path, size: int) -> NDArray[np.float32]:
    """Images of a CSV file: one of ``size`` rows, or one in each row.

    Numbers of measurements are not resized, so the shape must be right.

    Returns
    -------
    ``[N, size, size]``.

    Raises
    ------
    ValueError
        If there is text, a hole, or another shape; names the file.
    """
    try:
        with warnings.catch_warnings():
            # An empty file is refused below.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path.name}: expected rows of numbers with commas between, got something "
            f"else ({str(error).rstrip('.')}); correct or remove the file."
        ) from error
    if table.shape == (size, size):
        images = table[np.newaxis]
    elif table.size and table.shape[1] == size**2:
        images = table.reshape(-1, size, size)
    else:
        raise ValueError(
            f"{path.name}: expected {size} x {size} numbers, or {size**2} in each row, "
            f"got {table.shape[0]} x {table.shape[1]}; correct or remove the file."
        )
    if not np.isfinite(images).all():
        raise ValueError(
            f"{path.name}: expected finite numbers, got some that are not; replace "
            "them."
        )
    return np.asarray(images, np.float32)
