"""Progress in a terminal or a log, and a clean stop by Ctrl+C."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tqdm import tqdm

from napari_slicegan.cli.options import ending_signals, handling
from napari_slicegan.runtime.quantities import clock_time

if TYPE_CHECKING:
    from types import FrameType

    from napari_slicegan.runtime.progress import Progress
    from napari_slicegan.training.clock import FinishReason, StepReport
    from napari_slicegan.training.trainer import Trainer

Show = Callable[[float, str], None]
LOG_EVERY_S = 30.0
BAR = "{desc} {percentage:3.0f}% |{bar:20}| {postfix}"


def train_with_progress(trainer: Trainer) -> FinishReason:
    """Train to the end; show progress, remaining time and losses."""
    steps = trainer.run()
    with _stopping(trainer), _display(trainer.distributed.is_main) as show:
        quality = ""
        while True:
            try:
                report = next(steps)
            except StopIteration as end:
                reason: FinishReason = end.value
                return reason
            if report.quality is not None:
                quality = f", {report.quality.sentence()}"
            show(report.progress, _line(report) + quality)


@contextlib.contextmanager
def _display(is_main: bool) -> Iterator[Show]:
    """A bar in a terminal; in a log a line at intervals."""
    if not is_main:
        yield lambda fraction, text: None
    elif sys.stderr.isatty():
        with tqdm(total=1.0, desc="Training", bar_format=BAR, file=sys.stderr) as bar:

            def show(fraction: float, text: str) -> None:
                bar.n = fraction
                bar.set_postfix_str(text)

            yield show
    else:
        with _lines("Training") as show_line:
            yield show_line


@contextlib.contextmanager
def _lines(title: str) -> Iterator[Show]:
    """A line at once, then every 30 s, and the last one."""
    shown_at_s, waiting = -LOG_EVERY_S, ""

    def show(fraction: float, text: str) -> None:
        nonlocal shown_at_s, waiting
        waiting = f"{title} {fraction:4.0%}{text and ', '}{text}\n"
        if time.monotonic() - shown_at_s >= LOG_EVERY_S:
            shown_at_s = time.monotonic()
            sys.stderr.write(waiting)
            waiting = ""

    try:
        yield show
    finally:
        sys.stderr.write(waiting)


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Progress callback: a bar in a terminal; in a log a line at intervals."""
    if not sys.stderr.isatty():
        with _lines(title) as show_line:
            yield lambda fraction: show_line(fraction, "")
        return
    with tqdm(total=100, desc=title, file=sys.stderr, unit="%") as bar:

        def show(fraction: float) -> None:
            bar.update(round(100 * fraction) - bar.n)

        yield show


def _line(report: StepReport) -> str:
    return (
        f"{clock_time(report.remaining_s)} left, step {report.step}, "
        f"{report.steps_per_s:.2f} steps/s, critic {report.critic_loss:.3f}, "
        f"generator {report.generator_loss:.3f}"
    )


@contextlib.contextmanager
def _stopping(trainer: Trainer) -> Iterator[None]:
    """Stop after the step on the first Ctrl+C; interrupt at once on the second.

    So do SIGTERM and SIGHUP, which batch systems and closed terminals send. Under
    torchrun each process gets the signal twice, from the terminal and from the
    launcher, which also sends SIGTERM and kills processes that do not end in time.
    """
    is_single = trainer.distributed.world_size == 1
    usual = signal.getsignal(signal.SIGINT)
    requested = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if is_single:
            signal.signal(number, usual)
        if trainer.distributed.is_main and not requested.is_set():
            sys.stderr.write("\nStopping after this step, then saving...\n")
        requested.set()
        trainer.stop()

    with handling([signal.SIGINT, *ending_signals()], stop):
        yield
