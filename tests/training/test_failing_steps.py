"""Failing steps: what is saved of the run, and the messages."""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.generation.sheet import Sheet
from napari_slicegan.runtime import atomic_files
from napari_slicegan.runtime.atomic_files import flush
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.systems.image_task import ImageTask
from napari_slicegan.systems.point_task import PointMonitor, Scatter
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.monitors import QualityMonitor
from napari_slicegan.training.optimizers import decay
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume
from tests.image_toys import small_image_config, toy_set
from tests.toys import finish_of, tensors, train

StartToy = Callable[..., Trainer]


def poison(trainer: Trainer) -> None:
    with torch.no_grad():
        next(trainer.gan.generator.parameters())[0] = math.nan


def before_step(trainer: Trainer) -> None:
    """Weights break between two steps: the next losses are not finite."""
    for report in trainer.run():
        if report.step == 3:
            poison(trainer)


def within_step(trainer: Trainer) -> None:
    """A step with finite losses breaks the weights."""
    trainer.gan.generator_optimiser.register_step_post_hook(
        lambda *_: poison(trainer) if trainer.step == 3 else None
    )
    train(trainer)


def in_a_batch(trainer: Trainer) -> None:
    """Real crops that are not numbers."""
    (source,) = trainer.samplers
    draw = source.unpacked

    def broken(*words: Any) -> torch.Tensor:
        crops = draw(*words)
        return crops * math.nan if trainer.step == 3 else crops

    trainer.samplers[0] = SimpleNamespace(
        draw=source.draw, packed=source.packed, unpacked=broken
    )
    train(trainer)


def in_the_optimiser(trainer: Trainer) -> None:
    """Squares of huge gradients overflow: the weights are finite and move no more."""

    def overflow(optimiser: Any, *_: Any) -> None:
        if trainer.step == 3:
            next(iter(optimiser.state.values()))["exp_avg_sq"].fill_(math.inf)

    trainer.gan.critic_optimiser.register_step_post_hook(overflow)
    train(trainer)


@pytest.mark.parametrize(
    "breaks", [before_step, within_step, in_a_batch, in_the_optimiser]
)
def test_diverged_runs_keep_the_last_good_checkpoint(
    start_toy: StartToy, breaks: Callable[[Trainer], None]
) -> None:
    """Step 3 was good and is saved; step 4 is not, neither are its losses."""
    trainer = start_toy(steps=100, checkpoint_minutes=1e-6)
    breaks(trainer)
    assert trainer.step == 4
    folder = trainer.folder
    assert folder is not None
    state = folder.load_checkpoint()
    assert state["step"] == 3
    assert all(
        torch.isfinite(value).all()
        for name, value in tensors(state["game"]).items()
        if "streams" not in name
    )
    for parameter in folder.generator().network.parameters():
        assert torch.isfinite(parameter).all()
    assert [row["step"] for row in folder.history()] == ["1", "2", "3"]
    # Resumed from before the fault, with the remedy.
    resumed = Trainer.resume(folder.path, generator_lr=1e-5, critic_lr=1e-5, steps=4)
    assert [report.step for report in train(resumed)] == [4]
    (group,) = resumed.gan.critic_optimiser.param_groups
    expected = 1e-5 * decay(resumed.config.optimiser, 0.75)
    assert group["lr"] == pytest.approx(expected, rel=1e-6)


def test_diverged_runs_say_what_to_change(start_toy: StartToy) -> None:
    trainer = start_toy()
    poison(trainer)
    assert finish_of(trainer) is FinishReason.DIVERGED
    text = FinishReason.DIVERGED.value
    assert "learning rates" in text
    assert "'Penalty weight'" in text
    # Nothing was saved before, and nothing else is claimed.
    assert trainer.folder is not None
    assert trainer.folder.checkpoints() == []
    assert "checkpoint" not in text


def test_a_collapsed_generator_is_reported_and_the_checkpoint_before_it_kept(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Previews of one phase from step 3 on; the run can be resumed from before."""
    trainer = start_toy(
        steps=9, checkpoint_minutes=1e-9, keep_checkpoints=2, monitor_interval=1
    )
    preview = trainer.preview

    def collapsed() -> Any:
        made = preview()
        return made if trainer.step < 3 else Volume(0 * made.values + 7, made.kind)

    monkeypatch.setattr(trainer, "preview", collapsed)
    warned = {report.step: report.warning for report in train(trainer)}
    assert "checkpoint of step 2 is kept: delete the newer ones" in warned.pop(5)
    assert not any(warned.values())
    folder = trainer.folder
    assert folder is not None
    assert folder.saved_steps() == [9, 8, 2]
    for newer in folder.checkpoints()[:2]:
        newer.unlink()
    monkeypatch.setattr(trainer, "preview", preview)
    resumed = Trainer.resume(folder.path, critic_lr=1e-5, monitor_interval=1)
    assert [report.step for report in train(resumed)] == list(range(3, 10))
    assert folder.saved_steps() == [9, 8]


def test_images_and_points_of_one_value_are_a_collapse() -> None:
    config = small_image_config()
    monitor = ImageTask(config, toy_set()).monitor
    edge = config.architecture.patch_size
    images = np.zeros((2, edge, edge), np.uint8)
    assert monitor.is_collapsed(Sheet(images, 0, 1))
    images[0, 0, 0] = 1
    assert not monitor.is_collapsed(Sheet(images, 0, 1))
    mixture = nine_gaussians()
    points = np.zeros((10, 2))
    assert PointMonitor(mixture).is_collapsed(Scatter(points, mixture))
    points[0] = 1
    assert not PointMonitor(mixture).is_collapsed(Scatter(points, mixture))


def test_a_preview_without_rare_phases_is_no_collapse(toy_images: Any) -> None:
    flat = Volume(np.full((8, 8, 8), 7, np.uint8), "phases")
    rare = np.full((60, 60), 7, np.uint8)
    rare[:5, :5] = 207
    images = TrainingImages.isotropic(Micrograph.from_array(rare, "phases"))
    assert QualityMonitor(toy_images).is_collapsed(flat)
    assert not QualityMonitor(images).is_collapsed(flat)


class Broken(Exception):
    """What happens within a step."""


def breaks_a_network(trainer: Trainer, error: BaseException) -> None:
    """When the critics have moved and the generator has not."""

    def fail(*_: Any) -> None:
        if trainer.step == 3:
            raise error

    trainer.gan.generator_optimiser.register_step_pre_hook(fail)


def breaks_the_monitor(trainer: Trainer, error: BaseException) -> None:
    def fail(volume: object) -> None:
        raise error

    monitor: Any = QualityMonitor(trainer.images)
    monitor.measure = fail
    trainer.monitor = monitor


@pytest.mark.parametrize(
    ("breaks", "error"),
    [
        (breaks_a_network, Broken()),
        (breaks_the_monitor, KeyboardInterrupt()),
    ],
)
def test_half_a_step_is_never_saved(
    start_toy: StartToy,
    tmp_path: Path,
    breaks: Callable[[Trainer, BaseException], None],
    error: BaseException,
) -> None:
    """Saved after step 2, broken in step 4: the run resumes from step 2."""
    trainer = start_toy(steps=6, monitor_interval=4)
    breaks(trainer, error)
    with pytest.raises(type(error)):
        for report in trainer.run():
            if report.step == 2:
                trainer.save()
    names = [path.name for path in RunFolder(tmp_path / "run").checkpoints()]
    assert names == ["checkpoint-0000002.pt"]
    resumed = train(Trainer.resume(tmp_path / "run"))
    assert [report.step for report in resumed] == [3, 4, 5, 6]


def breaks_the_preview(trainer: Trainer, error: Exception) -> None:
    """Halfway: the averaged generator has seen some of its latents."""
    calls: list[None] = []

    def fail(*_: object) -> None:
        calls.append(None)
        if len(calls) in (3, 6):
            raise error

    trainer.gan.averaged.network.register_forward_hook(fail)


def breaks_the_picture(trainer: Trainer, error: Exception) -> None:
    def fail(preview: object) -> None:
        raise error

    task: Any = trainer.task
    task.picture = fail


@pytest.mark.parametrize(
    ("breaks", "measured"),
    [
        (breaks_the_preview, [False, False, True]),
        (breaks_the_monitor, [False, False, False]),
        (breaks_the_picture, [True, True, True]),
    ],
)
def test_faults_of_the_monitoring_do_not_end_a_run(
    start_toy: StartToy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    breaks: Callable[[Trainer, Exception], None],
    measured: list[bool],
) -> None:
    """Reported once, also a lack of memory; the generator is that of an intact run."""
    trainer = start_toy(steps=3, monitor_every=1)
    breaks(trainer, MemoryError())
    reports = train(trainer)
    assert [report.quality is not None for report in reports] == measured
    warned, *others = [report.warning for report in reports]
    assert "preview failed (The memory does not suffice" in warned
    assert others == ["", ""]
    assert caplog.messages == [warned]
    intact = Trainer.start(trainer.config, trainer.images, tmp_path / "intact")
    train(intact)
    expected = tensors(intact.trained_generator().network.state_dict())
    for name, value in tensors(
        trainer.trained_generator().network.state_dict()
    ).items():
        assert torch.equal(value, expected[name]), name


def break_saving(monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> list[int]:
    """Let saving fail at these steps, as on a full disk; returns the steps tried."""
    tries: list[int] = []
    save = RunFolder.save

    def full(folder: RunFolder, step: int, *rest: Any) -> None:
        tries.append(step)
        if step in steps:
            raise OSError(28, "No space left on device")
        save(folder, step, *rest)

    monkeypatch.setattr(RunFolder, "save", full)
    return tries


def test_a_save_that_fails_does_not_end_the_run(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once, tried again at the next save; earlier checkpoints are kept."""
    trainer = start_toy(steps=6, checkpoint_minutes=1e-9)
    tries = break_saving(monkeypatch, {3, 4})
    warned = [report.warning for report in train(trainer)]
    assert [bool(warning) for warning in warned] == [0, 0, 0, 1, 0, 0]
    assert warned[3].startswith("Step 3: the run could not be saved (No space left")
    assert tries == [1, 2, 3, 4, 5, 6]
    folder = trainer.folder
    assert folder is not None
    assert folder.load_checkpoint()["step"] == 6
    assert [row["step"] for row in folder.history()] == list("123456")


def test_a_lack_of_memory_in_a_save_does_not_end_the_run(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In step 2 for the state, in step 4 for the bytes of the file."""
    trainer = start_toy(steps=6, checkpoint_minutes=1e-9)
    save, state = torch.save, AdversarialStep.state_dict

    def failing_state(step: AdversarialStep) -> Any:
        if trainer.step == 2:
            raise MemoryError
        return state(step)

    def failing_save(*words: Any) -> None:
        if trainer.step == 4:
            raise RuntimeError("std::bad_alloc")
        save(*words)

    monkeypatch.setattr(torch, "save", failing_save)
    monkeypatch.setattr(AdversarialStep, "state_dict", failing_state)
    warned = {report.step - 1: report.warning for report in train(trainer)}
    for step in (2, 4):
        assert "not be saved (The memory does not suffice: lower" in warned.pop(step)
    assert not any(warned.values())
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == 6
    assert [row["step"] for row in trainer.folder.history()] == list("123456")


def test_the_last_state_is_checked_once(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    state = AdversarialStep.state_dict

    def counted(step: AdversarialStep) -> Any:
        calls.append(None)
        return state(step)

    trainer = start_toy(steps=3)
    monkeypatch.setattr(AdversarialStep, "state_dict", counted)
    train(trainer)
    # Checked, and written.
    assert len(calls) == 2


FAULTS = {2: errno.ENOSPC, 4: errno.EACCES, 6: errno.ESTALE, 8: errno.EIO}
"""Step -> a full disk, a locked file, a network drive that is gone, a broken disk."""


def test_faults_of_the_disk_while_a_file_is_written(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is reported, what was whole stays so, and the next save succeeds."""
    trainer = start_toy(steps=9, checkpoint_minutes=1e-9)
    kept: list[int] = []

    def failing(file: Path) -> None:
        if trainer.step in FAULTS and file.name.startswith(".checkpoint"):
            assert trainer.folder is not None
            kept.append(trainer.folder.load_checkpoint()["step"])
            number = FAULTS[trainer.step]
            raise OSError(number, os.strerror(number))
        flush(file)

    monkeypatch.setattr(atomic_files, "flush", failing)
    warned = {report.step - 1: report.warning for report in train(trainer)}
    for step, number in FAULTS.items():
        assert f"could not be saved ({os.strerror(number)})" in warned.pop(step)
    assert not any(warned.values())
    assert kept == [1, 3, 5, 7]
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == 9
    assert [row["step"] for row in trainer.folder.history()] == list("123456789")
    assert not list(trainer.folder.path.glob(".*"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a process")
def test_a_checkpoint_that_does_not_fit_is_a_failed_save(start_toy: StartToy) -> None:
    """Written by torch and safetensors, which have exceptions of their own."""
    import resource

    trainer = start_toy(steps=2)
    train(trainer)
    trainer.save()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"disk took only a part|File too large"):
            trainer.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == 2


def test_a_last_save_that_fails_says_what_is_kept(
    start_toy: StartToy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that of a network drive that is gone."""
    trainer = start_toy(steps=6, checkpoint_minutes=1e-9)
    break_saving(monkeypatch, {5, 6})
    words = r"save step 6 .* 'No space left on device' \(checkpoint-0000004.pt is kept"
    with pytest.raises(ValueError, match=words):
        train(trainer)
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == 4

    def gone(_: RunFolder) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    trainer = Trainer.start(trainer.config, trainer.images, tmp_path / "other")
    with pytest.raises(ValueError, match=r"\(the run folder cannot be read\); free"):
        for _ in trainer.run():
            monkeypatch.setattr(RunFolder, "checkpoints", gone)


def test_rows_that_cannot_be_written_are_written_later(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is locked, as by a spreadsheet, at the second save."""
    append = RunFolder.append_history
    trainer = start_toy(steps=4, checkpoint_minutes=1e-9)

    def locked(folder: RunFolder, rows: Any) -> None:
        if trainer.step == 2:
            raise PermissionError(13, "Permission denied")
        append(folder, rows)

    monkeypatch.setattr(RunFolder, "append_history", locked)
    train(trainer)
    assert trainer.folder is not None
    assert [row["step"] for row in trainer.folder.history()] == list("1234")


def test_exceptions_between_steps_save(start_toy: StartToy) -> None:
    trainer = start_toy(steps=6)
    steps = trainer.run()
    next(steps)
    next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt())
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == 2


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
    ],
    ids=str,
)
def test_a_lack_of_memory_is_answered_with_the_settings_to_lower(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    trainer = start_toy()
    monkeypatch.setattr(AdversarialStep, "step", fail)
    words = r"^The memory does not suffice: lower 'Generator batch size'.*'Patch size'"
    with pytest.raises(ValueError, match=words) as caught:
        train(trainer)
    assert caught.value.__cause__ is error


def test_memory_that_cannot_be_had_at_all(start_toy: StartToy) -> None:
    """With torch's own words on the machine at hand."""
    trainer = start_toy()

    def ask_for_an_exabyte(*_: object) -> None:
        torch.empty(2**58)

    first = trainer.gan.generator.blocks[0][0]  # type: ignore[index]
    first.register_forward_pre_hook(ask_for_an_exabyte)
    with pytest.raises(ValueError, match="memory does not suffice"):
        train(trainer)


def test_other_faults_keep_their_words(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("shapes do not match")

    trainer = start_toy()
    monkeypatch.setattr(AdversarialStep, "step", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train(trainer)
