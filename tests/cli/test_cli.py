"""The command line at toy size: what it does, prints and returns."""

from __future__ import annotations

import errno
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_slicegan import __version__
from napari_slicegan.cli.parser import main
from napari_slicegan.config.presets import preset
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.models.pretrained import pretrained_weights
from napari_slicegan.report.provenance import provenance_of
from napari_slicegan.runtime.memory import DISK_FULL
from napari_slicegan.training.run_folder import RunFolder, read_config
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume
from tests.toys import TOY_LABELS, phases_image, smooth_field

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished toy run."""
    return Path(shutil.copytree(toy_run, tmp_path / "run"))


def test_train(image: Path, settings: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    words = [str(image), "--config", str(settings), "--out", str(out), "--steps", "3"]
    assert main(["train", *words]) == 0
    assert RunFolder.open(out).load_checkpoint()["step"] == 3
    printed = capsys.readouterr()
    assert printed.out.startswith("my image.tif: 40 x 48 pixels")
    assert re.search(r"^About .* for 3 steps of ", printed.out, re.MULTILINE)
    assert "All steps are done. 3 steps in" in printed.out
    # The next command, ready to be copied.
    assert f"slicegan generate {out} --size 128" in printed.out
    # The bar: time left, speed and losses.
    for words_of_bar in ("Training", "left", "steps/s", "critic", "generator"):
        assert words_of_bar in printed.err


def test_pretrained_weights_are_stated(tmp_path: Path, capsys: Capture) -> None:
    """At the start and in the provenance, as are other first weights."""

    def training_of(name: str) -> str:
        run = tmp_path / name
        return provenance_of(run, load_generator(run)).training

    image = tmp_path / "rock.tif"
    tifffile.imwrite(image, phases_image(72, 72).values)
    words = ["train", str(image), "--threads", "1", "--steps", "1", "--out"]
    assert main([*words, str(tmp_path / "one")]) == 0
    sentence = "Training starts from weights trained on nanoporous gold"
    assert sentence in capsys.readouterr().out
    origin = pretrained_weights().origin
    assert "aquami 1.1.0" in origin
    assert f", from pretrained weights ({origin}), 1 steps" in training_of("one")
    other = {
        "random": (["--initial-weights", "random"], "slicegan-fast, 1 steps"),
        "narrow": (
            ["--generator-widths", "8", "8", "8", "8"],
            "slicegan-fast, 1 steps",
        ),
        "tuned": (
            ["--from", str(tmp_path / "one")],
            ", from the weights of another run,",
        ),
    }
    for name, (flags, words_of_training) in other.items():
        assert main([*words, str(tmp_path / name), *flags]) == 0
        assert sentence not in capsys.readouterr().out
        assert words_of_training in training_of(name)
        settings = RunFolder.open(tmp_path / name).config().architecture
        assert settings.initial_weights == "random"


def test_the_same_command_resumes_a_run_of_before_pretrained_weights(
    tmp_path: Path, capsys: Capture
) -> None:
    """Its settings do not name them; a flag that asks for them is refused."""
    image, run = tmp_path / "rock.tif", tmp_path / "run"
    tifffile.imwrite(image, phases_image(72, 72).values)
    words = ["train", str(image), "--threads", "1", "--steps", "1", "--out", str(run)]
    assert main([*words, "--initial-weights", "random"]) == 0
    config = json.loads((run / "config.json").read_text())
    del config["settings"]["architecture"]["initial_weights"]
    (run / "config.json").write_text(json.dumps(config))
    assert main(words) == 0
    assert RunFolder.open(run).load_checkpoint()["step"] == 2
    assert main([*words, "--initial-weights", "pretrained"]) == 2
    assert "Initial weights" in capsys.readouterr().err


def test_stopped_before_the_first_step(
    image: Path,
    settings: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is promised that there is not: no resuming, no generator."""
    run = Trainer.run

    def stopped(trainer: Trainer) -> Any:
        trainer.stop()
        return run(trainer)

    monkeypatch.setattr(Trainer, "run", stopped)
    words = [str(image), "--config", str(settings), "--out", str(tmp_path / "out")]
    assert main(["train", *words]) == 130
    printed = capsys.readouterr().out
    assert "Stopped before the first step; start the run again" in printed
    assert "slicegan" not in printed


def test_runs_get_a_folder_of_their_own(
    image: Path, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named after the image and the time, below slicegan-runs."""
    monkeypatch.chdir(tmp_path)
    words = [str(image), "--config", str(settings), "--steps", "1"]
    assert main(["train", *words]) == 0
    (run,) = (tmp_path / "slicegan-runs").iterdir()
    assert run.name.startswith("my-image-20")


def test_train_on_pairs(settings: Path, tmp_path: Path, capsys: Capture) -> None:
    """Sections 3 voxels apart, of all directions or of the one without an image."""
    field = smooth_field(48, 48, 48)
    names = []
    for number, position in enumerate((0, 3, 20, 40)):
        names.append(str(tmp_path / f"{number}.tif"))
        tifffile.imwrite(names[-1], (field[position] > 0).astype(np.uint8))
    pair = ["--pairs", *names[:2], "--distance", "3", "--pixel-size-nm", "50"]
    common = ["--config", str(settings), "--out"]
    assert main(["train", *pair, *common, str(tmp_path / "one")]) == 0
    printed = capsys.readouterr().out
    assert "0.tif and 1.tif: sections 3 pixels (150 nm) apart; " in printed
    assert "do not look 3 pixels apart" not in printed
    config = RunFolder(tmp_path / "one").config().slices
    assert (config.pair_distance, config.pair_axis) == (3, "all")
    assert main(["info", str(tmp_path / "one")]) == 0

    words = [*pair, "--z", names[2], "--x", names[3], *common]
    assert main(["train", *words, str(tmp_path / "views")]) == 0
    config = RunFolder(tmp_path / "views").config().slices
    assert (config.pair_distance, config.pair_axis) == (3, "y")
    capsys.readouterr()
    # The same command resumes the run.
    assert main(["train", *words, str(tmp_path / "views")]) == 0
    assert "trains as long again from step 4" in capsys.readouterr().out

    wrong = ["--pairs", names[2], names[3], "--distance", "3", *common]
    assert main(["train", *wrong, str(tmp_path / "wrong")]) == 0
    printed = capsys.readouterr().out
    assert "differ, more than of close pixels within a section." in printed
    assert "2.tif and 3.tif do not look 3 pixels apart." in printed
    # Crossings of the field along a line: one in 8.9 voxels (Rice).
    wide = ["--pairs", *names[:2], "--distance", "4", *common]
    assert main(["train", *wide, str(tmp_path / "wide")]) == 0
    assert re.search(r"the mean chord of phase \d \([789]\.", capsys.readouterr().out)


def test_train_on_three_views(settings: Path, tmp_path: Path, capsys: Capture) -> None:
    words = []
    for seed, axis in enumerate("zyx"):
        path = tmp_path / f"{axis}.tif"
        tifffile.imwrite(path, phases_image(40, 48, seed=seed).values)
        words += [f"--{axis}", str(path)]
    out = tmp_path / "out"
    words += ["--config", str(settings), "--out", str(out), "--steps", "1"]
    assert main(["train", *words, "--augmentation", "auto"]) == 0
    images = RunFolder.open(out).images()
    assert images.material == "anisotropic"
    assert [image.name for image in images] == ["z.tif", "y.tif", "x.tif"]
    assert RunFolder.open(out).config().slices.augmentation == "flips"
    assert "crops are mirrored at random" in capsys.readouterr().out
    assert main(["info", str(out)]) == 0
    assert "trained on     z.tif, y.tif, x.tif\n" in capsys.readouterr().out


def test_choices_are_printed_with_the_flags_that_change_them(
    settings: Path, tmp_path: Path, capsys: Capture
) -> None:
    """A generator that is trained further has made those of its architecture."""
    words = ["train", "--config", str(settings), "--steps", "1"]
    for seed, (axis, longer) in enumerate((("z", 4), ("y", 4), ("x", 1))):
        values = phases_image(96, 96, seed=seed).values
        path = tmp_path / f"{axis}.tif"
        tifffile.imwrite(path, np.repeat(values, longer, axis=1))
        words += [f"--{axis}", str(path)]

    def choices(name: str, *flags: str) -> list[tuple[str, ...]]:
        """Text, flag and other value of each choice that a training prints."""
        assert main([*words, "--out", str(tmp_path / name), *flags]) == 0
        pattern = r"^  (.*) \((--[a-z-]+) (.*) changes that\)\.$"
        return re.findall(pattern, capsys.readouterr().out, re.MULTILINE)

    mirrored = "The views look the same in a mirror: crops are mirrored at random"
    stretched = r"The structure is long: a voxel of the network becomes (\d+) along x"
    flips, stretch = choices("one")
    assert flips == (mirrored, "--augmentation", "none")
    assert stretch[1:] == ("--voxel-stretch", "1 1 1")
    (factor,) = re.findall(stretched, stretch[0])
    first = RunFolder.open(tmp_path / "one").config()
    assert first.slices.augmentation == "flips"
    assert first.architecture.voxel_stretch == (1, 1, int(factor))
    assert int(factor) > 1

    assert choices("further", "--from", str(tmp_path / "one")) == [flips]
    further = RunFolder.open(tmp_path / "further").config()
    assert further.architecture.voxel_stretch == first.architecture.voxel_stretch

    others = [word for _, flag, other in (flips, stretch) for word in (flag, other)]
    assert choices("other", *" ".join(others).split()) == []
    other = RunFolder.open(tmp_path / "other").config()
    assert other.slices.augmentation == "none"
    assert other.architecture.voxel_stretch == (1, 1, 1)


def test_train_on_a_volume(settings: Path, tmp_path: Path) -> None:
    """--anisotropic cuts it along all axes."""
    path = tmp_path / "volume.tif"
    tifffile.imwrite(path, phases_image(20, 21, 22).values)
    out = tmp_path / "out"
    words = [str(path), "--config", str(settings), "--out", str(out), "--steps", "1"]
    assert main(["train", *words, "--anisotropic"]) == 0
    assert RunFolder.open(out).images().material == "anisotropic"


def test_resume(run: Path, capsys: Capture) -> None:
    assert main(["resume", str(run), "--steps", "6"]) == 0
    assert RunFolder.open(run).load_checkpoint()["step"] == 6
    assert "All steps are done. 6 steps in" in capsys.readouterr().out


def test_generate(run: Path, capsys: Capture) -> None:
    """Next to the generator, named after size and seed."""
    words = ["--size", "24", "20", "16", "--periodic", "zx", "--seed", "7"]
    assert main(["generate", str(run), *words, "--device", "cpu"]) == 0
    path = run / "volume-24x20x16-seed7.tif"
    assert f"Saved {path}" in capsys.readouterr().out
    volume = Volume.open(path)
    assert volume.values.shape == (24, 20, 16)
    assert (volume.labels, volume.voxel_size_nm) == (TOY_LABELS, 5)


def test_generate_elsewhere(run: Path, tmp_path: Path) -> None:
    """One number is a cube; a generator alone is enough; the same seed is the same."""
    path = tmp_path / "cube.npy"
    generator = run / "generator.safetensors"
    assert main(["generate", str(generator), "--size", "20", "--out", str(path)]) == 0
    assert main(["generate", str(run), "--size", "20", "20", "20"]) == 0
    first = np.load(path)
    second = Volume.open(run / "volume-20x20x20-seed0.tif").values
    np.testing.assert_array_equal(first, second)


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_measure_json(run: Path, tmp_path: Path, capsys: Capture) -> None:
    """Strict JSON on standard output, nothing else: the truth against itself."""
    truth = tmp_path / "truth.tif"
    Volume(phases_image(40, 40, 40).values, "phases").save(truth)
    words = ["measure", str(truth), "--against", str(truth), "--json"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=no_constant)
    rows = [row for row in facts["rows"] if row["metric"] == "phase_fraction"]
    values = phases_image(40, 40, 40).values
    for row, label in zip(rows, TOY_LABELS, strict=True):
        assert row["phase"] == label
        assert row["real"] == pytest.approx((values == label).mean())
        assert row["distance"] == 0


@pytest.mark.filterwarnings("default:Voxels of 5 x 5 x 10 nm:UserWarning")
def test_a_measured_volume_gets_a_size_where_it_has_none(
    tmp_path: Path, capsys: Capture
) -> None:
    """Planes 10 nm apart and pixels of 5 nm are 40 voxels along z."""
    values = phases_image(40, 40, 40).values
    np.save(tmp_path / "bare.npy", values[::2])
    Volume(values, "phases", 5.0).save(tmp_path / "sized.tif")
    tifffile.imwrite(tmp_path / "sem.tif", phases_image(40, 48).values)
    against = ["--against", str(tmp_path / "sem.tif"), "--pixel-size-nm", "5"]
    words = ["measure", str(tmp_path / "bare.npy"), *against]
    assert main([*words, "--z-step-nm", "10"]) == 0
    printed = capsys.readouterr().out
    assert "bare.npy: 40 x 40 x 40 voxels, voxel size 5 nm (as given)" in printed
    assert main(["measure", str(tmp_path / "sized.tif"), *against, "--json"]) == 0
    out, errors = capsys.readouterr()
    assert json.loads(out)["rows"]
    assert "sized.tif: 40 x 40 x 40 voxels, voxel size 5 nm (from the" in errors
    # The image has 5 nm, the volume in the file 8.
    Volume(values, "phases", 8.0).save(tmp_path / "sized.tif")
    assert main(["measure", str(tmp_path / "sized.tif"), *against]) == 2
    assert "8 nm" in capsys.readouterr().err
    Volume(values, "phases").save(tmp_path / "ours.tif")
    for name in ("bare.npy", "ours.tif"):
        words = ["measure", str(tmp_path / name), "--z-step-nm", "10"]
        assert main([*words, "--against", str(tmp_path / "sem.tif")]) == 2
        assert "expected a pixel size" in capsys.readouterr().err


def test_labels_of_a_volume_and_an_image_may_be_spread(
    tmp_path: Path, capsys: Capture
) -> None:
    """0, 1 of a volume are the phases 0, 255 of a picture of the same material."""
    values = (phases_image(24, 24, 24).values == TOY_LABELS[1]).astype(np.uint8)
    tifffile.imwrite(tmp_path / "volume.tif", values, photometric="minisblack")
    tifffile.imwrite(tmp_path / "picture.tif", values[0] * 255)
    words = [str(tmp_path / "volume.tif"), "--against", str(tmp_path / "picture.tif")]
    assert main(["measure", *words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    (bright,) = (
        r for r in rows if r["metric"] == "phase_fraction" and r["phase"] == 255
    )
    assert bright["real"] == pytest.approx(values[0].mean())
    assert bright["generated"] == pytest.approx(values.mean())
    assert main(["measure", *words]) == 0
    assert "labels are matched to the real ones by rank: 0 -> 0, 1 -> 255." in (
        capsys.readouterr().out
    )


def test_measure_a_run(run: Path, tmp_path: Path, capsys: Capture) -> None:
    """A table against its own image, and a figure."""
    figure = tmp_path / "figure.png"
    assert main(["measure", str(run), "--size", "40", "--figure", str(figure)]) == 0
    table = capsys.readouterr().out
    assert "noise floor" in table
    assert "percolat" in table.lower()
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_report(run: Path, capsys: Capture) -> None:
    words = ["report", str(run), "--size", "32", "--seeds", "2", "--quick"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert f"Saved {run / 'report.html'}" in printed
    facts = json.loads((run / "report.json").read_text(), parse_constant=no_constant)
    assert facts["proof"]["verdict"]["headline"] in printed
    assert (run / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    # Its card tells the same.
    out = run.parent / "shelf" / "toy.safetensors"
    assert main(["export", str(run), str(out), "--licence", "CC0"]) == 0
    card = out.with_suffix(".md").read_text("utf-8")
    assert facts["proof"]["verdict"]["headline"] in card
    assert "CC0" in card


def test_generators_that_ship_have_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "sample:varied_sandstone", "--size", "32"]) == 0
    # Here, and not beside the generator.
    (written,) = tmp_path.iterdir()
    assert Volume.open(written).labels == (0, 255)
    assert main(["info", "sample:varied_sandstone"]) == 0
    assert "sandstone" in capsys.readouterr().out


def test_presets(capsys: Capture) -> None:
    assert main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "slicegan-fast",
        "slicegan-fine",
        "slicegan-paper",
        "slicegan-v1",
        "slicegan-head",
        *("oasis-28", "oasis-64", "oasis-128", "oasis-256"),
        *("realness-toy", "realness-toy-paper", "realness-dcgan", "specgan"),
        "specgan-small",
    ]
    assert main(["presets", "slicegan-paper", "--all"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["architecture"]["latent_channels"] == 64


def test_a_preset_is_printed_without_the_rest(capsys: Capture, tmp_path: Path) -> None:
    """What matters for it, from which a file of settings can be made."""
    assert main(["presets", "oasis-28"]) == 0
    text = capsys.readouterr().out
    assert "voxel_noise" not in text
    assert json.loads(text)["optimiser"]["generator_lr"] == 1e-4
    (tmp_path / "mine.json").write_text(text)
    assert read_config(tmp_path / "mine.json") == preset("oasis-28")


def test_info(run: Path, capsys: Capture) -> None:
    assert main(["info", str(run)]) == 0
    lines = dict(
        line.split(maxsplit=1)
        for line in capsys.readouterr()
        .out.replace("trained on", "trained")
        .splitlines()
        if line.startswith(("trained", "kind", "architecture", "weights", "steps"))
    )
    assert lines["trained"] == "toy"
    assert lines["kind"] == "phases"
    assert lines["steps"] == "4"
    # 4 6 64 + 6 6 64 + 6 4 64 weights, and two batch norms of 6 scales and shifts.
    assert lines["weights"] == "5,400"
    assert main(["info", str(run / "generator.safetensors")]) == 0


def test_info_of_a_run_that_saved_nothing_yet(run: Path, capsys: Capture) -> None:
    for checkpoint in RunFolder(run).checkpoints():
        checkpoint.unlink()
    resume = f"slicegan resume {run}"
    assert main(["info", str(run)]) == 0
    printed = capsys.readouterr().out
    assert f"checkpoints    none; {resume} begins with the first step" in printed
    (run / "generator.safetensors").unlink()
    assert main(["info", str(run)]) == 0
    printed = capsys.readouterr().out
    assert f"generator      none yet; {resume} trains and saves it" in printed
    assert all(line[15:].strip() for line in printed.splitlines())


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


FAULTS = {
    "no such image": ("train nothing.tif", "nothing.tif"),
    "image and views": ("train IMAGE --z IMAGE", "Expected image files"),
    "two views": ("train --z IMAGE --y IMAGE", "z, y and x"),
    "pairs without a distance": (
        "train --pairs IMAGE IMAGE",
        "give for example",
    ),
    "pairs beside images": (
        "train IMAGE --pairs IMAGE IMAGE --distance 3",
        "Expected the images of --pairs alone",
    ),
    "pairs beside one view": (
        "train --z IMAGE --pairs IMAGE IMAGE --distance 3",
        "Expected the images of --pairs alone",
    ),
    "a single section": (
        "train --pairs IMAGE --distance 3 --config C",
        "got only IMAGE",
    ),
    "distance zero": ("train --pairs IMAGE IMAGE --distance 0", "'Pair distance'"),
    "no such sample": ("train sample:granite", "granite"),
    "impossible setting": ("train IMAGE --patch-size 3", "'Patch size'"),
    "large patch": ("train IMAGE", "at least 64 x 64"),
    "preset and file": ("train IMAGE --preset slicegan-v1 --config C", "not both"),
    "no such settings": ("train IMAGE --config none.json", "cannot be read"),
    "folder in use": ("train IMAGE --config C --out RUN", "got others; give another"),
    "no device": ("train IMAGE --config C --device cuda:7 --out new", "cuda:7"),
    "no such run": ("resume nothing", "not a run folder"),
    "no generator": ("generate nothing", "train first"),
    "no source for a report": ("report RUN/generator.safetensors", "--against"),
    "report as PDF": ("report RUN --out report.pdf", ".html"),
    "image as generator": ("generate IMAGE", "a safetensors file, got one that cannot"),
    "no name": ("train ''", "an empty one; give"),
    "crop of a word and a number": (
        "train IMAGE --crop auto 5",
        "'Crop' (crop): should be first row, row after the last, first column, column "
        "after the last; or auto, which leaves out data bars and borders without "
        "values; got ('auto', '5').\n",
    ),
    "several volumes": ("train IMAGE IMAGE --anisotropic", "the folder of its slices"),
    "the folder itself": ("info .", "FOLDER: expected an image file"),
    "huge widths": ("train IMAGE --width-multiplier 1e308", "at most 1000, for"),
    "two sizes": ("generate RUN --size 8 8", "one size or three"),
    "odd period": ("generate RUN --size 20 --periodic x", "Use 16 or 24"),
    "nothing to compare": ("measure RUN/generator.safetensors", "--against"),
    "too many outcomes": ("evaluate mixture --sweep 9999 --out new", "to 1024"),
    "no such preset": ("presets slicegan-2", "There is no preset"),
}


def test_faults(
    image: Path,
    settings: Path,
    run: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit status 2, words on standard error, no traceback, and nothing done."""
    monkeypatch.chdir(tmp_path)
    image.rename("IMAGE")
    settings.rename("C")
    run.rename("RUN")
    before = sorted(path.name for path in tmp_path.iterdir())
    for name, (command, words) in FAULTS.items():
        assert main(shlex.split(command)) == 2, name
        printed = capsys.readouterr()
        assert words.replace("FOLDER", tmp_path.name) in printed.err
        # At once, before anything is generated.
        assert printed.err.startswith("slicegan: ")
        assert "Traceback" not in printed.err
        assert "[type=" not in printed.err  # pydantic's own words
        assert printed.out == ""
        assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_faults_of_the_file_system(
    run: Path, image: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full, a folder that cannot be made: no traceback either."""
    below_a_file = image / "volume.tif"
    words = ["generate", str(run), "--size", "8", "--out", str(below_a_file)]
    assert main(words) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("slicegan: ")
    assert str(image) in last

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_slicegan.volumes.files._write_tiff", full)
    assert main([*words[:-1], str(image.with_name("a.tif"))]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"slicegan: {DISK_FULL}"

    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "a.raw")

    monkeypatch.setattr(RunFolder, "history", forbidden)
    monkeypatch.setattr("napari_slicegan.data.image_files._read", forbidden)
    for words in (["info", str(run)], ["info", str(image)], ["info", str(run), "x"]):
        assert main(words) == 2
        assert "got a.raw (Permission denied); check" in capsys.readouterr().err


def test_misspelt_commands(capsys: Capture) -> None:
    commands = (
        "practise x",
        "train --no-such-flag",
        "directions apply R --move a=1 --truncation inf",
        "generate R --size big",
    )
    for command in commands:
        with pytest.raises(SystemExit) as caught:
            main(command.split())
        assert caught.value.code == 2
        printed = capsys.readouterr().err
        assert "usage: slicegan" in printed
    assert "expected voxels such as 64 or 64x96x96, got 'big'" in printed
