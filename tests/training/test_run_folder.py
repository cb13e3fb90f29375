"""The run folder: whole at any moment, and harmless to open."""

from __future__ import annotations

import errno
import json
import logging
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.runtime.atomic_files import partial_path, replacing
from napari_slicegan.training.run_folder import RunFolder, read_config
from napari_slicegan.training.trainer import Trainer
from tests.toys import completed, phases_image, tensors, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig


@pytest.fixture
def folder(toy_run: Path, tmp_path: Path) -> RunFolder:
    """A copy of the finished toy run, with a second checkpoint before the last."""
    path = tmp_path / "copy"
    shutil.copytree(toy_run, path)
    newest = RunFolder(path).checkpoints()[0]
    state = torch.load(newest, weights_only=True)
    torch.save({**state, "step": 2}, path / "checkpoint-0000002.pt")
    return RunFolder(path)


def test_what_a_run_leaves(toy_run: Path) -> None:
    """These files, and nothing temporary."""
    assert {path.name for path in toy_run.iterdir()} == {
        "config.json",
        "micrographs",
        "history.csv",
        "checkpoint-0000004.pt",
        "generator.safetensors",
    }


def test_settings_and_images_come_back(
    toy_run: Path, toy_config: RunConfig, toy_images: TrainingImages
) -> None:
    folder = RunFolder.open(toy_run)
    assert folder.config() == completed(toy_config)
    (saved,), (image,) = folder.images(), toy_images
    np.testing.assert_array_equal(saved.values, image.values)
    assert (saved.kind, saved.pixel_size_nm, saved.name) == ("phases", 5.0, "toy")


def test_a_save_leaves_what_another_program_writes_there(
    start_toy: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as ``slicegan generate RUN`` while it trains; what a dead one left goes."""
    trainer = start_toy(steps=2, checkpoint_minutes=1e-9)
    assert trainer.folder is not None
    path = trainer.folder.path / "volume.tif"
    left: dict[str, Path] = {}
    for state, process in (("living", os.getppid()), ("dead", 2**22 + 1)):
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", lambda process=process: process)
            left[state] = partial_path(path)
        left[state].touch()
    train(trainer)
    assert left["living"].exists()
    assert not left["dead"].exists()


def test_one_training_at_a_time(
    start_toy: Callable[..., Trainer], tmp_path: Path
) -> None:
    """The second one is refused; generators can be read meanwhile."""
    path = tmp_path / "run"
    trainer = start_toy(steps=3, checkpoint_minutes=1e-9)
    early = Trainer.resume(path)
    steps = trainer.run()
    next(steps)
    words = rf"run is being trained by process {os.getpid()} on .+; wait until it ends"
    refused: list[Callable[[], object]] = [
        lambda: Trainer.resume(path),
        lambda: next(early.run()),
        lambda: RunFolder.create(path, trainer.config, trainer.images),
    ]
    for attempt in refused:
        with pytest.raises(ValueError, match=words):
            attempt()
    assert RunFolder.open(path).generator().network.training is False
    assert [report.step for report in steps] == [2, 3]
    assert list(path.glob(".*")) == []


def test_a_run_that_was_trained_elsewhere_is_loaded_again(
    start_toy: Callable[..., Trainer], tmp_path: Path
) -> None:
    """Steps made since then are not overwritten."""
    train(start_toy(steps=4), stop_at=2)
    early, other = (Trainer.resume(tmp_path / "run") for _ in range(2))
    assert len(train(other)) == 2
    with pytest.raises(ValueError, match=r"was trained to step 4 by another process"):
        train(early)
    assert RunFolder.open(tmp_path / "run").load_checkpoint()["step"] == 4


def test_versions_are_noted(toy_run: Path) -> None:
    data = json.loads((toy_run / "config.json").read_text())
    assert data["versions"]["torch"] == torch.__version__.split("+")[0] or (
        data["versions"]["torch"] == torch.__version__
    )
    assert data["versions"]["numpy"] == np.__version__
    assert set(data["settings"]) >= {"architecture", "training", "micrograph"}


def test_the_averaged_weights_are_exported(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    trainer = Trainer.start(toy_config, toy_images, tmp_path / "run")
    train(trainer)
    assert trainer.folder is not None
    exported = trainer.folder.generator().network.state_dict()
    averaged = trainer.gan.averaged.network.state_dict()
    raw = trainer.gan.generator.state_dict()
    assert set(exported) == set(averaged)
    for name, value in averaged.items():
        assert torch.equal(exported[name], value)
    assert any(not torch.equal(exported[name], raw[name]) for name in raw)


def test_other_peoples_folders_are_left_alone(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(ValueError, match=r"thesis.txt is a file"):
        Trainer.start(toy_config, toy_images, tmp_path / "thesis.txt")
    with pytest.raises(ValueError, match=r"cannot be written.*choose another"):
        Trainer.start(toy_config, toy_images, tmp_path / "thesis.txt" / "run")


def test_an_empty_folder_is_fine(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    RunFolder.create(tmp_path / "new", toy_config, toy_images)
    RunFolder.create(tmp_path / "deep" / "new", toy_config, toy_images)
    assert RunFolder.open(tmp_path / "deep" / "new").config() == toy_config


def test_a_start_that_was_killed_before_the_settings_is_repeated(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    """The same images are kept; others are left alone."""
    path = tmp_path / "run"
    RunFolder.create(path, toy_config, toy_images)
    (path / "config.json").unlink()
    other = TrainingImages.isotropic(phases_image(40, 48, seed=9))
    with pytest.raises(ValueError, match=r"not empty: it holds a run \(micrographs\)"):
        RunFolder.create(path, toy_config, other)
    folder = RunFolder.create(path, toy_config, toy_images)
    assert folder.config() == toy_config
    assert folder.images().name == "toy"


def test_other_folders_are_no_runs(tmp_path: Path) -> None:
    for name in ("nothing-here", "."):
        with pytest.raises(ValueError, match=r"is not a run folder.*config\.json"):
            RunFolder.open(tmp_path / name)


def test_newest_checkpoints_are_kept(folder: RunFolder) -> None:
    state, generator = folder.load_checkpoint(), folder.generator()
    for step in (5, 6, 7, 8):
        folder.save(step, state, generator, keep=3)
    steps = [int(path.stem.split("-")[1]) for path in folder.checkpoints()]
    assert steps == [8, 7, 6]


def test_a_save_leaves_what_others_are_writing(folder: RunFolder) -> None:
    """A volume may be generated into the folder while the run trains."""
    volume = folder.path / "volume.tif"
    with replacing(volume) as temporary:
        temporary.write_text("whole")
        folder.save(5, folder.load_checkpoint(), folder.generator(), keep=1)
    assert volume.read_text() == "whole"


def test_order_of_checkpoints_is_that_of_numbers(folder: RunFolder) -> None:
    """Ten million steps have more digits than the name is padded to."""
    newest = folder.checkpoints()[0]
    shutil.copy(newest, folder.path / "checkpoint-12345678.pt")
    assert folder.checkpoints()[0].name == "checkpoint-12345678.pt"
    assert len(folder.checkpoints()) == 3


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut off, one byte changed, or a page of zeros."""
    place = int(rng.integers(len(data)))
    match rng.integers(3):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]
        case _:
            return data[:place] + bytes(4096) + data[place + 4096 :]


def test_damage_anywhere_falls_back(
    folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest state exactly, or the one before with a warning; never another."""
    newest = folder.checkpoints()[0]
    good, expected = newest.read_bytes(), tensors(folder.load_checkpoint())
    rng = np.random.default_rng(0)
    fallbacks = 0
    for _ in range(40):
        newest.write_bytes(damaged(good, rng))
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            found = tensors(folder.load_checkpoint())
        assert found["/step"] == (2 if caplog.messages else 4)
        fallbacks += len(caplog.messages)
        for name, value in expected.items():
            if name != "/step":
                assert torch.equal(found[name], value)
    # A changed byte between the members of the archive does no harm.
    assert fallbacks > 30


def test_damage_that_checksums_do_not_cover(folder: RunFolder) -> None:
    """A bit in the archive's index turns a tensor into a folder of random memory."""
    newest = folder.checkpoints()[0]
    data = bytearray(newest.read_bytes())
    entry = data.find(b"PK\x01\x02")
    while b"data/" not in data[entry : entry + 100]:
        entry = data.find(b"PK\x01\x02", entry + 1)
    # External attributes stand 38 bytes after the start of an entry.
    data[entry + 38] = 0x10
    newest.write_bytes(data)
    assert folder.load_checkpoint()["step"] == 2


def test_a_checkpoint_that_memory_or_permission_lacks_for_is_not_damaged(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an earlier one would be resumed, and this one removed by the next save."""

    def load(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(RuntimeError, match="allocate memory"):
        folder.load_checkpoint()

    def forbidden(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(zipfile, "ZipFile", forbidden)
    with pytest.raises(ValueError, match=r"got .*04\.pt \(Permission denied\); check"):
        folder.load_checkpoint()


def test_without_a_whole_checkpoint(folder: RunFolder) -> None:
    for path in folder.checkpoints():
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"no checkpoint that can be read; start"):
        folder.load_checkpoint()


def test_damaged_newer_checkpoints_do_not_crowd_out_good_ones(
    folder: RunFolder,
) -> None:
    """Two files of one kept: the new one stays, not the damaged one of a later step."""
    newest = folder.checkpoints()[0]
    newest.write_bytes(b"damaged")
    state, generator = folder.load_checkpoint(), folder.generator()
    assert state["step"] == 2
    folder.save(3, {**state, "step": 3}, generator, keep=1)
    assert [path.name for path in folder.checkpoints()] == ["checkpoint-0000003.pt"]
    assert folder.load_checkpoint()["step"] == 3


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("archive", [True, False])
def test_checkpoints_execute_no_code(
    folder: RunFolder, tmp_path: Path, archive: bool
) -> None:
    """Neither in torch's archives nor as a bare pickle; the next older one is taken."""
    target = tmp_path / "exploded"
    path = folder.path / "checkpoint-0000009.pt"
    if archive:
        torch.save({"game": Bomb(target)}, path)
        assert zipfile.is_zipfile(path)
    else:
        path.write_bytes(pickle.dumps(Bomb(target)))
    assert folder.load_checkpoint()["step"] == 4
    for other in folder.checkpoints()[1:]:
        other.unlink()
    with pytest.raises(ValueError, match="no checkpoint that can be read"):
        folder.load_checkpoint()
    assert not target.exists()
    # The bomb is a real one.
    pickle.loads(pickle.dumps(Bomb(target)))
    assert target.exists()


def test_checkpoints_of_other_content_are_refused_by_name(
    folder: RunFolder, subtests: pytest.Subtests
) -> None:
    """Their checksums are right, but they hold something else."""
    newest = folder.checkpoints()[0]
    good = torch.load(newest, weights_only=True)
    changes: dict[str, dict[str, Any]] = {
        "nothing": {"game": None},
        "a number": {"step": "4"},
        "a time": {"elapsed_s": []},
        "numbers": {"game": {**good["game"], "lookahead": {"count": 1, "old": [1.0]}}},
    }
    for title, change in changes.items():
        with subtests.test(title):
            torch.save({**good, **change}, newest)
            with pytest.raises(ValueError, match=r"checkpoint|does not fit") as caught:
                Trainer.resume(folder.path)
            assert "\n" not in str(caught.value)


def test_generators_execute_no_code(folder: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "exploded"
    (folder.path / "generator.safetensors").write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(ValueError, match="safetensors file, got one that cannot"):
        folder.generator()
    assert not target.exists()


DAMAGED: list[tuple[str, str]] = [
    ("", "not valid JSON"),
    ('{"settings": []}', r"got \[\]"),
    ('{"settings": {"training": {"seed": -4}}}', r"'Seed' \(seed\).*got -4"),
    ("\udcff", "cannot be read"),
    ("[" * 100_000, "not valid JSON: nested too deeply"),
]


def test_damaged_settings(
    toy_run: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for text, words in DAMAGED:
        with subtests.test(text=text, words=words):
            path = tmp_path / "config.json"
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
            with pytest.raises(ValueError, match=words) as caught:
                RunFolder.open(tmp_path).config()
            assert type(caught.value) is ValueError


def test_settings_alone_are_a_settings_file(
    tmp_path: Path, toy_config: RunConfig
) -> None:
    """What a person writes by hand, beside what a run folder holds."""
    path = tmp_path / "mine.json"
    path.write_text('{"training": {"seed": 12}}')
    assert read_config(path).training.seed == 12
    path.write_text(toy_config.model_dump_json())
    assert read_config(path) == toy_config
    path.write_text('{"training": {"seed": 12, "steps": 3, "seed": 13}}')
    with pytest.raises(ValueError, match="each name once, got 'seed' twice; remove"):
        read_config(path)


def test_missing_settings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_config(tmp_path / "none.json")


def test_a_history_keeps_the_columns_of_an_earlier_release(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.append_history([{"step": 1, "loss": 0.5}])
    folder.append_history([{"step": 2, "new": 7.0, "loss": 0.25}])
    assert folder.history()[1] == {"step": "2", "loss": "0.25"}


def test_damaged_rows_of_the_history_are_left_out(tmp_path: Path) -> None:
    """A run is resumed, listed and reported with the others."""
    text = "step,elapsed_s\n1,0.5\n?,1\n2,?\n3\n4,2.5\n"
    (tmp_path / "history.csv").write_text(text)
    folder = RunFolder(tmp_path)
    assert [row["step"] for row in folder.history()] == ["1", "4"]
    folder.truncate_history(3)
    assert folder.history() == [{"step": "1", "elapsed_s": "0.5"}]
    (tmp_path / "history.csv").write_text("step\n" + "1" * 200_000 + "\n")
    with pytest.raises(ValueError, match=r"history.csv: expected .* damaged file"):
        folder.history()


def test_a_table_that_is_cut_short_by_a_full_disk_is_as_before(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.append_history([{"step": 1, "loss": 0.5}])
    before = (folder.path / "history.csv").read_bytes()
    opened = Path.open

    def torn(path: Path, *words: Any, **named: Any) -> Any:
        file = opened(path, *words, **named)
        write = file.write

        def half(text: str) -> int:
            write(text[: len(text) // 2])
            file.flush()
            raise OSError(28, "No space left on device")

        file.write = half
        return file

    def gone(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", torn)
    with pytest.raises(OSError, match="No space"):
        folder.append_history([{"step": 2, "loss": 0.25}])
    assert (folder.path / "history.csv").read_bytes() == before
    # Nor can it be cut: the next rows are not appended to half a row.
    monkeypatch.setattr(os, "truncate", gone)
    with pytest.raises(OSError, match="No space"):
        folder.append_history([{"step": 2, "loss": 0.25}])
    assert (folder.path / "history.csv").read_bytes() != before
    monkeypatch.undo()
    expected = len(folder.history()) + 1
    folder.append_history([{"step": 2, "loss": 0.25}])
    assert len(folder.history()) == expected
    assert folder.history()[-1]["step"] == "2"


def test_other_files_may_lie_in_the_folder_of_a_run(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    """A log that the shell has opened, what a file manager leaves."""
    for name in ("log", ".DS_Store"):
        (tmp_path / name).write_text("kept")
    RunFolder.create(tmp_path, toy_config, toy_images)
    assert (tmp_path / "log").read_text() == "kept"
    with pytest.raises(ValueError, match=r"not empty: it holds a run \(config.json\)"):
        RunFolder.create(tmp_path, toy_config, toy_images)
