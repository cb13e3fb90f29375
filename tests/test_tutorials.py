"""The commands and programs of the pages run, at toy size."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari_slicegan.sample_data import generator_path
from napari_slicegan.sample_data import path as sample_path
from scipy.io import wavfile

from docs.outputs import EXAMPLE, with_outputs
from napari_slicegan.cli.parser import _parser, main
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.directions.effects import Sweeping
from napari_slicegan.report.batch import _Runner, read_table
from tests.image_toys import ellipses
from tests.toys import small_config, smooth_field

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# A page may use what an earlier one has made.
FIRST = [
    ROOT / "README.md",
    DOCS / "start.md",
    *(DOCS / "tutorials" / f"{name}.md" for name in ("isotropic", "anisotropic")),
    *sorted({*DOCS.glob("tutorials/*.md")} - {*DOCS.glob("tutorials/*isotropic.md")}),
    *sorted(DOCS.glob("how-to/*.md")),
    DOCS / "systems" / "README.md",
    DOCS / "systems" / "oasis-dcgan.md",
]
PAGES = [*FIRST, *sorted({*DOCS.rglob("*.md")} - {*FIRST})]
# Beginning of a line of shell -> why it is not run.
LEFT_OUT = {
    "make ": "builds, installs or tests the whole",
    "pip install ": "changes the environment",
    ".venv/bin/pre-commit ": "changes the checkout",
    "git worktree ": "changes the checkout",
    "slicegan gui": "windows have tests of their own",
    "slicegan demo": "ten minutes; tests/cli/test_window.py runs it without training",
    "python -m benchmarks.": "minutes to hours; tests/test_docs.py reads the flags",
    "xvfb-run ": "a window for each preset, twelve minutes",
    "dask ": "a scheduler or worker, which never ends",
    "srun --ntasks=16 dask ": "the same, by Slurm",
    # The shell of job scripts around the commands.
    "#!/bin/bash": "the first line of a script",
    "set -e": "the shell's own",
    "export OMP_NUM_THREADS=": "a variable",
    "image=": "a variable",
    "name=": "a variable",
    "first=": "a variable",
    "address=": "a variable",
}
# Page -> why its programs are not run.
PROGRAMS_LEFT_OUT = {
    "architecture.md": "adds an architecture that does not exist to the tables",
    "window.md": "opens a window",
}
EDGE = "32"
# Option of a command -> its values at toy size; () leaves the option out.
OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {
        "--minutes": (),
        "--device": (),
        "--config": ("toy.json",),
        "--steps": ("2",),
    },
    "resume": {"--minutes": (), "--epochs": (), "--steps": ("4",)},
    "generate": {"--size": (EDGE,), "--cluster": ()},
    "baseline": {"--size": (EDGE,)},
    "report": {"--size": (EDGE,), "--seeds": ("2",)},
    "fit": {"--components": ("2",), "--samples": ("40",), "--guided-samples": ("40",)},
    "apply": {"--size": (EDGE,)},
    "sweep": {"--size": (EDGE,)},
    "sample": {"--count": ("4",)},
    "evaluate": {"--steps": ("2",)},
    "batch": {"--size": (EDGE,)},
}
FLAGS = {"fit": ["--no-effects"], "report": ["--quick"]}
# Presets of the other systems, whose networks are narrowed instead of `toy.json`.
NARROW = {
    "oasis-64": ["--width-multiplier", "0.02", "--batch-size", "4"],
    "specgan-small": ["--width-multiplier", "0.1", "--batch-size", "2"],
}
# Placeholders, shell variables, volumes of which a corner suffices, places and numbers.
WORDS = {
    "IMAGE": "electrode.tif",
    "FOLDER": "images",
    "SOUNDS": "sounds",
    "$image": "electrode.tif",
    "runs/$name": "runs/electrode-of-array",
    "/data/electrodes": "data/electrodes",
    "/shared/big.ome.zarr": "shared.ome.zarr",
    "sample:bentheimer_truth": "rock-truth.tif",
    "sample:fibres_truth": "fibres-truth.tif",
    "sample:spheres_truth": "spheres-truth.tif",
    "z=64": "z=16",
    "y=64": "y=16",
    "z=40": "z=24",
    "z=64,y=10,x=20": "z=16,y=4,x=8",
    # A phase that connects opposite faces of toy volumes.
    "255": "0",
}
# Text of a program -> text at toy size.
PROGRAM_WORDS = {
    "permeability=(255,)": "permeability=(0,)",
    'preset("slicegan-fast")': "small_config()",
    "minutes=5": "steps=2",
    "(256, 256, 128)": f"({EDGE}, {EDGE}, 16)",
    "(64, 96, 128)": "(16, 32)",
    '"z", 64)': '"z", 16)',
    "(32, 32, 32), (96, 96, 96)": "(8, 8, 8), (24, 24, 24)",
    'ramp("z", 128,': f'ramp("z", {EDGE},',
    "fit_directions(trained)": "fit_directions(trained, n_components=2, n_samples=40)",
    "measure_effects(trained, found)": "measure_effects(trained, found, None, FEW)",
    # Only a trained generator reaches the fractions of the graded volume.
    'load_generator("runs/rocks")': "load_generator(SANDSTONE)",
    '["phase_fraction"]': '["phase_fraction"], n_samples=40',
}


def fenced(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block of code."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", text)


def lines_of(code: str) -> list[str]:
    """Lines of shell, without those for Slurm."""
    lines = code.replace("\\\n", " ").splitlines()
    return [line for line in lines if line and line[:8] != "#SBATCH "]


def command(line: str) -> list[str] | None:
    """Words behind ``slicegan`` of a line, also if a launcher starts it."""
    found = re.fullmatch(r"(?:.*-m napari_|(?:srun )?)slicegan (.*)", line)
    return shlex.split(found[1], comments=True) if found else None


def is_left_out(line: str) -> bool:
    """Whether a line of shell is one of `LEFT_OUT`."""
    return line.startswith(tuple(LEFT_OUT))


def at_toy_size(words: list[str]) -> list[str]:
    """The same command with small numbers."""
    verb = words[1] if words[0] == "directions" else words[0]
    options = dict(OPTIONS.get(verb, {}))
    if verb == "measure" and words[1].startswith("runs/"):
        options["--size"] = (EDGE,)
    if verb == "fit" and words[2] == "runs/brains":
        options["--guided-samples"] = ("200",)  # twice as many as latent channels
    if verb == "sweep" and words[2] == "runs/brains":
        options.pop("--size")  # images
    kept: list[str] = []
    is_kept = True
    for word in words:
        if word.startswith("--"):
            is_kept = word not in options
        if is_kept:
            kept.append(WORDS.get(word, word))
    if "--preset" in words:
        options.pop("--config")
        kept += NARROW[words[words.index("--preset") + 1]]
    for option, values in options.items():
        kept += [option, *values] if values else []
    return [*kept, *(flag for flag in FLAGS.get(verb, []) if flag not in kept)]


def program_at_toy_size(code: str) -> str:
    """The same program with small numbers."""
    for text, toy in PROGRAM_WORDS.items():
        code = code.replace(text, toy)
    cubes = r"\((2048|\d{2,3}), \1, \1\)"
    return re.sub(cubes, f"({EDGE}, {EDGE}, {EDGE})", code)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that pages take for granted; the current one."""
    monkeypatch.chdir(tmp_path)
    Path("toy.json").write_text(small_config().model_dump_json())
    gray = 100 + 60 * np.sign(smooth_field(64, 64)) + 9 * smooth_field(64, 64)
    tifffile.imwrite("electrode.tif", gray.astype(np.uint8))
    # A data bar: a white line, and white text on black.
    sem = np.zeros((112, 160), np.uint8)
    sem[:96] = 120 + 500 * smooth_field(96, 160)
    sem[96] = 255
    sem[102:108, 10:90:3] = 255
    tifffile.imwrite("sem.tif", sem)
    for name in ("bentheimer", "fibres", "spheres"):
        corner = tifffile.imread(sample_path(f"{name}_truth"))[:64, :64, :64]
        file = "rock" if name == "bentheimer" else name
        tifffile.imwrite(f"{file}-truth.tif", corner)
    Path("materials.csv").write_text(
        "image,name,config,steps\nsample:bentheimer_slice,rock,toy.json,2\n"
    )
    return tmp_path


@pytest.fixture
def full_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """More files, for all pages; returns the variables that programs use."""
    # The programs of a batch run in this process.
    monkeypatch.setattr(_Runner, "program", lambda _, words, log: main([*words]))
    nibabel = pytest.importorskip("nibabel", reason="needs the extra formats")
    gray = tifffile.imread("electrode.tif")
    for name in ("gold", "fib-sem", "more"):
        tifffile.imwrite(f"{name}.tif", gray)
    rock = tifffile.imread("rock-truth.tif")
    tifffile.imwrite("truth.tif", rock)
    np.save("large.npy", rock)
    sections = "section before after top front side other bottom a1 a2 b1 b2 c1 c2"
    for i, name in enumerate(sections.split()):
        tifffile.imwrite(f"{name}.tif", rock[i, :32, :32])
    tifffile.imwrite("small.tif", rock[8, :16, :16])
    for per_cent in (15, 25, 40):
        field = smooth_field(32, 32, seed=per_cent)
        pores = field > np.percentile(field, 100 - per_cent)
        tifffile.imwrite(f"{per_cent}.tif", pores.astype(np.uint8))
    for seed in (1, 2, 3):
        tifffile.imwrite(f"seed{seed}.tif", rock[seed : 32 + seed, :32, :32])
    Path("electrodes.csv").write_text(
        "image,config,steps,segmentation\nelectrode.tif,toy.json,2,otsu\n"
    )
    brain = ellipses(8, edge=64)
    Path("images").mkdir()
    for i, plane in enumerate(brain):
        tifffile.imwrite(f"images/{i}.tif", plane)
    # NIfTI counts x first.
    nibabel.save(nibabel.Nifti1Image(brain.T, np.eye(4)), "brain.nii.gz")
    tone = 20_000 * np.sin(np.arange(32_000) / 6)
    Path("sounds").mkdir()
    wavfile.write("sounds/tone.wav", 16_000, tone.astype(np.int16))
    strokes = np.zeros(gray.shape, np.uint8)
    strokes[30:34] = 1 + (gray[30:34] > 100)
    return {
        "FEW": Sweeping(seeds=(0, 1), n_random=2),
        "SANDSTONE": generator_path("varied_sandstone"),
        "small_config": small_config,
        "gray": gray,
        "strokes": strokes,
        "micrograph": Micrograph.open("section.tif"),
    }


def run_page(
    page: Path, names: dict[str, Any] | None = None, verbs: tuple[str, ...] = ()
) -> int:
    """Run the blocks of a page in order; returns how many commands and programs."""
    n = 0
    for language, code in fenced(page):
        if language == "python" and not verbs and page.name not in PROGRAMS_LEFT_OUT:
            exec(program_at_toy_size(code), dict(names or {}))
            n += 1
        for line in lines_of(code) if language == "sh" else ():
            words = command(line)
            if line.startswith("python -c "):
                exec(shlex.split(line)[2], {})
            if words is None or is_left_out(line) or (verbs and words[0] not in verbs):
                continue
            toy = at_toy_size(words)
            assert main(toy) == 0, (page.name, toy)
            n += 1
    return n


def test_the_first_steps_run(folder: Path) -> None:
    """The page that most people read first, without its measurements."""
    assert run_page(DOCS / "start.md", verbs=("train", "generate")) == 3


@pytest.mark.slow
def test_all_pages_run_in_sequence(
    full_folder: dict[str, Any], subtests: pytest.Subtests
) -> None:
    """In one folder: a page may use what an earlier one has made."""
    for page in PAGES:
        with subtests.test(page.name):
            run_page(page, full_folder)


def test_every_line_of_shell_is_run_or_left_out_for_a_reason() -> None:
    used = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        # Blocks that are only indented would not be run.
        assert not re.search(r"(?m)^    (slicegan|torchrun) ", text), page.name
        for language, code in fenced(page):
            assert language not in ("bash", "console", "shell"), page.name
            for line in lines_of(code) if language == "sh" else ():
                reasons = {start for start in LEFT_OUT if line.startswith(start)}
                is_run = command(line) or line.startswith("python -c ")
                assert reasons or is_run, (page.name, line)
                used |= reasons
    assert used == set(LEFT_OUT)


def test_programs_compile_and_import_what_exists() -> None:
    for page in {*PAGES} - {DOCS / "window.md"}:
        for language, code in fenced(page):
            if language == "python":
                tree = ast.parse(code)
                imports = (ast.Import, ast.ImportFrom)
                tree.body = [node for node in tree.body if isinstance(node, imports)]
                exec(compile(tree, page.name, "exec"), {})


def test_tables_in_the_guide_to_batches_are_read(tmp_path: Path) -> None:
    """As CSV and as YAML; each row is a command that the program takes."""
    page = DOCS / "batch.md"
    table = re.findall(r"(?m)^\| ([^-].*) \|$", page.read_text(encoding="utf-8"))
    cells = [[cell.strip() for cell in line.split("|")] for line in table]
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, cells)))
    (yaml,) = (code for language, code in fenced(page) if language == "yaml")
    (tmp_path / "b.yaml").write_text(yaml)
    rows = [
        row for name in ("a.csv", "b.yaml") for row in read_table(f"{tmp_path}/{name}")
    ]
    assert len(rows) == 5
    for row in rows:
        _parser().parse_args(["train", *row.words])


def test_printed_examples_are_those_of_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], subtests: pytest.Subtests
) -> None:
    """Those that take no time; `docs/outputs.py` writes all of them."""
    for name in ("pixel-size", "large-enough"):
        text = (DOCS / "how-to" / f"{name}.md").read_text(encoding="utf-8")
        example = EXAMPLE.search(text)
        assert example is not None
        with subtests.test(name):
            if example["language"] == "python":
                exec(example["code"], {})
            for words in map(command, lines_of(example["code"])):
                if words is not None:
                    assert main(words) == 0
            assert capsys.readouterr().out.strip() == example["output"].strip()


@pytest.mark.slow
def test_long_printed_examples_are_those_of_the_generators_that_ship(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Within 10 %: other processors round a few voxels to the other phase."""
    for name in ("transport", "phase-fraction"):
        text = (DOCS / "how-to" / f"{name}.md").read_text(encoding="utf-8")
        found, printed = (
            [float(number) for number in re.findall(r"\d+(?:\.\d+)?", one)]
            for one in (with_outputs(text, tmp_path), text)
        )
        with subtests.test(name):
            np.testing.assert_allclose(found, printed, rtol=0.1)
