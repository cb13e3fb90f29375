"""Aluminium alloy: the gray values of the micrograph, without its colour channels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sample_data.scripts.packages import package_folder
from sample_data.scripts.tiff_output import FOLDER


def main() -> None:
    """Write aluminium.png."""
    folder = package_folder("microstructpy", "1.6.1")
    source = folder / "microstructpy" / "examples" / "aluminum_micro.png"
    with Image.open(source) as image:
        values = np.asarray(image)  # [150, 150, 4]
    # Red, the channel that the package's own example reads; the three differ by little.
    Image.fromarray(values[..., 0]).save(FOLDER / "aluminium.png", optimize=True)


if __name__ == "__main__":
    main()
