"""Bentheimer sandstone: the volume, a block of it, and one slice of it."""

from __future__ import annotations

import numpy as np

from sample_data.scripts.packages import package_folder
from sample_data.scripts.tiff_output import as_labels, write_tiff

SLICE = 125
# Of the 27 blocks that begin at 0, 61 or 122 along each axis, the one whose porosity
# is nearest to that of the whole volume (0.1998 and 0.1997).
BLOCK = (slice(61, 189), slice(0, 128), slice(0, 128))


def main() -> None:
    """Write bentheimer_truth.tif, bentheimer_truth_128.tif, bentheimer_slice.tif."""
    folder = package_folder("porespy", "3.2.0", source=True)
    with np.load(folder / "test" / "fixtures" / "bentheimer.npz") as archive:
        pore = archive["arr_0"]  # bool [500, 500, 500], True = pore
    labels = as_labels(pore[::2, ::2, ::2])
    write_tiff("bentheimer_truth.tif", labels)
    write_tiff("bentheimer_truth_128.tif", labels[BLOCK])
    write_tiff("bentheimer_slice.tif", labels[SLICE])


if __name__ == "__main__":
    main()
