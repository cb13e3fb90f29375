"""Optional packages, loaded on demand."""

from __future__ import annotations

import importlib
from typing import Any


def optional_package(name: str, purpose: str, extra: str) -> Any:
    """Load a module of a package that is not part of the base installation.

    Parameters
    ----------
    name
        Of the module.
    purpose
        Its use here, such as "writes OME-Zarr".
    extra
        Extra of this program that installs the package.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        raise ValueError(
            f"Expected the package {package}, which {purpose}, got an environment "
            f"without it; run pip install 'napari-slicegan[{extra}]'."
        ) from error
