"""Training shown in a terminal, and the keys that end it cleanly."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

if TYPE_CHECKING:
    from types import FrameType

    from napari_slicegan.step_report import FinishReason, StepReport
    from napari_slicegan.trainer import Trainer
    from napari_slicegan.volume import Volume

Result = TypeVar("Result")
BAR = "{desc} {percentage:3.0f}% |{bar:20}| {postfix}"


def train_with_progress(trainer: Trainer) -> FinishReason:
    """Train to the end, with a bar, the time that is left and the losses."""
    steps = trainer.run()
    with (
        _stopping(trainer),
        tqdm(total=1.0, desc="Training", bar_format=BAR, file=sys.stderr) as bar,
    ):
        quality = ""
        while True:
            try:
                report = next(steps)
            except StopIteration as end:
                reason: FinishReason = end.value
                return reason
            if report.quality is not None:
                quality = f", {report.quality.sentence()}"
            bar.set_postfix_str(_line(report) + quality, refresh=False)
            bar.n = report.progress
            bar.update(0)
            bar.refresh()


def generate_with_progress(steps: Generator[float, None, Volume]) -> Volume:
    """Generate to the end, with a bar."""
    return with_bar("Generating", steps)


def with_bar(title: str, steps: Generator[float, None, Result]) -> Result:
    """Run steps that yield the finished share to their end; what they return."""
    with tqdm(total=100, desc=title, file=sys.stderr, unit="%") as bar:
        while True:
            try:
                share = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            bar.update(round(100 * share) - bar.n)


def _line(report: StepReport) -> str:
    minutes, seconds = divmod(round(report.remaining_s), 60)
    return (
        f"{minutes}:{seconds:02d} left, step {report.step}, "
        f"{report.steps_per_s:.2f} steps/s, critic {report.critic_loss:.3f}, "
        f"generator {report.generator_loss:.3f}"
    )


@contextlib.contextmanager
def _stopping(trainer: Trainer) -> Iterator[None]:
    """The first Ctrl+C stops after the step; a second one interrupts at once."""
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        sys.stderr.write("\nStopping after this step, then saving...\n")
        trainer.stop()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
