"""Ctrl+C ends a run cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tifffile

from napari_slicegan.cli import main
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.toys import phases_image, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

CODE = "import sys; from napari_slicegan.cli.parser import main; sys.exit(main())"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_stops_and_says_how_to_go_on(
    toy_config: RunConfig, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """The current step is finished and saved; the run can be resumed."""
    image, settings = tmp_path / "image.tif", tmp_path / "toy.json"
    out, log = tmp_path / "out", tmp_path / "log"
    tifffile.imwrite(image, phases_image(40, 48).values)
    settings.write_text(toy_config.model_dump_json())
    words = [str(image), "--config", str(settings), "--out", str(out)]
    command = [sys.executable, "-c", CODE, "train", *words, "--steps", "1000000"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=pytestconfig.rootpath,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        deadline = time.monotonic() + 200
        while "step " not in log.read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=100)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Stopped on request" in printed
    assert f"Resume with:   slicegan resume {out}" in printed
    assert "Stopping after this step, then saving" in log.read_text()
    assert "Traceback" not in log.read_text()
    step = RunFolder.open(out).load_checkpoint()["step"]
    assert step >= 1
    (report,) = train(Trainer.resume(out, steps=step + 1))
    assert report.step == step + 1


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of Unix")
def test_batch_systems_and_closed_terminals_stop_a_run_as_ctrl_c_does(
    image: Path, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM and SIGHUP: the step is finished and saved."""
    step, run = AdversarialStep.step, Trainer.run
    steps: list[signal.Signals] = []
    number = signal.SIGTERM
    is_running = False

    def running(trainer: Trainer) -> Any:
        nonlocal is_running
        is_running = True
        steps.clear()  # of the estimate of the speed
        return run(trainer)

    def signalled(gan: AdversarialStep, *arguments: Any) -> Any:
        steps.append(number)
        if is_running and len(steps) == 2:
            os.kill(os.getpid(), number)
        return step(gan, *arguments)

    monkeypatch.setattr(Trainer, "run", running)
    monkeypatch.setattr(AdversarialStep, "step", signalled)
    for number in (signal.SIGTERM, signal.SIGHUP):
        is_running = False
        out = tmp_path / number.name
        words = [str(image), "--config", str(settings), "--out", str(out)]
        assert main(["train", *words, "--steps", "50"]) == 130
        saved = RunFolder.open(out).load_checkpoint()["step"]
        assert 2 <= saved < 50
        assert signal.getsignal(number) is signal.SIG_DFL
