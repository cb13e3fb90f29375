"""The commands and programs of tutorials and how-to pages run, at toy size."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari_slicegan.sample_data import path as sample_path

from docs.outputs import EXAMPLE
from napari_slicegan.cli.parser import main
from tests.toys import small_config, smooth_field

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = [
    DOCS / "start.md",
    *(DOCS / "tutorials" / f"{name}.md" for name in ("isotropic", "anisotropic")),
    *sorted({*DOCS.glob("tutorials/*.md")} - {*DOCS.glob("tutorials/*isotropic.md")}),
    *sorted(DOCS.glob("how-to/*.md")),
]
# Windows have tests of their own; a cluster is not there.
LEFT_OUT = ("gui",)
EDGE = "32"
# Option of a command -> its values at toy size; () leaves the option out.
OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {
        "--minutes": (),
        "--device": (),
        "--config": ("toy.json",),
        "--steps": ("2",),
    },
    "resume": {"--minutes": (), "--steps": ("4",)},
    "generate": {"--size": (EDGE,), "--cluster": ()},
    "report": {"--size": (EDGE,), "--seeds": ("2",)},
    "fit": {"--components": ("2",), "--samples": ("40",), "--guided-samples": ("40",)},
    "apply": {"--size": (EDGE,)},
    "sweep": {"--size": (EDGE,)},
    "batch": {"--size": (EDGE,)},
}
FLAGS = {"fit": ["--no-effects"], "report": ["--quick"]}
# Shell variables of job scripts, and volumes of which a corner suffices.
WORDS = {
    "$image": "electrode.tif",
    "runs/$name": "runs/electrode-of-array",
    "sample:bentheimer_truth": "rock-truth.tif",
    "sample:fibres_truth": "fibres-truth.tif",
    "sample:spheres_truth": "spheres-truth.tif",
}


def fenced(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block of code."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", text)


def commands(code: str) -> Iterator[list[str]]:
    """Words behind ``slicegan`` of each line, also if a launcher starts it."""
    for line in code.replace("\\\n", " ").splitlines():
        found = re.fullmatch(r"(?:.*-m napari_|(?:srun )?)slicegan (.*)", line)
        if found:
            yield shlex.split(found[1], comments=True)


def at_toy_size(words: list[str]) -> list[str]:
    """The same command with small numbers."""
    verb = words[1] if words[0] == "directions" else words[0]
    options = OPTIONS.get(verb, {})
    kept: list[str] = []
    is_kept = True
    for word in words:
        if word.startswith("--"):
            is_kept = word not in options
        if is_kept:
            kept.append(WORDS.get(word, word))
    for option, values in options.items():
        kept += [option, *values] if values else []
    return [*kept, *(flag for flag in FLAGS.get(verb, []) if flag not in kept)]


def program_at_toy_size(code: str) -> str:
    """The same program with small numbers."""
    code = re.sub(r"\((\d\d\d?), \1, \1\)", f"({EDGE}, {EDGE}, {EDGE})", code)
    code = code.replace("(64, 96, 128)", "(16, 32)").replace("minutes=5", "steps=2")
    return code.replace('preset("slicegan-fast")', "small_config()")


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


def run_page(page: Path, verbs: tuple[str, ...] = ()) -> int:
    """Run the blocks of a page in order; returns how many commands and programs."""
    n = 0
    for language, code in fenced(page):
        if language == "python" and not verbs:
            exec(program_at_toy_size(code), {"small_config": small_config})
            n += 1
        for words in commands(code) if language == "sh" else ():
            if words[0] in LEFT_OUT or (verbs and words[0] not in verbs):
                continue
            toy = at_toy_size(words)
            assert main(toy) == 0, (page.name, toy)
            n += 1
    return n


def test_the_first_steps_run(folder: Path) -> None:
    """The page that most people read first, without its measurements."""
    assert run_page(DOCS / "start.md", ("train", "generate")) == 3


@pytest.mark.slow
def test_all_pages_run_in_sequence(folder: Path, subtests: pytest.Subtests) -> None:
    """In one folder: a page may use what an earlier one has made."""
    for page in PAGES:
        with subtests.test(page.name):
            assert run_page(page) > 0


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
            for words in commands(example["code"]):
                assert main(words) == 0
            assert capsys.readouterr().out.strip() == example["output"].strip()
