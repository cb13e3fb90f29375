"""The rules of the house, read off the source: who imports whom, sizes, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

import napari_slicegan

PACKAGE = Path(napari_slicegan.__file__).resolve().parent
QT = PACKAGE / "_qt"

# A file imports only from files above it, or from its own folder where that has a line
# of its own. A new file gets its line here. The files of a folder stand together, but
# for the folders of SPREAD.
ORDER = (
    "sample_data",
    "config",
    "image_sets.presets",
    "presets",
    "machine.atomic_files",
    "machine.optional_packages",
    "machine.disk_space",
    "machine.memory",
    "machine.heap",
    "machine.devices",
    "machine.precision",
    "images.pixel_values",
    "images.pixel_sizes",
    "images.image_files",
    "images.line_moments",
    "images.rescaling",
    "images.segmentation",
    "micrograph",
    "training_images",
    "volume_files.vtk_image",
    "volume_files.planes",
    "volume_files.block_tree",
    "volume_files.halving",
    "volume_files.ome_zarr",
    "volume_files.stored_pyramid",
    "volume",
    "channels",
    "image_sets.row_transform",
    "points.transform",
    "transforms",
    "dataset",
    "image_sets.matrix_files",
    "image_sets.spectrograms",
    "image_sets.image_set",
    "points.gaussian_mixture",
    "run_data",
    "architectures",
    "latent",
    "trained_generator",
    "run_folder",
    "regions",
    "edits",
    "generation",
    "large_volumes.stream_settings",
    "large_volumes.cluster",
    "large_volumes.boxes",
    "large_volumes.endless",
    "large_volumes.deferred_cut",
    "large_volumes.overview",
    "streaming",
    "image_sets.sheet",
    "image_sets.generation",
    "points.scatter",
    "metrics",
    "directions",
    "image_checks",
    "views",
    "objectives",
    "step_report",
    "parallel.distributed",
    "training.device_sources",
    "training.shared_source",
    "training.conditioning",
    "training.optimisers",
    "training.random_streams",
    "training.saved_state",
    "training.averaging",
    "training.lookahead",
    "training.hard_phases",
    "training.phase_weights",
    "training.monitored_curve",
    "training.slice_distance",
    "training.preview_image",
    "training.step_losses",
    "training.run_clock",
    "game",
    "monitors",
    "image_sets.monitor",
    "points.monitor",
    "volume_subject",
    "image_sets.subject",
    "points.subject",
    "subjects",
    "estimates.amounts",
    "estimates.operation_counter",
    "estimates.step_probe",
    "estimates.runs",
    "estimates.volumes",
    "trainer",
    "fine_tuning",
    "reporting.rows",
    "reporting.text",
    "reporting.images",
    "reporting.curves",
    "reporting.bars",
    "reporting.verdicts",
    "reporting.svg",
    "reporting.proof_checks",
    "reporting.proof",
    "reporting.provenance",
    "reporting.figures",
    "reporting.style",
    "reporting.page",
    "reporting.csv_table",
    "reporting.model_card",
    "report",
    "progress_bar",
    "points.mixture_figure",
    "points.mixture_sweep",
    "points.sweep_figure",
    "demo",
    "commands.options",
    "commands.window",
    "commands.evaluate",
    "commands.report_flags",
    "commands.report",
    "commands.directions_flags",
    "commands.directions",
    "commands.generate",
    "commands.commands",
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
# These folders bring their part to every step.
SPREAD = {"image_sets", "points"}
# These do without torch, so that readers and measurements start fast.
LIGHT_MODULES = (
    "napari_slicegan.config",
    "napari_slicegan.config.presets",
    "napari_slicegan.data.training_images",
    "napari_slicegan.models.latent",
    "napari_slicegan.runtime.memory",
    "napari_slicegan.volumes.volume",
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
    """Engine without the package's own __init__, which names every public module.

    Without those of folders that only group files, too; they import nothing.
    """
    return [file for file in engine_files() if not place(file).endswith("__init__")]


def grouping_files() -> list[Path]:
    return [file for file in engine_files() if place(file).endswith(".__init__")]


def silent_files() -> list[Path]:
    """All but the command line, which speaks to the user."""
    return [
        file
        for file in source_files()
        if place(file) != "cli" and not place(file).startswith("commands.")
    ]


def name_of(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def place(file: Path) -> str:
    """Name of the file, or of the folder it is in, as it stands in ORDER."""
    names = file.relative_to(PACKAGE).with_suffix("").parts
    return names[0] if names[0] in (*ORDER, "_qt") else ".".join(names)


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
    """Folders and files, of which some stand in ORDER."""
    parts = [module.split(".") for module in imported_modules(file)]
    own = [names[1:] for names in parts if names[0] == "napari_slicegan"]
    return {".".join(names[:length]) for names in own for length in (1, 2)}


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


@pytest.mark.parametrize("file", grouping_files(), ids=name_of)
def test_folders_that_group_files_load_none(file: Path) -> None:
    assert not list(imported_modules(file))


def test_files_of_a_folder_stand_together() -> None:
    folders = [name.split(".")[0] for name in ORDER]
    runs = [folder for folder, _ in groupby(folders)]
    assert {folder for folder in runs if runs.count(folder) > 1} == SPREAD


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
