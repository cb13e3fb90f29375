"""Training shown in a terminal, and the keys that end it cleanly."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
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
    shown = {"file": sys.stderr, "disable": not trainer.processes.is_main}
    with (
        _stopping(trainer),
        tqdm(total=1.0, desc="Training", bar_format=BAR, **shown) as bar,
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
    """The first Ctrl+C stops after the step; a second one interrupts at once.

    Of several processes each gets the signal twice, from the terminal and from their
    launcher, which also sends SIGTERM; it kills those that do not end in time.
    """
    alone = trainer.processes.size == 1
    signals = [signal.SIGINT] if alone else [signal.SIGINT, signal.SIGTERM]
    before = {one: signal.getsignal(one) for one in signals}
    asked = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if alone:
            signal.signal(number, before[signal.SIGINT])
        if trainer.processes.is_main and not asked.is_set():
            sys.stderr.write("\nStopping after this step, then saving...\n")
        asked.set()
        trainer.stop()

    for one in signals:
        signal.signal(one, stop)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
