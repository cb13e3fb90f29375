"""Ctrl+C ends a run cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tifffile

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
