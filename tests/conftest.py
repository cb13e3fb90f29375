"""Toy materials and runs: everything real, only small."""

from __future__ import annotations

import faulthandler
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tifffile
import torch

from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.models import generator_spec
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.trainer import Trainer
from tests.toys import phases_image, small_config

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig


EXIT_S = 60


def pytest_configure(config: pytest.Config) -> None:
    """Tests, and programs that they start, leave the settings of the user alone."""
    folder = tempfile.mkdtemp(prefix="slicegan-tests-")
    os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
    os.environ["SLICEGAN_HOME"] = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that never ends cannot keep the process; it is shown where it stands.

    One of several processes waits at this point for the others, as long as it takes.
    """
    if hasattr(config, "workerinput"):
        return
    standard_error = 2
    faulthandler.dump_traceback_later(EXIT_S, exit=True, file=standard_error)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tests run in parallel processes; threads would only be in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _process_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line owns its process: it sets the log, warnings and a variable.

    Here, many commands and tests share one process.
    """
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture(scope="session")
def toy_images() -> TrainingImages:
    """One image of an isotropic material with two phases."""
    return TrainingImages.isotropic(phases_image(40, 48))


@pytest.fixture(scope="session")
def toy_views() -> TrainingImages:
    """Three images of an anisotropic material, one for each viewing direction."""
    z, y, x = (phases_image(40, 48, seed=seed) for seed in (1, 2, 3))
    return TrainingImages.anisotropic(z=z, y=y, x=x)


@pytest.fixture(scope="session")
def toy_config() -> RunConfig:
    """The default preset with toy networks."""
    return small_config()


@pytest.fixture(scope="session")
def toy_run(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Folder of a finished run of four steps. Read only: copy it to change it."""
    path = tmp_path_factory.mktemp("toy") / "run"
    for _ in Trainer.start(toy_config, toy_images, path).run():
        pass
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """File of a toy micrograph, its name with a space."""
    path = tmp_path / "my image.tif"
    tifffile.imwrite(path, phases_image(40, 48).values)
    return path


@pytest.fixture
def settings(tmp_path: Path, toy_config: RunConfig) -> Path:
    """File of toy settings, as ``--config`` takes them."""
    path = tmp_path / "toy.json"
    path.write_text(toy_config.model_dump_json())
    return path


StartToy = Callable[..., Trainer]


@pytest.fixture
def start_toy(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> StartToy:
    """Start a toy run in ``tmp_path / "run"`` with some settings changed."""

    def start(**changes: object) -> Trainer:
        config = toy_config.changed(**changes)
        return Trainer.start(config, toy_images, tmp_path / "run")

    return start


MakeAdversarialStep = Callable[..., AdversarialStep]


@pytest.fixture
def make_adversarial_step(toy_config: RunConfig) -> MakeAdversarialStep:
    """Make a game of toy networks, with some settings changed."""

    def make(
        isotropic: bool = True,
        output: Any = "phases",
        channels: int = 2,
        **changes: Any,
    ) -> AdversarialStep:
        config = toy_config.changed(**changes)
        spec = generator_spec(config, channels, output)
        return AdversarialStep(config, spec, isotropic, torch.device("cpu"))

    return make
