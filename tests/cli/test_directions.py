"""``slicegan directions`` at toy size."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicegan.cli.parser import main
from napari_slicegan.data.transforms import ScaleMinMax
from napari_slicegan.directions import label, load_directions
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume
from tests.image_toys import small_image_config, toy_set
from tests.toys import random_generator, train

Capture = pytest.CaptureFixture[str]
FEW = ["--components", "2", "--samples", "20"]
QUICK = [*FEW, "--guided-samples", "20"]


@pytest.fixture(scope="module")
def fitted(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder with directions."""
    run = Path(shutil.copytree(toy_run, tmp_path_factory.mktemp("cli") / "run"))
    # Trained weights of four steps make one phase only.
    trained = random_generator(load_generator(run).transform)  # type: ignore[arg-type]
    trained.save(run / "generator.safetensors")
    assert main(["directions", "fit", str(run), *QUICK, "--seeds", "2"]) == 0
    return run


@pytest.fixture
def run(fitted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fitted, tmp_path / "run"))


def test_fit_writes_components_and_guided_directions(fitted: Path) -> None:
    found = load_directions(fitted / "directions.safetensors")
    assert [one.name for one in found] == [
        "component 1",
        "component 2",
        "phase fraction",
    ]
    assert all(len(one.effects) >= 4 for one in found)
    assert found.is_of(load_generator(fitted))


def test_fit_without_effects_elsewhere(run: Path, capsys: Capture) -> None:
    out = run / "more" / "found.safetensors"
    words = [str(run), *FEW, "--guided", "--no-effects", "--out", str(out)]
    assert main(["directions", "fit", *words]) == 0
    printed = capsys.readouterr().out
    assert f"Saved {out}" in printed
    assert "not measured" in printed
    assert "The first component explains" in printed
    assert len(load_directions(out)) == 2


def test_list(fitted: Path, capsys: Capture) -> None:
    assert main(["directions", "list", str(fitted / "directions.safetensors")]) == 0
    printed = capsys.readouterr().out
    for words in ("component 1", "phase fraction", "random", "rank", "toy"):
        assert words in printed


def test_apply(run: Path, capsys: Capture) -> None:
    """Two directions at once; the properties without them and with them."""
    words = [
        "--move",
        "component 1=1.5",
        "phase fraction=-2",
        "--size",
        "16",
        "20",
        "9",
    ]
    assert main(["directions", "apply", str(run), *words, "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert "component 1 +1.5" in printed
    volume = Volume.open(run / "edited-seed3.tif")
    assert volume.values.shape == (16, 20, 9)
    line = next(x for x in printed.splitlines() if x.startswith("Phase fraction "))
    after = float(line.rsplit("->", 1)[1])
    assert after == pytest.approx((volume.values == 207).mean(), rel=1e-3)


REGIONS = {
    "box": ["--box", "0", "0", "0", "8", "16", "16"],
    "ramp": ["--ramp", "z"],
    "blocks": ["--blocks", "latent", "block2"],
    # Elsewhere the pixel norm of the toy undoes it.
    "truncation": ["--truncation", "0.5", "--blocks", "latent"],
}


def test_apply_in_part(run: Path, capsys: Capture, subtests: pytest.Subtests) -> None:
    out = run / "out.tif"
    words = ["--move", "component 1=4", "--size", "16", "--out", str(out)]
    assert main(["directions", "apply", str(run), *words]) == 0
    everywhere = Volume.open(out).values
    for name, part in REGIONS.items():
        with subtests.test(name):
            assert main(["directions", "apply", str(run), *words, *part]) == 0
            assert (Volume.open(out).values != everywhere).any()
    assert "No voxel changes" not in capsys.readouterr().out
    between = ["--box", "0.6", "0", "0", "0.9", "16", "16"]
    assert main(["directions", "apply", str(run), *words, *between]) == 0
    assert "No voxel changes: choose a larger region" in capsys.readouterr().out


def test_sweep(run: Path, capsys: Capture) -> None:
    words = [str(run), "component 1", "--strengths", "-2", "0", "2", "--size", "12"]
    words += ["--out", str(run / "s.tif"), "--csv", str(run / "s.csv")]
    words += ["--figure", str(run / "s.png"), "--properties", "phase_fraction"]
    assert main(["directions", "sweep", *words]) == 0
    assert tifffile.imread(run / "s.tif").shape == (3, 12, 12, 12)
    table = np.loadtxt(run / "s.csv", delimiter=",", skiprows=1)
    assert table.shape == (3, 2)
    assert (run / "s.png").is_file()
    assert "Phase fraction" in capsys.readouterr().out


def test_directions_of_another_model_are_measured_anew(
    run: Path, capsys: Capture
) -> None:
    """Only if said so: the same component may do the opposite there."""
    transform = load_generator(run).transform
    other = random_generator(transform, seed=1)  # type: ignore[arg-type]
    other.save(run / "generator.safetensors")
    words = ["apply", str(run), "--move", "phase fraction=1", "--size", "8"]
    assert main(["directions", *words]) == 2
    assert "--any-model" in capsys.readouterr().err
    found = load_directions(run / "directions.safetensors")
    stored = label(found.named("phase fraction"))
    assert main(["directions", *words, "--any-model"]) == 0
    printed = capsys.readouterr().out
    assert "measured anew" in printed
    assert f"({stored})" not in printed


@pytest.fixture
def image_run(tmp_path: Path) -> Path:
    """Run of 28-pixel images, with directions found by default."""
    train(Trainer.start(small_image_config(), toy_set(), tmp_path / "images"))
    words = [str(tmp_path / "images"), *QUICK, "--seeds", "2"]
    assert main(["directions", "fit", *words]) == 0
    return tmp_path / "images"


def test_directions_of_images(image_run: Path, capsys: Capture) -> None:
    """Found, applied and swept as those of volumes; the properties are of images."""
    found = load_directions(image_run / "directions.safetensors")
    assert [one.name for one in found][-1] == "mean gray value"
    measured = {effect.measured for one in found for effect in one.effects}
    assert {"mean_gray", "contrast", "bright_area"} <= measured
    move = ["--move", "mean gray value=2"]
    assert main(["directions", "apply", str(image_run), *move]) == 0
    assert tifffile.imread(image_run / "edited-seed0.tif").shape == (16, 28, 28)
    said = capsys.readouterr().out
    assert "SSIM to the start" in said
    assert "Correlation length (pixels)" in said
    sheet, table = image_run / "s.png", image_run / "s.csv"
    words = [str(image_run), "component 1", "--strengths", "-2", "0", "2"]
    files = ["--sheet", str(sheet), "--csv", str(table)]
    assert main(["directions", "sweep", *words, *files]) == 0
    said = capsys.readouterr().out
    assert "Correlation length (pixels)" in said
    assert "voxel" not in said
    with Image.open(sheet) as picture:
        # Three strengths of four images of 28 pixels, enlarged three times.
        assert picture.size == (3 * 86, 4 * 86)
    rows = np.genfromtxt(table, delimiter=",", names=True)
    assert rows["ssim_to_start"][1] == pytest.approx(1)
    assert rows["ssim_to_start"][0] < 1
    assert main(["directions", "apply", str(image_run), *move, "--size", "8"]) == 2
    assert "--size" in capsys.readouterr().err


def test_default_directions_of_gray_volumes(tmp_path: Path) -> None:
    trained = random_generator(ScaleMinMax(0, 255, 1, "uint8"))
    trained.save(tmp_path / "gray.safetensors")
    words = [str(tmp_path / "gray.safetensors"), *QUICK, "--no-effects"]
    assert main(["directions", "fit", *words]) == 0
    found = load_directions(tmp_path / "directions.safetensors")
    assert found.named("mean gray value").kind == "guided"


def test_samples_have_names(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of generators, not only of files."""
    monkeypatch.chdir(tmp_path)
    words = ["--components", "1", "--samples", "2", "--guided", "--no-effects"]
    assert main(["directions", "fit", "sample:bentheimer", *words]) == 0
    assert "bentheimer" in capsys.readouterr().out


FAULTS = {
    "name": (["apply", "RUN", "--move", "nothing=2"], "'nothing'"),
    "strength": (["apply", "RUN", "--move", "component 1"], "NAME=STRENGTH"),
    "strength without end": (
        ["apply", "RUN", "--move", "component 1=inf"],
        "NAME=STRENGTH",
    ),
    "file": (["list", "nowhere"], "there is none"),
    "block": (["fit", "RUN", "--block", "block9"], "'block9'"),
    "blocks": (
        ["sweep", "RUN", "component 1", "--blocks", "latent", "block1", "block2"],
        "one block",
    ),
    "both": (
        ["apply", "RUN", "--move", "component 1=1", *REGIONS["box"], "--ramp", "z"],
        "got both",
    ),
    "box outside": (
        ["apply", "RUN", "--move", "component 1=1", "--size", "8", *REGIONS["box"]],
        "within the volume of 8 x 8 x 8 voxels (z, y, x), got one from 0 x 0 x 0 to 8",
    ),
    "one voxel": (
        ["apply", "RUN", "--move", "component 1=1", "--size", "1"],
        "at least two voxels along each axis, got 1 x 1 x 1;",
    ),
    "ending": (
        ["apply", "RUN", "--move", "component 1=1", "--out", "a.png"],
        "ends in .tif or",
    ),
}


def test_faults_end_with_a_sentence(
    run: Path, capsys: Capture, subtests: pytest.Subtests
) -> None:
    for name in sorted(FAULTS):
        with subtests.test(name):
            words, expected = FAULTS[name]
            words = [str(run) if word == "RUN" else word for word in words]
            assert main(["directions", *words]) == 2
            printed = capsys.readouterr().err
            assert expected in printed
            assert "Traceback" not in printed


def test_fit_refuses_before_the_work(
    run: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_work(*_: object) -> None:
        raise AssertionError("Work was begun.")

    monkeypatch.setattr("napari_slicegan.cli.directions.fit_directions", refuse_work)
    for flags, expected in (
        ("--seeds 1", "2 to 1,000 seeds, got 1;"),
        ("--seeds 9999999999", "2 to 1,000 seeds, got 9,999,999,999;"),
        ("--guided-samples 9999999", "0 to 1,000,000 samples, got 9,999,999;"),
        ("--phase 3", "one of the phases 7, 207, got 3;"),
        ("--guided-samples 3", "at least 8 samples"),
        ("--guided mean_gray", "got 'mean_gray'"),
    ):
        assert main(["directions", "fit", str(run), *flags.split()]) == 2
        assert expected in capsys.readouterr().err
