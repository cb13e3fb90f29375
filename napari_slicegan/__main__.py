"""``python -m napari_slicegan`` is the command line, as ``torchrun -m`` needs it."""

from __future__ import annotations

import os
import sys

from napari_slicegan.cli import main
from napari_slicegan.runtime.launcher import is_launched


def run() -> None:
    """Run the command line and end the process with its status.

    Among several processes it ends at once, without destroying torch's objects: in
    2 of 18 runs one of their threads aborted it after all was done (torch 2.13, gloo),
    which torchrun reports as a failure.
    """
    status = main()
    if is_launched():
        from napari_slicegan.runtime.distributed import leave_group

        leave_group()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    run()
