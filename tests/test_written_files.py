"""Files of all kinds: flushed to the disk, with the permissions of the umask."""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.directions import fit_directions
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume
from tests.image_toys import toy_set
from tests.progress import cancelled_after
from tests.toys import phases_image, random_generator, small_config, train

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")


def write_all(folder: Path) -> list[Path]:
    """A run, data of other runs, volumes, directions and a stream; the files."""
    images = TrainingImages.isotropic(phases_image(40, 48))
    train(Trainer.start(small_config().changed(steps=2), images, folder / "run"))
    run = RunFolder(folder / "run")
    run.write_preview(np.zeros((8, 8), np.uint8), epoch=1)
    toy_set(3).save(folder / "images")
    nine_gaussians().save(folder / "points")
    for ending in ("tif", "npy", "vti", "nrrd", "mrc", "mha", "mhd"):
        values = np.eye(6, dtype=np.uint8).reshape(6, 3, 2)
        Volume(values, "phases").save(folder / f"volume.{ending}")
    trained = random_generator(OneHotPhases([7, 207]))
    found = fit_directions(trained, n_components=2, n_samples=50)
    found.save(folder / "directions.safetensors")
    if importlib.util.find_spec("zarr"):
        plan = VolumePlan(trained, (20, 16, 16), 3, tile_latents=4)
        StreamedVolume.begin(plan, folder / "a.ome.zarr").write()
        # The second one is left in the making, with its generator.
        begun = StreamedVolume.begin(plan, folder / "b.ome.zarr")
        cancelled_after(1, lambda progress: begun.write(progress=progress))
    return [path for path in folder.rglob("*") if path.is_file()]


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@posix
def test_permissions_are_those_of_the_umask(
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    for value in (0o000, 0o002, 0o027, 0o077):
        with subtests.test(oct(value)):
            folder = tmp_path / oct(value)
            folder.mkdir()
            with umask(value):
                files = write_all(folder)
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in files}
            assert {
                path: oct(mode)
                for path, mode in modes.items()
                if mode != 0o666 & ~value
            } == {}


@posix
def test_every_file_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Power failures lose or tear none of them."""
    flushed = set()
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        flushed.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    files = write_all(tmp_path)
    assert [path for path in files if path.stat().st_ino not in flushed] == []
    # Names are kept by their folders.
    folders = {path.parent for path in files}
    assert [path for path in folders if path.stat().st_ino not in flushed] == []
