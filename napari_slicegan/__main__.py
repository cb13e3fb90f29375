"""``python -m napari_slicegan`` is the command line, as ``torchrun -m`` needs it."""

from __future__ import annotations

import sys

from napari_slicegan.cli import main

if __name__ == "__main__":
    sys.exit(main())
