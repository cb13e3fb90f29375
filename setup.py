"""Metadata, dependencies and entry points of napari-slicegan."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent

WINDOW = [
    "magicgui>=0.10",
    "napari>=0.6.6",
    "pyqtgraph>=0.13.7",
    "qtpy>=2.4",
    "superqt>=0.7",
]
EXTRAS = {
    # The Qt binding is the user's choice, so it is never required by the base.
    # PySide6 6.12 ends Python 3.11: "Interpreter settings" in docs/window-cost.md.
    "gui": ["napari[pyside6]>=0.6.6", "PySide6!=6.12.* ; python_version < '3.12'"],
    # Multigrid: diffusion in 250^3 voxels in three quarters of the time (25 s for 34 s,
    # one axis, one thread); no gain at 128^3.
    "metrics": ["pyamg>=5.2"],
    # Volumes tile by tile: OME-Zarr, arrays that are not there, clusters.
    "scale": ["dask[array]>=2025.1", "distributed>=2025.1", "zarr>=3.1"],
    # Files of microscopes and tomography.
    "formats": [
        "h5py>=3.10",
        "mrcfile>=1.5",
        "nibabel>=5.2",
        "pynrrd>=1.1.1",
        "rosettasciio>=0.6",
    ],
    # Files of meshes.
    "mesh": ["meshio>=5.3.5"],
    # Tables of images in YAML.
    "batch": ["PyYAML>=6"],
    # The classifier of pixels that learns from brush strokes.
    "segmentation": ["scikit-learn>=1.4"],
    # The pages of docs/ as a site.
    "docs": ["furo>=2025.9.25", "myst-parser>=4.0.1", "sphinx>=8.2"],
    # IPython runs the notebooks; taufactor checks our solver.
    "test": [
        "hypothesis>=6.100",
        "ipython>=8.18",
        "pytest>=9",
        "pytest-qt>=4.4",
        "pytest-xdist>=3.5",
        "taufactor>=1.2.1",
    ],
}
LINT = [
    "build>=1.2",
    "import-linter>=2.1",
    "mypy>=1.14",
    "pre-commit>=4",
    "ruff>=0.9",
    "typos>=1.29",
]
EXTRAS["all"] = [
    requirement
    for extra in ("gui", "metrics", "scale", "formats", "mesh", "batch", "segmentation")
    for requirement in EXTRAS[extra]
]
EXTRAS["dev"] = [*EXTRAS["all"], *EXTRAS["test"], *LINT]


def engine_requirements() -> list[str]:
    """What a node without a window installs too."""
    text = (HERE / "requirements-engine.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def package_version() -> str:
    """Version as it stands in the package, without importing it."""
    text = (HERE / "napari_slicegan" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("napari_slicegan/__init__.py must set __version__.")
    return found.group(1)


# npe2 looks for the manifest inside the package only.
shutil.copyfile(HERE / "napari.yaml", HERE / "napari_slicegan" / "napari.yaml")

setup(
    name="napari-slicegan",
    version=package_version(),
    description="Three-dimensional materials from a single micrograph, in napari",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="napari-slicegan contributors",
    license="MIT",
    license_files=["LICENSE"],
    keywords=["napari", "microstructure", "GAN", "materials", "micrograph"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: napari",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    install_requires=[*engine_requirements(), *WINDOW],
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": ["slicegan = napari_slicegan.cli:main"],
        "napari.manifest": ["napari-slicegan = napari_slicegan:napari.yaml"],
    },
    packages=[
        *find_packages(include=["napari_slicegan", "napari_slicegan.*"]),
        "napari_slicegan.sample_data",
    ],
    package_dir={"napari_slicegan.sample_data": "sample_data"},
    package_data={
        "napari_slicegan": ["napari.yaml", "py.typed"],
        "napari_slicegan.models": ["*.safetensors"],
        "napari_slicegan.report": ["templates/*"],
        "napari_slicegan.sample_data": [
            *("*.tif", "*.png", "*.safetensors", "README.md"),
            *("models/*.safetensors", "models/*.md"),
        ],
    },
    zip_safe=False,
)
