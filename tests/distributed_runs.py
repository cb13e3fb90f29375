"""Toy runs in several processes: ``python -m tests.distributed_runs FOLDER STORY``.

`launch` starts the processes; each tells its part of a story and writes what it has
seen to ``FOLDER/STORY-RANK.pt``.
"""

from __future__ import annotations

import functools
import gc
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.runtime.distributed import distributed_context, leave_group
from napari_slicegan.runtime.launcher import AllRanksError
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import ellipses, small_image_config
from tests.toys import finish_of, phases_image, small_config, tensors, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.tasks import TrainingData

N = 2
TIMEOUT_S = 240
STEPS = 3
# Each step has a gradient penalty; a save comes after each step.
SETTINGS: dict[str, Any] = {"steps": STEPS, "penalty_interval": 1}
# Of each process. One process with N times the volumes does the same; so do those
# that leave them out.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "larger batch": {"critic_batch_size": 2, "generator_batch_size": 2},
    "other games": {
        "objective": "hinge",
        "penalty_weight": 1,
        "critic_steps": 2,
        "share_batch": False,
        "generator_batch_size": 2,
    },
    # Hard phases would turn on the rounding of a voxel near a tie.
    "realness": {
        "objective": "realness",
        "generator_steps": 2,
        "straight_through": False,
    },
    "axes in turn": {
        "objective": "lsgan",
        "update_per_axis": True,
        "critic_heads": False,
    },
    "last weights": {"ema_decay": 0, "straight_through": False},
    "real crops": {"objective": "hinge", "real_batch_size": 4},
    "patterns": {"pattern_weight": 0.1},
}


def toy_material(isotropic: bool = True) -> TrainingImages:
    """Images that each process makes for itself."""
    if isotropic:
        return TrainingImages.isotropic(phases_image(40, 48))
    z, y, x = (phases_image(40, 48, seed=seed) for seed in (1, 2, 3))
    return TrainingImages.anisotropic(z=z, y=y, x=x)


def cases() -> dict[str, tuple[RunConfig, TrainingData]]:
    """Runs that are compared with those of one process."""
    config = small_config().changed(**SETTINGS)
    found: dict[str, tuple[RunConfig, TrainingData]] = {
        name: (config.changed(**changes), toy_material())
        for name, changes in VARIANTS.items()
    }
    found["anisotropic"] = config, toy_material(isotropic=False)
    images = small_image_config(
        architecture="specgan",
        patch_size=32,
        critic_normalisation="batch",
        objective="r3gan",
        # Adam would make a step of what rounding leaves of the gradients of biases
        # before a normalisation, which are 0.
        generator_optimiser="sgd",
        critic_optimiser="sgd",
        generator_lr=0.1,
        critic_lr=0.1,
        steps=STEPS,
    )
    found["images"] = images, ImageSet(ellipses(40, 32), "ellipses")
    return found


def whole_batch(config: RunConfig) -> RunConfig:
    """What one process has to do to see all that N processes see."""
    critic, generator = config.training.volumes
    crops = config.training.real_batch_size
    return config.changed(
        critic_batch_size=N * critic,
        generator_batch_size=N * generator,
        real_batch_size=None if crops is None else N * crops,
    )


def state_after(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Networks, averages, moments and random numbers at the end of a run."""
    finish_of(trainer)
    return tensors(trainer.gan.state_dict())


def equality(folder: Path) -> Any:
    """Short runs of many settings."""
    found = {}
    for name, (config, data) in cases().items():
        trainer = Trainer(config, data)
        state = state_after(trainer)
        losses = trainer.losses.last
        found[name] = {
            "state": state,
            "losses": [losses.critic, losses.generator, losses.penalty],
            "images_seen": trainer.images_seen,
        }
    return found


def resumed(folder: Path) -> Any:
    """Six steps at once, three and three, and half a run that one process resumes."""
    config = small_config().changed(steps=6, monitor_interval=2)
    whole = Trainer.start(config, toy_material(), folder / "whole")
    found = {"whole": state_after(whole)}
    for name in ("parts", "half"):
        train(Trainer.start(config, toy_material(), folder / name), stop_at=3)
    again = Trainer.resume(folder / "parts")
    found["parts"] = state_after(again)
    # What the last call of run() returns is on disk, whatever process looks.
    found["saved"] = RunFolder.open(folder / "parts").load_checkpoint()["step"]
    return found


def ends(folder: Path) -> Any:
    """Reasons and last steps of runs that one of the processes ends."""
    rank = distributed_context().rank
    found: dict[str, Any] = {}
    for name in ("stopped by 0", "stopped by 1", "paused", "not a number"):
        trainer = Trainer.start(
            small_config().changed(steps=20), toy_material(), folder / name
        )
        found[name] = _ended(trainer, name, rank)
    return found


def _ended(trainer: Trainer, name: str, rank: int) -> tuple[str, int, int]:
    """Steer in the third step; reason, last step, and looks in the pause."""
    steps, gate = trainer.run(), Gate()
    gate.set()
    vars(trainer)["_go"] = gate
    while True:
        try:
            report = next(steps)
        except StopIteration as end:
            return end.value.name, trainer.step, gate.waits
        if report.step != 3:
            continue
        if name == f"stopped by {rank}":
            trainer.stop()
        if name == "not a number" and rank == 1:
            with torch.no_grad():
                next(trainer.gan.generator.parameters())[0] = math.nan
        if name == "paused" and rank == 1:
            trainer.pause()


class Gate(threading.Event):
    """Opens when somebody has waited for it three times; nobody waits long."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Count, and do not wait."""
        self.waits += 1
        if self.waits == 3:
            self.set()
        return self.is_set()


def faults(folder: Path) -> Any:
    """What each process hears of a fault in one of them."""
    rank = distributed_context().rank
    found = {}
    for name, (of_rank, patch) in {"one": (1, 64), "all": (None, 64)}.items():
        wrong = of_rank in (None, rank)
        config = small_config().changed(patch_size=patch if wrong else 16)
        make = functools.partial(Trainer, config, toy_material())
        try:
            distributed_context().raise_on_all_ranks(make)
        except AllRanksError as error:
            found[name] = str(error)
    try:
        Trainer.start(small_config(), toy_material(), folder / "whole")
    except AllRanksError as error:
        found["folder"] = str(error)
    return found


def killed(folder: Path) -> Any:
    """Process 1 dies within step 3; what process 0 hears."""
    rank = distributed_context().rank
    config = small_config().changed(steps=20, checkpoint_minutes=1e-6)
    trainer = Trainer.start(config, toy_material(), folder / "killed")
    if rank == 1:

        def die(*_: object) -> None:
            if trainer.step == 2:
                os.kill(os.getpid(), signal.SIGKILL)

        trainer.gan.critic_optimiser.register_step_post_hook(die)
    try:
        finish_of(trainer)
    except ValueError as error:
        return str(error)
    return ""


def mismatch(folder: Path) -> Any:
    """What each process reports if the networks of process 1 have other widths."""
    rank = distributed_context().rank
    config = small_config().changed(generator_widths=(6, 6 + 2 * rank))
    try:
        finish_of(Trainer(config, toy_material()))
    except ValueError as error:
        return str(error)
    return ""


def left(folder: Path) -> Any:
    """Threads that exchange values, before and after the group is left: the last story.

    One that remains would end the process by an abort, now and then.
    """
    trainer = Trainer.start(small_config(), toy_material(), folder / "left")
    del trainer
    before = _threads()
    leave_group()
    gc.collect()
    return [before, _threads()]


def _threads() -> list[str]:
    names = (file.read_text() for file in Path("/proc/self/task").glob("*/comm"))
    return sorted(name for name in names if "gloo" in name or "tcpstore" in name)


STORIES: Mapping[str, Callable[[Path], Any]] = {
    story.__name__: story
    for story in (equality, resumed, ends, faults, killed, mismatch, left)
}


def launch(folder: Path, *stories: str, n: int = N) -> list[int]:
    """Start the processes and wait for them; their exit statuses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        **os.environ,
        "WORLD_SIZE": str(n),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        # Of a process that aborts: where.
        "PYTHONFAULTHANDLER": "1",
    }
    command = [sys.executable, "-m", "tests.distributed_runs", str(folder), *stories]
    started = []
    for rank in range(n):
        of_rank = {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        started.append(subprocess.Popen(command, env=of_rank))
    try:
        return [process.wait(TIMEOUT_S) for process in started]
    finally:
        for process in started:
            process.kill()


def seen(folder: Path, story: str, rank: int) -> Any:
    """What a process wrote."""
    return torch.load(folder / f"{story}-{rank}.pt", weights_only=True)


def main() -> None:
    """Tell stories, one after the other."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    rank = distributed_context().rank
    for story in sys.argv[2:]:
        torch.save(STORIES[story](folder), folder / f"{story}-{rank}.pt")


if __name__ == "__main__":
    main()
