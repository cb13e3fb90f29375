"""Write the TIFFs of sample_data/: small, and the same bytes from the same values."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import tifffile
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent.parent


def write_tiff(
    name: str, values: NDArray[Any], pixel_size_nm: float | None = None
) -> None:
    """Write [Y, X] or [Z, Y, X] into sample_data/; OME-TIFF where a size is known."""
    metadata: dict[str, Any] | None = None
    if pixel_size_nm is not None:
        axes = "ZYX"[-values.ndim :]
        # tifffile would draw a random identifier.
        identifier = f"urn:uuid:{uuid5(NAMESPACE_URL, name)}"
        metadata = {"axes": axes, "UUID": identifier}
        for axis in axes:
            metadata[f"PhysicalSize{axis}"] = pixel_size_nm
            metadata[f"PhysicalSize{axis}Unit"] = "nm"
    tifffile.imwrite(
        FOLDER / name,
        values,
        photometric="minisblack",
        compression="zlib",
        compressionargs={"level": 9},
        ome=pixel_size_nm is not None,
        metadata=metadata,
    )


def as_labels(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return 255 where the mask is true and 0 elsewhere."""
    return np.where(mask, 255, 0).astype(np.uint8)
