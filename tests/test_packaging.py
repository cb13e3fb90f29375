"""What is installed is what the source says: versions, files, dependencies, verbs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import napari_slicegan

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "napari_slicegan"
# Module -> distribution, where the names differ.
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image"}


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
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the files that the wheel would hold."""
    folder = tmp_path_factory.mktemp("built")
    steps = ["egg_info", "--egg-base", str(folder), "build_py"]
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", *steps, "--build-lib", str(folder / "lib")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "lib" / "napari_slicegan"


def test_all_places_name_the_same_version() -> None:
    version = napari_slicegan.__version__
    assert distribution("napari-slicegan").version == version
    assert f"\nversion: {version}\n" in text_of("CITATION.cff")
    newest = re.search(r"^## \[(\d.+?)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_package_holds_its_code_and_the_samples(built: Path) -> None:
    files = {
        str(file.relative_to(built)) for file in built.rglob("*") if file.is_file()
    }
    code = {
        str(file.relative_to(PACKAGE))
        for pattern in ("*.py", "report/templates/*")
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
    expected = {Path(name) for name in code | samples | {"py.typed", "napari.yaml"}}
    assert {Path(name) for name in files} == expected


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


def test_the_engine_works_without_the_packages_of_the_window(
    toy_run: Path, tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    settings = ["--config", str(toy_run / "config.json"), "--steps", "1"]
    commands = [
        ["train", "sample:bentheimer_slice", *settings, "--out", run],
        ["generate", run, "--size", "16"],
        ["measure", run, "--size", "32"],
    ]
    missing = sorted(base_requirements() - engine_requirements())
    assert {"napari", "magicgui", "qtpy"} < {*missing}
    program = (
        "import sys\n"
        f"sys.modules |= dict.fromkeys({missing})\n"
        "from napari_slicegan.cli import main\n"
        f"sys.exit(max(map(main, {commands})))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


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
