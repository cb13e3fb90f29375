"""Volumes on disk by the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_slicegan.cli import generate as cli_generate
from napari_slicegan.cli.parser import main
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.streaming import StreamedVolume, tiles_folder
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.volumes.volume import Volume
from tests.streams import levels

if TYPE_CHECKING:
    from napari_slicegan.runtime.progress import Progress

pytest.importorskip("zarr", reason="needs the extra scale")
Capture = pytest.CaptureFixture[str]


def words(run: Path, out: Path, *more: str) -> list[str]:
    size = ("--size", "20", "21", "22")
    return ["generate", str(run), *size, "--device", "cpu", "--out", str(out), *more]


def test_ome_zarr(toy_run: Path, tmp_path: Path, capsys: Capture) -> None:
    """What it will take is said first; the same command again finds it finished."""
    out = tmp_path / "rock.ome.zarr"
    assert main(words(toy_run, out)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("About ")
    assert re.search(
        r"needs about .* of memory, and .* on the disk \(.* free\)", printed
    )
    assert printed.endswith(f"Saved {out}\n")
    expected = generate(load_generator(toy_run), (20, 21, 22)).values
    np.testing.assert_array_equal(levels(out)[0], expected)
    assert main(words(toy_run, out)) == 0


def test_the_time_of_several_tiles_is_said_first(
    toy_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = str(tmp_path / "rock.npy")
    edge = VolumePlan(load_generator(toy_run), (1, 1, 1)).tile_edges[0]
    for longest, pattern in (
        (edge, r"Saved"),
        (edge + 1, r"About \d+ s on this .*\.\nS"),
    ):
        size = map(str, ("--size", 1, 1, longest))
        assert main(["generate", str(toy_run), *size, "--out", out]) == 0
        assert re.match(pattern, capsys.readouterr().out)


def test_other_settings_are_refused(
    toy_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "rock.ome.zarr"
    assert main(words(toy_run, out)) == 0
    assert main(words(toy_run, out, "--seed", "2")) == 2
    [line] = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("slicegan: Expected the settings that rock.ome.zarr was")


def test_large_files_are_streamed(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_generate, "MEMORY_BYTES", 1000)
    assert main(words(toy_run, tmp_path / "streamed.tif")) == 0
    monkeypatch.undo()
    assert main(words(toy_run, tmp_path / "whole.tif")) == 0
    streamed, whole = (
        Volume.open(tmp_path / f"{n}.tif") for n in ("streamed", "whole")
    )
    np.testing.assert_array_equal(streamed.values, whole.values)
    assert (streamed.labels, streamed.voxel_size_nm) == (whole.labels, 5)


def test_interrupted_and_resumed(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Ctrl+C keeps the finished blocks and says so; the same command resumes."""
    monkeypatch.setattr(cli_generate, "MEMORY_BYTES", 1000)
    out = tmp_path / "rock.tif"

    def interrupted(self: StreamedVolume, cluster: None, progress: Progress) -> None:
        progress(0.5)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StreamedVolume, "write", interrupted)
        assert main(words(toy_run, out)) == 130
    assert "run the same command again" in capsys.readouterr().out
    assert not out.exists()
    assert tiles_folder(out).is_dir()
    assert main(words(toy_run, out)) == 0
    assert [item.name for item in tmp_path.iterdir()] == ["rock.tif"]


def test_a_small_disk_is_refused_before_the_start(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(
        "napari_slicegan.generation.estimates.free_disk_bytes", lambda path: 10
    )
    out = tmp_path / "rock.ome.zarr"
    assert main(words(toy_run, out)) == 2
    assert "of free disk space for rock.ome.zarr" in capsys.readouterr().err
    assert not out.exists()


def test_a_volume_through_a_section(
    toy_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The costs and what agrees are printed; the volume in the file contains it."""
    values = generate(load_generator(toy_run), (20, 21, 22), 5).values
    image, out = tmp_path / "section.tif", tmp_path / "rock.tif"
    tifffile.imwrite(image, values[:, 2:18, 11])
    through = ["--through", str(image), "--at", "x=11,z=0,y=2"]
    assert main(words(toy_run, out, *through)) == 0
    printed = capsys.readouterr().out
    assert re.search(
        "^About .* on this machine to fit the image; needs about .* of memory", printed
    )
    [found] = re.findall(r"section.tif at x=11: (\S+) % of the pixels agree", printed)
    made = Volume.open(out).values[:, 2:18, 11]
    assert np.mean(made == values[:, 2:18, 11]) == pytest.approx(
        float(found) / 100, abs=1e-3
    )
    assert float(found) > 90


def test_wrong_planes_are_refused(
    toy_run: Path, tmp_path: Path, image: Path, capsys: Capture
) -> None:
    cases = [
        (["--through", str(image)], "Expected a plane by --at for each section"),
        (["--at", "z=1"], "Expected a plane by --at for each section"),
        (["--through", str(image), "--at", "z=20"], "from 0 to 19 along z, got 20"),
        (["--through", str(image), "--at", "z=1"], "21 x 22 voxels across z, got 40"),
        (["--crop", "0", "9", "0", "9"], "Expected images by --through for --crop"),
    ]
    for given, message in cases:
        assert main(words(toy_run, tmp_path / "no.tif", *given)) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(words(toy_run, tmp_path / "no.tif", "--at", "z=1,y=2"))
    assert "expected a plane such as z=64" in capsys.readouterr().err
