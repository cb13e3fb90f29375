"""What is installed is what the source says: versions, files, dependencies, verbs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import napari_slicegan
from benchmarks.supply import IN_THE_WHEEL, requirements, wheel_faults
from tests.cli.test_cli_process import WINDOW_PACKAGES

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "napari_slicegan"
# Module -> distribution, where the names differ.
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image"}
# Distribution on PyPI -> package of conda-forge, without its bindings of Qt.
CONDA_NAMES = {
    "matplotlib": "matplotlib-base",
    "napari": "napari-base",
    "torch": "pytorch",
}


def text_of(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def base_requirements() -> set[str]:
    found = map(Requirement, distribution("napari-slicegan").requires or ())
    return {item.name for item in found if "extra" not in str(item.marker)}


def engine_requirements() -> set[str]:
    lines = text_of("requirements-engine.txt").splitlines()
    return {Requirement(line).name for line in lines if not line.startswith("#")}


def third_party_modules(files: Iterable[Path]) -> set[str]:
    """Top names of everything that files import and Python does not bring."""
    tops = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                tops |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                tops.add(node.module.split(".")[0])
    tops -= set(sys.stdlib_module_names) | {"napari_slicegan"}
    return {DISTRIBUTIONS.get(name, name) for name in tops}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = str(tmp_path_factory.mktemp("built"))
    steps = ["egg_info", "--egg-base", folder, "build", "--build-base", folder]
    steps += ["bdist_wheel", "--dist-dir", folder]
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", *steps],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = Path(folder).glob("*.whl")
    return path


def test_all_places_name_the_same_version() -> None:
    version = napari_slicegan.__version__
    assert distribution("napari-slicegan").version == version
    assert f"\nversion: {version}\n" in text_of("CITATION.cff")
    assert f'\n  version: "{version}"\n' in text_of("recipe/recipe.yaml")
    newest = re.search(r"^## \[(\d.+?)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_the_wheel_holds_code_samples_and_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    assert wheel_faults(names) == []
    files = [name for name in names if name.startswith("napari_slicegan/")]
    code = {
        str(file.relative_to(PACKAGE))
        for pattern in ("*.py", "models/*.safetensors", "report/templates/*")
        for file in PACKAGE.rglob(pattern)
        if file.is_file()
    }
    samples = {
        str(file.relative_to(CHECKOUT))
        for folder in ("sample_data", "sample_data/models")
        for file in (CHECKOUT / folder).iterdir()
        if file.suffix in {".tif", ".png", ".safetensors", ".md", ".py"}
    }
    assert len(samples) > 10
    expected = code | samples | {"py.typed", "napari.yaml"}
    assert {*map(Path, files)} == {Path(PACKAGE.name, name) for name in expected}


def test_files_that_are_missing_or_do_not_belong_are_named() -> None:
    names = [pattern.replace("*", "a-1") for pattern in IN_THE_WHEEL]
    assert wheel_faults(names) == []
    assert wheel_faults(names[1:]) == [f"{IN_THE_WHEEL[0]} is missing"]
    for bad in ("tests/toys.py", "napari_slicegan/runs/a/history.csv", "b.pth"):
        assert wheel_faults([*names, bad])


def test_pyside_is_bounded_only_where_it_crashes(wheel: Path) -> None:
    """6.12 aborts Python 3.11; newer Pythons do not count references of None."""
    for python, versions in {
        "3.11": {"6.11.3": True, "6.12.0": False, "6.12.4": False},
        "3.12": {"6.11.3": True, "6.12.0": True},
        "3.13": {"6.12.0": True},
    }.items():
        direct = map(Requirement, requirements(wheel, ["gui"], python))
        bounds = [item.specifier for item in direct if item.name == "PySide6"]
        for version, is_allowed in versions.items():
            assert all(version in bound for bound in bounds) is is_allowed


def test_requirements_are_those_of_the_extras(wheel: Path) -> None:
    base = {Requirement(text).name for text in requirements(wheel, [""], "3.12")}
    assert base == base_requirements()
    both = {Requirement(text).name for text in requirements(wheel, ["formats"], "3.12")}
    assert both - base == {"h5py", "mrcfile", "nibabel", "pynrrd", "rosettasciio"}


def test_sample_data_is_importable_from_anywhere(tmp_path: Path) -> None:
    code = (
        "from napari_slicegan import sample_data\n"
        "for name in sample_data.SAMPLES: assert sample_data.path(name).is_file(), name"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_every_import_is_a_declared_dependency() -> None:
    assert third_party_modules(PACKAGE.rglob("*.py")) <= base_requirements()


def test_the_engine_needs_what_its_requirements_file_lists() -> None:
    """No more, so that a node needs no napari; and no less."""
    window = {*(PACKAGE / "_qt").rglob("*.py")}
    used = third_party_modules({*PACKAGE.rglob("*.py")} - window)
    assert used == engine_requirements()


def test_the_window_alone_needs_the_rest() -> None:
    rest = base_requirements() - engine_requirements()
    assert {"napari", "magicgui", "qtpy"} < rest <= {*WINDOW_PACKAGES}


def test_the_recipe_of_conda_requires_the_same_versions(wheel: Path) -> None:
    recipe = text_of("recipe/recipe.yaml")
    bounds = dict(re.findall(r"^    - ([\w-]+) >=([\d.]+)$", recipe, re.MULTILINE))
    assert bounds.pop("setuptools") in text_of("pyproject.toml")
    base = list(map(Requirement, requirements(wheel, [""], "3.12")))
    assert bounds == {
        CONDA_NAMES.get(item.name, item.name): str(item.specifier).removeprefix(">=")
        for item in base
    }


def test_the_lock_of_the_demo_has_all_that_the_engine_needs() -> None:
    lines = text_of("constraints-demo.txt").splitlines()
    locked = [Requirement(line) for line in lines if line and line[0] != "#"]
    for line in text_of("requirements-engine.txt").splitlines():
        if line.startswith("#"):
            continue
        needed = Requirement(line)
        versions = [str(item.specifier) for item in locked if item.name == needed.name]
        assert versions, line
        for version in versions:
            assert version.removeprefix("==") in needed.specifier, line


def test_base_names_no_qt_binding() -> None:
    required = distribution("napari-slicegan").requires or ()
    base = [item for item in required if "extra ==" not in item]
    binding = re.compile(r"(?i)pyqt[56]|pyside|napari\[")
    assert not [item for item in base if binding.search(item)]


def test_command_line_is_installed() -> None:
    [script] = distribution("napari-slicegan").entry_points.select(name="slicegan")
    assert script.value == "napari_slicegan.cli:main"
    assert callable(script.load())


def test_readme_names_only_verbs_that_the_makefile_has() -> None:
    verbs = set(re.findall(r"^([a-z-]+):.*## ", text_of("Makefile"), re.MULTILINE))
    # Commands stand at the start of a line or in backquotes; prose may say "make a".
    named = set(re.findall(r"(?m)(?:^|`)make ([a-z-]+)", text_of("README.md")))
    assert {"demo", "test"} <= named <= verbs
