"""Settings of images that contradict each other, or the image: refused, or implied."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicegan.cli import main
from napari_slicegan.cli.options import opened
from napari_slicegan.cli.parser import _parser
from napari_slicegan.cli.report import _source
from napari_slicegan.config import MicrographSettings, RunConfig
from napari_slicegan.config.images import check_micrograph
from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.transforms import ScaleMinMax
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.training.fine_tuning import settings_of
from napari_slicegan.training.run_folder import RunFolder, read_config
from napari_slicegan.training.trainer import Trainer
from tests.refusals import assert_all_refused
from tests.toys import phases_image, random_generator

if TYPE_CHECKING:
    from napari_slicegan.data.training_images import TrainingImages

GRAY = np.random.default_rng(0).integers(0, 256, (48, 56), dtype=np.uint8)
STACK = np.stack([GRAY] * 9)

# Settings alone, as flags name them.
TOGETHER: dict[str, tuple[dict[str, Any], str]] = {
    "two methods": (
        {"thresholds": (120,), "n_phases": 3},
        r"'Phases' \(n_phases\) belongs to .* multi-otsu, got thresholds",
    ),
    "method off": (
        {"segmentation": "none", "thresholds": (120,)},
        r"'Thresholds' .* belongs to .* thresholds, got none",
    ),
    "Otsu makes two": ({"segmentation": "otsu", "n_phases": 3}, "got otsu"),
    "window of Otsu": ({"segmentation": "otsu", "local_window": 31}, "got otsu"),
    "classifier and Otsu": (
        {"segmentation": "otsu", "classifier": "c.npz"},
        r"'Classifier' .*, got otsu",
    ),
    "classifier and thresholds": (
        {"classifier": "c.npz", "thresholds": (120,)},
        r"got thresholds",
    ),
    "phases of phases": (
        {"kind": "phases", "n_phases": 3},
        r"got none and 'Image kind' \(kind\) phases",
    ),
    "phases of gray values": (
        {"kind": "grayscale", "n_phases": 2},
        r"got none and 'Image kind' \(kind\) grayscale",
    ),
    "colours are not segmented": (
        {"kind": "colour", "segmentation": "otsu"},
        "of gray values, got .* colour",
    ),
    "objects are not segmented": (
        {"kind": "objects", "thresholds": (1,)},
        r"got none and .* objects",
    ),
    "channel of colours": (
        {"kind": "colour", "channel": "red"},
        "got 'Channel' ",
    ),
    "radius without filter": ({"denoise": "none", "denoise_radius": 2}, "got none"),
    "type without shape": ({"raw_type": "<u2"}, "got no 'Raw shape'"),
    "objects of gray values": (
        {"kind": "grayscale", "smallest_object": 9},
        r"'Smallest object' .* phases, got .* grayscale",
    ),
    "holes of colours": ({"kind": "colour", "smallest_hole": 9}, "got .* colour"),
    "noise of images": (
        {"architecture": "dcgan-28", "patch_size": 28, "noise": True},
        r"'Noise inputs' .* generators of volumes, got .* dcgan-28",
    ),
    "noise in voxels only": (
        {"noise": False, "voxel_noise": "on"},
        r"'Noise in each voxel' .* noise inputs, got .* False",
    ),
    "images of volumes": (
        {"max_images": 4},
        r"'Maximum images' .* generators of images, got .* slicegan-aa",
    ),
}
# Settings and a file.
WITH_FILE: dict[str, tuple[str, Any, dict[str, Any], str]] = {
    "channel of one": ("a.png", GRAY, {"channel": "red"}, "channels .* red, got one"),
    "page of one": ("a.tif", GRAY, {"channel": "2"}, "channels .* 2, got one"),
    "page too high": ("a.tif", STACK, {"channel": "10"}, "from 1 to 9, got 10"),
    "dataset of PNG": ("a.png", GRAY, {"dataset": "x"}, "'Dataset' x, got one with"),
    "shape of PNG": ("a.png", GRAY, {"raw_shape": (48, 56)}, "header .*, got an image"),
    "planes of one": (
        "a.png",
        GRAY,
        {"z_step_nm": 5},
        "a volume .* 5 nm, got .* 48 x 56",
    ),
    "planes, no pixel": ("a.npy", STACK, {"z_step_nm": 5}, "a pixel size .*, got none"),
    "no phases": ("a.png", GRAY, {"smallest_object": 9}, "'phases', got 'grayscale'"),
    "smooth phases": ("a.png", GRAY // 128, {"denoise": "median"}, "got 'phases'"),
}


def write(path: Path, values: Any) -> Path:
    """A file of these values by the ending of its name."""
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, values, photometric="minisblack")
    else:
        Image.fromarray(values).save(path)
    return path


def test_settings_that_contradict_each_other(tmp_path: Path) -> None:
    def changed(given: dict[str, Any], _: Path) -> RunConfig:
        return preset("slicegan-fast").changed(**given)

    assert_all_refused(
        [
            (title, partial(changed, given), words)
            for title, (given, words) in TOGETHER.items()
        ],
        tmp_path,
    )


def test_settings_that_do_not_fit_the_file(tmp_path: Path) -> None:
    def read(name: str, values: Any, given: dict[str, Any], folder: Path) -> None:
        Micrograph.open(write(folder / name, values), MicrographSettings(**given))

    assert_all_refused(
        [
            (title, partial(read, name, values, given), words)
            for title, (name, values, given, words) in WITH_FILE.items()
        ],
        tmp_path,
    )


IMPLIED: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"n_phases": 2}, {"segmentation": "multi-otsu"}),
    ({"thresholds": (120,)}, {"segmentation": "thresholds"}),
    ({"local_window": 31}, {"segmentation": "local"}),
    ({"classifier": "c.npz"}, {"segmentation": "classifier"}),
    ({"kind": "phases", "denoise_radius": 2}, {"denoise": "median"}),
    ({"kind": "phases", "segmentation": "otsu"}, {}),
    ({"segmentation": "none", "thresholds": ()}, {}),
]


def test_a_setting_turns_its_method_on(subtests: pytest.Subtests) -> None:
    for given, implied in IMPLIED:
        with subtests.test(given=given):
            made = RunConfig().changed(**given).micrograph
            assert made == MicrographSettings(**given, **implied)


def test_scripts_get_the_same_answer(tmp_path: Path) -> None:
    """Settings made without `changed`, by any way into a micrograph."""
    path = write(tmp_path / "a.png", GRAY)
    with pytest.raises(ValueError, match=r"'Thresholds' .* got none; leave it out"):
        Micrograph.open(path, MicrographSettings(thresholds=(120,)))


# Two files of one material, of which only the first has what the setting is about.
MIXED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "channel": ("rgb.png", "a.png", {"channel": "red"}),
    "page": ("stack.tif", "a.png", {"channel": "2"}),
    "planes": ("stack.tif", "a.png", {"z_step_nm": 20, "pixel_size_nm": 10}),
    "dataset": ("two.npz", "a.png", {"dataset": "second"}),
    "plain values": ("a.raw", "a.png", {"raw_shape": (48, 28), "raw_type": "<u2"}),
}


def test_a_setting_may_apply_to_some_of_the_images(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """It is refused where it applies to none."""
    write(tmp_path / "a.png", GRAY)
    write(tmp_path / "stack.tif", STACK)
    write(tmp_path / "rgb.png", np.stack([GRAY, GRAY.T.reshape(GRAY.shape), GRAY], -1))
    np.savez(tmp_path / "two.npz", first=GRAY, second=GRAY[:, ::-1])
    (tmp_path / "a.raw").write_bytes(GRAY.tobytes())
    for name, (applies, other, given) in MIXED.items():
        with subtests.test(name):
            settings = MicrographSettings(**given)
            paths = [str(tmp_path / file) for file in (applies, other)]
            alone = Micrograph.open(paths[0], settings)
            plain = Micrograph.open(paths[1])
            for order in (paths, paths[::-1]):
                found = {image.name: image for image in opened(order, settings)}
                assert found[applies].z_step == alone.z_step
                np.testing.assert_array_equal(found[applies].values, alone.values)
                np.testing.assert_array_equal(found[other].values, plain.values)
            with pytest.raises(ValueError, match=f"^{other}: expected"):
                opened([paths[1], paths[1]], settings)


def test_views_of_a_material_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel of one view is no fault of the others; each keeps its images."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "gray.png", GRAY)
    write(tmp_path / "other.png", GRAY[:, ::-1])
    write(tmp_path / "rgb.png", np.stack([GRAY[::-1], GRAY, GRAY], -1))
    started: list[TrainingImages] = []

    def start(_: RunConfig, images: TrainingImages, *__: object) -> None:
        started.append(images)
        raise ValueError("started")

    monkeypatch.setattr(Trainer, "start", start)
    words = "train --z gray.png other.png --y rgb.png --x gray.png --channel red"
    assert main(words.split()) == 2
    names = {axis: [i.name for i in of] for axis, of in started[0].views.items()}
    assert names == {
        "z": ["gray.png", "other.png"],
        "y": ["rgb.png"],
        "x": ["gray.png"],
    }


def test_an_automatic_crop_says_that_nothing_is_cropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", GRAY)
    image = Micrograph.open(path, MicrographSettings(crop="auto"))
    assert "Nothing is cropped: no data bar or" in " ".join(image.summary())


def test_runs_of_earlier_releases_may_hold_unused_settings(
    toy_config: RunConfig, tmp_path: Path
) -> None:
    """Their window kept what was typed for another method; it is dropped."""
    used = toy_config.micrograph.model_copy(update={"n_phases": 5})
    old = toy_config.model_copy(update={"micrograph": used})
    folder = RunFolder(tmp_path)
    folder.write_config(old)
    assert folder.config() == toy_config
    assert settings_of(tmp_path) == toy_config
    assert read_config(tmp_path / "config.json") == toy_config


def test_settings_written_by_hand_are_not_dropped(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"micrograph": {"thresholds": [120]}}')
    assert read_config(file).changed(crop="auto").micrograph.thresholds == (120,)


OFF: dict[str, Any] = {"segmentation": "none"}
OTSU: dict[str, Any] = {"segmentation": "otsu"}
MULTI: dict[str, Any] = {"segmentation": "multi-otsu", "n_phases": 4}


INHERITED: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (MULTI, OTSU, OTSU),
    (MULTI, OFF, {}),
    (MULTI, {"kind": "colour"}, {"kind": "colour"}),
    (MULTI, {"n_phases": 2}, {**MULTI, "n_phases": 2}),
    (
        MULTI,
        {"thresholds": (9,)},
        {"segmentation": "thresholds", "thresholds": (9,)},
    ),
    ({"segmentation": "thresholds", "thresholds": (9,)}, OTSU, OTSU),
    ({"denoise": "median", "denoise_radius": 2}, {"denoise": "none"}, {}),
    ({"kind": "objects"}, OTSU, OTSU),
    ({"kind": "colour"}, {"n_phases": 4}, MULTI),
    ({"channel": "red"}, {"kind": "colour"}, {"kind": "colour"}),
    ({"raw_shape": (4, 4), "raw_type": "<u2"}, {"raw_shape": ()}, {}),
    (
        {"kind": "phases", "smallest_hole": 5},
        {"kind": "grayscale"},
        {"kind": "grayscale"},
    ),
]


def test_what_is_given_now_wins_over_what_is_inherited(
    subtests: pytest.Subtests,
) -> None:
    for before, given, after in INHERITED:
        with subtests.test(before=before, given=given):
            inherited = RunConfig(micrograph=MicrographSettings(**before))
            made = inherited.changed(**given).micrograph
            assert made == MicrographSettings(**after)
            check_micrograph(made)


def test_inherited_settings_of_image_sets_yield_too() -> None:
    assert preset("specgan").images.log_offset is not None
    assert preset("specgan").changed(scaling="min-max").images.log_offset is None


COMMANDS = {
    "train a.png --thresholds 120 --n-phases 3": "got thresholds",
    "train a.png --segmentation otsu --n-phases 3": "got otsu",
    "train a.png --outcomes 5": "realness, got 'Objective' (objective) r3gan",
    "train a.png --objective bce --weight-clip 0.1": "wgan, got 'Objective'",
    "train a.png --kind grayscale --n-phases 3": "grayscale; leave it out",
    "train a.png --channel red": "with channels for 'Channel' red",
    "train a.png --raw-shape 48 56": "without a header for 'Raw shape'",
    "train --anisotropic --z a.png --y a.png --x a.png": "--anisotropic or",
    "info a.png --dataset x": "several images for 'Dataset' x",
    "info sample:bentheimer --crop auto": "an image for --crop, got a generator",
    "measure sample:bentheimer --crop auto": "Give a reference",
    "measure RUN --crop auto": "--against for --crop, got none",
    "report RUN --crop auto": "--against for --crop, got none",
    "train images --preset oasis-28 --crop auto": "got a set of whole images",
    "train images --preset oasis-28 --anisotropic": "for --anisotropic, got a set",
    "train --preset realness-toy --z a.png": "for --z, got points",
    "train --preset realness-toy --kind phases": "for --kind, got points",
    "evaluate mixture RUN --steps 5": "a new run for --steps, got a run",
    "evaluate mixture RUN --preset realness-toy": "for --preset, got a run",
    "evaluate mixture RUN --out here": "a new run for --out, got a run",
    "evaluate mixture RUN --points a.npy": "got both",
    "evaluate mixture RUN --sweep": "got both",
    "evaluate mixture --points a.npy --seed 3": "for --seed, got points by --points",
    "evaluate mixture --sweep 2 --outcomes 5": "one run for --outcomes, got a sweep",
    "directions fit RUN --no-effects --seeds 2": "for --seeds, got --no-effects",
    "directions fit RUN --guided --guided-samples 9": "for --guided-samples, got none",
    "measure a.npy --against a.npy --size 64": "for --size, got a volume in a file",
    "measure a.npy --against a.npy --seed 4": "for --seed, got a volume in a file",
}


def fill(folder: Path, run: Path) -> None:
    """A run, an image and a volume."""
    (folder / "RUN").symlink_to(run)
    write(folder / "a.png", GRAY)
    write(folder / "a.npy", phases_image(16, 16, 16).values)


def test_flags_that_would_have_no_effect(
    toy_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, toy_run)
    (tmp_path / "images").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for command, words in COMMANDS.items():
        assert main(command.split()) == 2, command
        assert words in capsys.readouterr().err, command
    assert sorted(tmp_path.rglob("*")) == before


UNFIT = {
    "measure RUN --against a.png": "of one kind; got 'grayscale' and 'phases'",
    "report RUN --against a.png --quick": "of one kind; got 'grayscale' and 'phases'",
    "measure RUN a.npy --transport --size 64": "for --size, got a volume in a file",
    "report RUN --permeability 9": "of the phases 7, 207, got phase 9",
    "report RUN --block 300 --size 32": "of 1 to 32 voxels",
    "measure RUN --conductivity 1": "each of the phases 7, 207, got 1",
    "directions fit g.safetensors --phase 1": "got phase 1 and a generator of gray",
}


def test_what_does_not_fit_a_generator_is_refused_before_the_work(
    toy_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(VolumePlan, "generate")
    fill(tmp_path, toy_run)
    random_generator(ScaleMinMax(0, 1, 1, "uint8")).save("g.safetensors")
    for command, words in UNFIT.items():
        assert main(command.split()) == 2, command
        assert words in capsys.readouterr().err, command


def test_a_run_can_be_measured_against_another_file(
    toy_run: Path, toy_config: RunConfig, image: Path, tmp_path: Path
) -> None:
    """Trained from plain values; holds what its window did not use."""
    run = tmp_path / "run"
    shutil.copytree(toy_run, run)
    read = {"raw_shape": (40, 48), "raw_type": "int8", "dataset": "a", "n_phases": 4}
    old = toy_config.micrograph.model_copy(update=read)
    RunFolder(run).write_config(toy_config.model_copy(update={"micrograph": old}))
    words = ["measure", str(run), "--against", str(image), "--size", "16"]
    assert main(words) == 0
    assert main([*words, "--raw-shape", "40", "48"]) == 2  # given now
    # A run that starts from this one reads other images, too.
    start = ["train", "--device", "cpu", "--steps", "1", str(image)]
    for flag, file in (("--from", run), ("--config", run / "config.json")):
        out = tmp_path / flag
        assert main([*start, flag, str(file), "--out", str(out)]) == 0
        assert RunFolder.open(out).config().micrograph.n_phases == 3


def test_the_crop_of_a_run_is_of_its_own_images(
    toy_run: Path,
    toy_config: RunConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also its pixel size, where the header of another image has one."""
    run = tmp_path / "run"
    shutil.copytree(toy_run, run)
    read = {"crop": (0, 32, 0, 30), "pixel_size_nm": 3.0}
    old = toy_config.micrograph.model_copy(update=read)
    RunFolder(run).write_config(toy_config.model_copy(update={"micrograph": old}))
    values = phases_image(48, 56).values
    nm = {"unit": "nm"}
    for name in ("toy", "other.tif"):
        tifffile.imwrite(
            tmp_path / name, values, imagej=True, resolution=(0.1, 0.1), metadata=nm
        )
    found = {}
    for name, flags in (("toy", []), ("other.tif", []), ("other.tif", ["auto"])):
        given = [word for flag in flags for word in ("--crop", flag)]
        words = ["measure", str(run), "--against", str(tmp_path / name), *given]
        options = _parser().parse_args(words)
        image = _source(options, run)
        assert isinstance(image, Micrograph)
        found[name, *flags] = (image.values.shape, image.pixel_size_nm)
        assert ("--crop 0 32 0 30" in caplog.text) is (name != "toy" and not flags)
        caplog.clear()
    whole = ((48, 56), pytest.approx(10))
    assert found == {
        ("toy",): ((32, 30), 3),
        ("other.tif",): whole,
        ("other.tif", "auto"): whole,
    }


@pytest.mark.parametrize("was_there", [True, False])
def test_a_refused_run_leaves_the_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_there: bool
) -> None:
    """Of all runs; also where it is empty."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.png", GRAY)
    if was_there:
        (tmp_path / "slicegan-runs").mkdir()
    assert main("train a.png --patch-size 40 --device cpu".split()) == 2
    assert (tmp_path / "slicegan-runs").exists() is was_there
    assert not list(tmp_path.glob("slicegan-runs/*"))
