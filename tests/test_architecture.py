"""The rules of the house, read off the source: who imports whom, sizes, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import napari_slicegan

PACKAGE = Path(napari_slicegan.__file__).resolve().parent
QT = PACKAGE / "_qt"

# A file imports only from files above it, or from its own folder. A new file gets its
# line here.
ORDER = (
    "sample_data",
    "config",
    "presets_of_images",
    "presets",
    "pixel_values",
    "point_transform",
    "point_set",
    "pixel_sizes",
    "image_files",
    "line_moments",
    "rescaling",
    "segmentation",
    "micrograph",
    "training_images",
    "atomic_files",
    "amounts",
    "disk_space",
    "optional_packages",
    "block_tree",
    "cluster",
    "halving",
    "ome_zarr",
    "matrix_files",
    "spectrograms",
    "image_set",
    "row_transform",
    "channels",
    "transforms",
    "devices",
    "step_report",
    "launcher",
    "processes",
    "dataset",
    "device_sources",
    "shared_source",
    "architectures",
    "conditioning",
    "views",
    "objectives",
    "optimisers",
    "random_streams",
    "precision",
    "memory",
    "heap",
    "joint_batch_norm",
    "parallel",
    "joining",
    "averaging",
    "lookahead",
    "hard_phases",
    "phase_weights",
    "game",
    "operation_counter",
    "latent",
    "vtk_image",
    "volume_files",
    "volume",
    "sheet",
    "scatter",
    "trained_generator",
    "regions",
    "edits",
    "generation",
    "stream_settings",
    "generation_costs",
    "boxes",
    "endless",
    "deferred_cut",
    "overview",
    "streaming",
    "image_generation",
    "stored_pyramid",
    "metrics",
    "directions",
    "image_checks",
    "monitored_curve",
    "slice_distance",
    "monitors",
    "image_monitor",
    "point_monitor",
    "preview_image",
    "step_losses",
    "run_clock",
    "run_data",
    "run_folder",
    "volume_subject",
    "image_subject",
    "point_subject",
    "subjects",
    "step_probe",
    "estimates",
    "steering",
    "trainer",
    "fine_tuning",
    "report_rows",
    "report_text",
    "report_images",
    "report_curves",
    "report_bars",
    "report_verdicts",
    "report_svg",
    "report",
    "proof_checks",
    "proof",
    "provenance",
    "report_figures",
    "report_style",
    "report_page",
    "report_csv",
    "model_card",
    "progress_bar",
    "mixture_figure",
    "mixture_sweep",
    "sweep_figure",
    "demo",
    "cli_options",
    "cli_window",
    "cli_evaluate",
    "cli_report_flags",
    "cli_report",
    "cli_directions_flags",
    "cli_directions",
    "cli_generate",
    "cli_commands",
    "cli",
    "__main__",
)
WINDOW_PACKAGES = {
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "magicgui",
    "napari",
    "pyqtgraph",
    "qtpy",
    "superqt",
    "vispy",
}
# These do without torch, so that readers and measurements start fast.
LIGHT_MODULES = (
    "napari_slicegan.config",
    "napari_slicegan.presets",
    "napari_slicegan.training_images",
    "napari_slicegan.latent",
    "napari_slicegan.memory",
    "napari_slicegan.launcher",
    "napari_slicegan.volume",
    "napari_slicegan.metrics.comparison",
)
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
VAGUE_NAMES = {"common", "helper", "helpers", "misc", "tools", "util", "utils"}


def source_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def engine_files() -> list[Path]:
    """All but the window and the thin napari contributions that open it."""
    return [
        file
        for file in source_files()
        if QT not in file.parents and file.name != "napari_contributions.py"
    ]


def ordered_files() -> list[Path]:
    """Engine without the package's own __init__, which names every public module."""
    return [file for file in engine_files() if place(file) != "__init__"]


def silent_files() -> list[Path]:
    """All but the command line, which speaks to the user."""
    return [file for file in source_files() if not place(file).startswith("cli")]


def name_of(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def place(file: Path) -> str:
    """Name of the file, or of the folder it is in, as it stands in ORDER."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def imported_modules(file: Path) -> Iterator[str]:
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_places(file: Path) -> set[str]:
    parts = (module.split(".") for module in imported_modules(file))
    return {names[1] for names in parts if names[0] == "napari_slicegan" and names[1:]}


@pytest.mark.parametrize("file", engine_files(), ids=name_of)
def test_engine_never_imports_the_window(file: Path) -> None:
    tops = {module.split(".")[0] for module in imported_modules(file)}
    assert not tops & WINDOW_PACKAGES
    assert "_qt" not in imported_places(file)


@pytest.mark.parametrize("file", ordered_files(), ids=name_of)
def test_imports_go_upwards_only(file: Path) -> None:
    own = place(file)
    assert own in ORDER, "a new file: give it its line in ORDER"
    above = ORDER[: ORDER.index(own)]
    modules = imported_places(file).intersection(ORDER) - {own}
    assert modules <= set(above)


def test_order_lists_only_files_that_exist() -> None:
    places = {place(file) for file in source_files()} | {"sample_data"}
    assert set(ORDER) <= places
    assert len(set(ORDER)) == len(ORDER)


@pytest.mark.parametrize("file", source_files(), ids=name_of)
def test_files_stay_readable(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES
    assert file.stem not in VAGUE_NAMES
    for node in nodes(file):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.body[0].lineno + 1
            assert length <= MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("file", silent_files(), ids=name_of)
def test_library_prints_nothing(file: Path) -> None:
    for node in nodes(file):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "input"}


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (("napari_slicegan",), {"torch", "numpy", *WINDOW_PACKAGES}),
        (LIGHT_MODULES, {"torch", *WINDOW_PACKAGES}),
    ],
    ids=["package", "light modules"],
)
def test_importing_is_light(modules: tuple[str, ...], absent: set[str]) -> None:
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not absent.intersection(done.stdout.split())


@pytest.mark.parametrize("name", napari_slicegan.__all__)
def test_public_names_load_when_asked_for(name: str) -> None:
    assert getattr(napari_slicegan, name) is not None
    assert name in dir(napari_slicegan)


def test_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Micrographs'"):
        _ = napari_slicegan.Micrographs
