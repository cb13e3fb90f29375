"""Limits of resumed runs and error messages, without Qt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from napari_slicegan._qt import jobs
from napari_slicegan._qt.jobs import Machine, look_ahead, resume_run, sentence_of
from napari_slicegan.config.presets import preset
from napari_slicegan.runtime.limits import WAITING, available_cpus
from napari_slicegan.training.run_folder import RunFolder


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Path:
    """Finished toy run of four steps."""
    return Path(shutil.copytree(toy_run, tmp_path / "run"))


def test_a_finished_run_is_resumed_with_as_many_steps_again(run: Path) -> None:
    trainer = resume_run(run)
    assert trainer.step == 4
    assert trainer.config.training.steps == 8
    assert trainer.config.training.minutes is None


def test_a_run_at_its_time_limit_gets_what_the_panel_sets(
    run: Path,
) -> None:
    folder = RunFolder.open(run)
    folder.write_config(folder.config().changed(minutes=1e-6, steps=100, device="auto"))
    elapsed = folder.load_checkpoint()["elapsed_s"] / 60
    training = resume_run(run, minutes=2.5, device="cpu").config.training
    assert training.minutes == pytest.approx(elapsed + 2.5)
    assert training.steps == 100
    assert training.device == "cpu"


def test_a_run_that_was_stopped_keeps_its_limits(run: Path) -> None:
    folder = RunFolder.open(run)
    config = folder.config().changed(minutes=60, steps=100)
    folder.write_config(config)
    assert resume_run(run, minutes=1).config == config


def test_modules_of_the_first_preview_are_imported_in_the_thread(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "used_by_previews.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(jobs, "USED_BY_PREVIEWS", "used_by_previews")
    steps = jobs.train(resume_run, run)
    assert isinstance(next(steps), jobs.PreparedRun)
    steps.close()
    assert sys.modules.pop("used_by_previews", None) is not None


def test_every_error_message_is_one_sentence(
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[Exception, str]] = [
        (ValueError("Expected this,\n got that; do so."), "this, got that; do so."),
        (MemoryError(), "lower 'Generator batch size'"),
        (OSError(28, "No space left on device", "/a/b"), "No space left on device (/a"),
        (KeyError("x"), "KeyError"),
    ]
    for error, words in cases:
        with subtests.test(str(error)):
            sentence = sentence_of(error)
            assert words in sentence
            assert "\n" not in sentence
            assert sentence.endswith(".")


def test_idle_threads_sleep_unless_the_user_chose_otherwise() -> None:
    code = (
        "import napari_slicegan._qt.jobs, os, sys; "
        "print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'], "
        "os.environ.get('GOMP_SPINCOUNT'))"
    )
    environment = {k: v for k, v in os.environ.items() if k not in WAITING}
    command = [sys.executable, "-c", code]
    for wanted in (["PASSIVE", "10000"], ["ACTIVE", "None"]):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        )
        # It is set in time, and what the user has set is kept.
        assert done.stdout.split() == ["False", *wanted]
        environment["OMP_WAIT_POLICY"] = "ACTIVE"


def test_the_machine_is_described_without_images() -> None:
    found = list(look_ahead(preset("slicegan-fast"), None))
    assert len(found) == 1
    machine = found[0]
    assert isinstance(machine, Machine)
    cores = available_cpus()
    words = f"({cores} cores)" if cores > 1 else "(1 core)"
    assert machine.devices["cpu"].endswith(words)
    assert machine.torch_build.startswith("PyTorch 2.")
