"""The published settings really run, at their full size."""

from __future__ import annotations

import math
from pathlib import Path

import psutil
import pytest
import torch

from napari_slicegan.config.presets import preset
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.training.trainer import Trainer
from tests.toys import phases_image, train

GIGABYTE = 1e9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slicegan-paper"])
def test_two_full_steps_on_the_processor(name: str, tmp_path: Path) -> None:
    """16 and 8 volumes of 64^3, all planes, five critic steps: within 24 GB."""
    config = preset(name).changed(steps=2, patience_minutes=None, device="cpu")
    images = TrainingImages.isotropic(phases_image(200, 200))
    torch.set_num_threads(psutil.cpu_count(logical=False) or 1)
    reports = train(Trainer.start(config, images, tmp_path / "run"))
    torch.set_num_threads(1)
    assert [report.step for report in reports] == [1, 2]
    for report in reports:
        assert math.isfinite(report.critic_loss + report.generator_loss)
        # 8 real crops of 3 axes in 5 critic steps.
        assert report.images_seen == report.step * 5 * 24
    assert psutil.Process().memory_info().rss < 24 * GIGABYTE
    assert Trainer.resume(tmp_path / "run").step == 2
