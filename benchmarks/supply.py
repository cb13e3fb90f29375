"""The packages as users install them: built, and tried in clean environments.

    python -m benchmarks.supply --pythons 3.11 3.12 3.13 --out build/supply

Builds wheel and source archive, checks metadata and files, and installs the wheel for
each Python twice, with all extras: with the newest allowed and with the lowest allowed
version of every direct dependency that has a wheel for this Python. There: versions
agree, the commands run, the demo trains and measures, the window opens, the binding
outlives many signals, the source archive installs too, and the engine works after the
packages of the window are removed. Prints a line for each check. Needs `uv`, and a
display (`xvfb-run`) for the window. Packages come from PyPI, or from where UV_INDEX_URL
and UV_FIND_LINKS point; torch with CUDA alone takes gigabytes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).resolve().parent.parent
RESOLUTIONS = {"newest": "highest", "lowest": "lowest-direct"}
UV = (sys.executable, "-m", "uv")
MOST_S = 1800

IN_THE_WHEEL = (
    "napari_slicegan/napari.yaml",
    "napari_slicegan/py.typed",
    "napari_slicegan/models/pretrained.safetensors",
    "napari_slicegan/report/templates/report.html",
    "napari_slicegan/sample_data/bentheimer_slice.tif",
    "napari_slicegan/sample_data/models/bentheimer.safetensors",
    "*.dist-info/entry_points.txt",
    "*.dist-info/licenses/LICENSE",
)
IN_THE_ARCHIVE = (
    *("setup.py", "pyproject.toml", "requirements-engine.txt", "constraints.txt"),
    *("napari.yaml", "LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff"),
    *("tests/conftest.py", "sample_data/bentheimer_slice.tif"),
)
# Made by tools and runs, or of no use to users.
NOWHERE = re.compile(
    r"(^|/)(__pycache__|\.venv|\.git|runs|slicegan-demo|\.[a-z]+_cache)/"
    r"|\.(pt|pyc|partial)$|history\.csv$"
)
NOT_IN_THE_WHEEL = re.compile(r"(^|/)(tests|benchmarks|notebooks|scripts|docs)/")

# More signals than there are references of True in a new process, and more calls that
# return nothing than there are of None.
SIGNALS = """
from qtpy.QtCore import QCoreApplication, QObject, Signal
class Sender(QObject):
    sent = Signal(object)
app = QCoreApplication([])
sender = Sender()
for number in range(200_000):
    sender.sent.emit(number)
    sender.setParent(None)
"""
WINDOW = """
import napari
viewer = napari.Viewer(show=False)
_, widget = viewer.window.add_plugin_dock_widget("napari-slicegan")
print(type(widget).__name__, widget.message.text() or "no message")
viewer.close()
"""
EXTRAS = """
import h5py, mrcfile, nibabel, nrrd, rsciio, sklearn, zarr, dask.array, pyamg
"""
ENGINE = """
import sys
import napari_slicegan
loaded = {"napari", "qtpy", "magicgui"} & {*sys.modules}
assert not loaded, loaded
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, try, print; 1 if a check failed."""
    options = parser().parse_args(arguments)
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    report = Report(out / "supply.txt")
    dist: Path = options.dist.resolve() if options.dist else out / "dist"
    if not options.dist:
        build(dist, report)
    (wheel,), (archive,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    for python in options.pythons:
        for name in options.resolutions:
            folder = out / f"{Path(python).name}-{name}"
            trial = Trial(python, name, folder, report, options.constraint)
            trial.run(wheel, archive, options.minutes)
            if not options.keep:
                shutil.rmtree(folder / "environment", ignore_errors=True)
    report.line(f"{report.n_checks} checks, {report.n_faults} faults")
    return int(report.n_faults > 0)


@dataclass
class Report:
    """Lines on the standard output and in a file."""

    file: Path
    n_checks: int = 0
    n_faults: int = 0

    def __post_init__(self) -> None:
        self.file.unlink(missing_ok=True)

    def line(self, text: str) -> None:
        """Print and append."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")

    def check(self, what: str, fault: str, seconds: float = 0) -> bool:
        """Count a check; whether it has no fault."""
        self.n_checks += 1
        self.n_faults += bool(fault)
        mark = "FAULT" if fault else "ok"
        self.line(f"{mark:6}{what} ({seconds:.0f} s){': ' if fault else ''}{fault}")
        return not fault


def run(
    words: Sequence[str | Path], folder: Path, **environment: str
) -> tuple[str, str]:
    """Run a command; its output, and the last lines of it if it failed."""
    try:
        done = subprocess.run(
            list(map(str, words)),
            cwd=folder,
            env={**os.environ, "PYTHONPATH": "", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=MOST_S,
        )
    except subprocess.TimeoutExpired:
        return "", f"longer than {MOST_S} s"
    except OSError as error:
        return "", str(error)
    text = done.stdout.strip()
    return text, "" if done.returncode == 0 else text[-2000:] or str(done.returncode)


def build(dist: Path, report: Report) -> None:
    """Wheel and source archive in an empty folder, checked."""
    shutil.rmtree(dist, ignore_errors=True)
    begun = time.monotonic()
    _, fault = run([sys.executable, "-m", "build", "--outdir", str(dist)], CHECKOUT)
    report.check("python -m build", fault, time.monotonic() - begun)
    (wheel,), (archive,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    words = [sys.executable, "-m", "twine", "check", "--strict"]
    report.check("twine check", run([*words, str(wheel), str(archive)], CHECKOUT)[1])
    with zipfile.ZipFile(wheel) as opened:
        report.check("files of the wheel", "; ".join(wheel_faults(opened.namelist())))
    with tarfile.open(archive) as opened_archive:
        names = [name.partition("/")[2] for name in opened_archive.getnames()]
    faults = [f"{name} is missing" for name in IN_THE_ARCHIVE if name not in names]
    faults += [
        f"{name} does not belong"
        for name in filter(NOWHERE.search, names)
        if not name.startswith("tests/data/")
    ]
    report.check("files of the source archive", "; ".join(faults))


def wheel_faults(names: Sequence[str]) -> list[str]:
    """Files that a wheel lacks, and those that it should not hold."""
    paths = list(map(Path, names))
    faults = [
        f"{pattern} is missing"
        for pattern in IN_THE_WHEEL
        if not any(path.match(pattern) for path in paths)
    ]
    tops = {path.parts[0] for path in paths}
    faults += [
        f"{top}/ does not belong"
        for top in tops
        if top != "napari_slicegan" and not top.endswith(".dist-info")
    ]
    return faults + [
        f"{name} does not belong"
        for name in names
        if NOWHERE.search(name) or NOT_IN_THE_WHEEL.search(name)
    ]


def requirements(wheel: Path, extras: Sequence[str], python: str) -> list[str]:
    """Direct requirements of a wheel with these extras, for a version of Python."""
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (n for n in opened.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(opened.read(name).decode())
    here: Mapping[str, str] = {
        **default_environment(),  # type: ignore[dict-item]
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    found = []
    for text in metadata.get_all("Requires-Dist") or []:
        requirement = Requirement(text)
        marker, requirement.marker = requirement.marker, None
        if marker is None or any(
            marker.evaluate({**here, "extra": extra}) for extra in extras
        ):
            found.append(str(requirement))
    return sorted({*found})


@dataclass
class Trial:
    """One environment.

    Attributes
    ----------
    python
        Version, or path of an interpreter.
    resolution
        Name in `RESOLUTIONS`.
    constraint
        File with versions that are kept; optional.
    """

    python: str
    resolution: str
    folder: Path
    report: Report
    constraint: Path | None = None

    def run(self, wheel: Path, archive: Path, minutes: float) -> None:
        """All checks; those that need a failed one are left out."""
        self.folder.mkdir(parents=True, exist_ok=True)
        version, fault = self.make()
        if not self.checked(f"Python {version}", fault):
            return
        direct = requirements(wheel, ["all"], ".".join(version.split(".")[:2]))
        (self.folder / "direct.txt").write_text("\n".join(direct) + "\n")
        for what, words in self.installation(wheel, version):
            if not self.timed(what, words):
                return
        demo = ["demo", "--no-window", "--minutes", str(minutes), "--out", "demo"]
        shutil.rmtree(self.folder / "demo", ignore_errors=True)
        python = self.environment / "bin" / "python"
        self.timed("slicegan --version", [self.slicegan, "--version"])
        self.timed(
            "npe2 validate", [python, "-m", "npe2", "validate", "napari-slicegan"]
        )
        self.timed("extras", [python, "-c", EXTRAS])
        self.timed(f"slicegan demo --minutes {minutes:g}", [self.slicegan, *demo])
        self.timed("signals of the binding", [python, "-c", SIGNALS])
        if os.environ.get("DISPLAY"):
            self.timed("window", [python, "-c", WINDOW])
        pip = [*UV, "pip"]
        again = [*pip, "install", "--no-deps", "--reinstall", "--python"]
        if self.timed("source archive", [*again, python, archive]):
            self.timed("slicegan presets", [self.slicegan, "presets"])
        window = window_packages()
        self.timed("without a window", [*pip, "uninstall", "--python", python, *window])
        self.timed("engine", [python, "-c", ENGINE])
        generate = ["generate", "sample:bentheimer", "--size", "32", "--out", "a.tif"]
        self.timed("slicegan generate", [self.slicegan, *generate])

    @property
    def environment(self) -> Path:
        """Folder of the environment."""
        return self.folder / "environment"

    @property
    def slicegan(self) -> Path:
        """The command."""
        return self.environment / "bin" / "slicegan"

    def make(self) -> tuple[str, str]:
        """Make the environment; the version of its Python, and the fault if any."""
        where = ["--python", self.python, "--clear", str(self.environment)]
        _, fault = run([*UV, "venv", *where], self.folder)
        code = "import platform; print(platform.python_version())"
        python = self.environment / "bin" / "python"
        version, other = run([python, "-c", code], self.folder)
        return version, fault or other

    def installation(
        self, wheel: Path, version: str
    ) -> Iterator[tuple[str, list[str | Path]]]:
        """Commands that resolve, install and check versions."""
        locked = self.folder / "locked.txt"
        chosen = ["--resolution", RESOLUTIONS[self.resolution]]
        chosen += ["--python-version", version, "--only-binary", ":all:"]
        kept: list[str | Path] = []
        if self.constraint is not None:
            kept = ["--constraint", self.constraint.resolve()]
        files = ["direct.txt", "-o", "locked.txt", "--no-header", "--quiet"]
        python: list[str | Path] = ["--python", self.environment / "bin" / "python"]
        pip: list[str | Path] = [*UV, "pip"]
        install: list[str | Path] = [*pip, "install", "--quiet", *python]
        yield "versions", [*pip, "compile", *chosen, *kept, *files]
        yield "installation", [*install, "--requirement", locked]
        yield "wheel", [*install, "--no-deps", wheel]
        yield "pip check", [*pip, "check", *python]

    def timed(self, what: str, words: Sequence[str | Path]) -> bool:
        """Run a check; whether it went well."""
        begun = time.monotonic()
        text, fault = run(words, self.folder, QT_API="pyside6", MPLBACKEND="agg")
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"== {what}\n{text}\n")
        return self.checked(what, fault, time.monotonic() - begun)

    def checked(self, what: str, fault: str, seconds: float = 0) -> bool:
        """Report a check of this environment."""
        return self.report.check(
            f"{Path(self.python).name} {self.resolution}: {what}", fault, seconds
        )


def window_packages() -> list[str]:
    """Packages that only the window needs, and the bindings."""
    text = (CHECKOUT / "setup.py").read_text(encoding="utf-8")
    (block,) = re.findall(r"^WINDOW = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    names = re.findall(r'"([\w-]+)', block)
    return [*names, "PySide6", "PySide6-Essentials", "PySide6-Addons", "shiboken6"]


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument(
        "--pythons",
        nargs="+",
        default=["3.11", "3.12", "3.13"],
        help="versions that uv finds or fetches, or paths",
    )
    made.add_argument(
        "--resolutions", nargs="+", choices=RESOLUTIONS, default=[*RESOLUTIONS]
    )
    made.add_argument("--dist", type=Path, help="folder of packages that are built")
    made.add_argument("--constraint", type=Path, help="file of versions that are kept")
    made.add_argument(
        "--minutes", type=float, default=0.2, help="training time of the demo"
    )
    made.add_argument(
        "--keep", action="store_true", help="do not remove the environments"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
