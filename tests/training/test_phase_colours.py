"""Colours of a phase map reach everything that is made from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.models.generator_file import TrainedGenerator, load_generator
from napari_slicegan.report import model_card
from napari_slicegan.report.figure import Colouring
from napari_slicegan.report.model_card import export_generator
from napari_slicegan.report.proof import ProofSettings
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.ome_zarr import open_levels
from napari_slicegan.volumes.volume import Volume
from tests.toys import finish_of, small_config, smooth_field

COLOURS = {0: "#ff0000", 1: "#0000ff"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a PNG with a palette: red and blue."""
    folder = tmp_path_factory.mktemp("coloured")
    picture = Image.fromarray((smooth_field(40, 48) > 0).astype(np.uint8), "P")
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.save(folder / "map.png")
    images = TrainingImages.isotropic(Micrograph.open(folder / "map.png"))
    trainer = Trainer.start(
        small_config().changed(steps=2, monitor_interval=1), images, folder / "run"
    )
    finish_of(trainer)
    return folder / "run"


@pytest.fixture
def trained(run: Path) -> TrainedGenerator:
    return load_generator(run)


def test_of_the_image_and_its_run(run: Path, trained: TrainedGenerator) -> None:
    assert TrainingImages.load(run / "micrographs").colours == COLOURS
    assert trained.colours == COLOURS
    with Image.open(run / "preview.png") as preview:
        seen = {*map(tuple, np.asarray(preview).reshape(-1, 3).tolist())}
    assert seen <= {(255, 0, 0), (0, 0, 255), (255, 255, 255)}


def test_of_a_volume_as_tiff(trained: TrainedGenerator, tmp_path: Path) -> None:
    """Other programs see a palette; this one the same volume."""
    volume = generate(trained, (12, 20, 16))
    assert volume.colours == COLOURS
    volume.save(tmp_path / "v.tif")
    assert Volume.open(tmp_path / "v.tif").colours == COLOURS
    with tifffile.TiffFile(tmp_path / "v.tif") as tiff:
        page = tiff.pages.first
        assert page.photometric == tifffile.PHOTOMETRIC.PALETTE
        table = np.asarray(page.colormap)
    np.testing.assert_array_equal(table[:, :2].T >> 8, [[255, 0, 0], [0, 0, 255]])
    read = read_image(tmp_path / "v.tif")
    np.testing.assert_array_equal(read.values, volume.values)
    assert read.colours == COLOURS


def test_of_a_volume_as_ome_zarr(trained: TrainedGenerator, tmp_path: Path) -> None:
    pytest.importorskip("zarr", reason="needs the extra scale")
    path = tmp_path / "v.ome.zarr"
    streamed = StreamedVolume.begin(VolumePlan(trained, (12, 20, 16)), path)
    streamed.write()
    _, own = open_levels(path)
    assert own["colours"] == COLOURS
    assert streamed.planes().colours == COLOURS
    # For other programs, as the specification of label images has it.
    attributes = json.loads((path / "zarr.json").read_text("utf-8"))["attributes"]
    assert attributes["ome"]["image-label"]["colors"] == [
        {"label-value": 0, "rgba": [255, 0, 0, 255]},
        {"label-value": 1, "rgba": [0, 0, 255, 255]},
    ]


def test_of_the_planes_in_a_report() -> None:
    drawn = Colouring((0, 1), known=COLOURS).colours(np.array([[0, 1]]))
    assert drawn.tolist() == [[[1, 0, 0], [0, 0, 1]]]
    # A phase without a colour: none is mixed with others.
    partly = Colouring((0, 1, 2), known=COLOURS)
    assert partly.phase_colours() == Colouring((0, 1, 2)).phase_colours()


def test_of_the_model_card(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ProofSettings(size=32, n_seeds=2, transport=False)
    monkeypatch.setattr(model_card, "ProofSettings", lambda **_: settings)
    export_generator(run, tmp_path / "map.safetensors")
    card = (tmp_path / "map.md").read_text("utf-8")
    assert "| Colours of the phases | 0 `#ff0000`, 1 `#0000ff` |" in card
    assert load_generator(tmp_path / "map.safetensors").colours == COLOURS


def test_labels_matched_by_rank_keep_their_colours() -> None:
    """0 and 255 of the second image become 0 and 1."""
    values = (smooth_field(40, 48) > 0).astype(np.uint8)
    plain = Micrograph.from_array(values, "phases")
    facts = replace(plain.facts, colours={0: COLOURS[0], 255: COLOURS[1]})
    coloured = replace(Micrograph.from_array(values * 255, "phases"), facts=facts)
    assert TrainingImages.isotropic(plain, coloured).colours == COLOURS
