"""When a run ends and saves, by a clock that the tests move."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from napari_slicegan.config import TrainingSettings
from napari_slicegan.training import clock as run_clock
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.clock import (
    FREE_MONITORING_S,
    MONITORING_SHARE,
    FinishReason,
    RunClock,
)
from napari_slicegan.training.monitors import Quality
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.toys import finish_of

if TYPE_CHECKING:
    from napari_slicegan.volumes.volume import Volume

StartToy = Callable[..., Trainer]


@dataclass
class SlowMotion:
    """A clock that only steps and saves move, in seconds."""

    now: float = 1000.0
    step_s: float = 10.0
    save_s: float = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SlowMotion:
    clock = SlowMotion()
    fake = SimpleNamespace(perf_counter=lambda: clock.now)
    monkeypatch.setattr(run_clock, "time", fake)
    # Its own test below restores it; steps of 10 s would all be late.
    monkeypatch.setattr(run_clock, "FIRST_SAVE_S", math.inf)
    step, save = AdversarialStep.step, RunFolder.save

    def slow_step(game: AdversarialStep, *arguments: Any) -> Any:
        clock.now += clock.step_s
        return step(game, *arguments)

    def slow_save(folder: RunFolder, *arguments: Any) -> Any:
        clock.now += clock.save_s
        return save(folder, *arguments)

    monkeypatch.setattr(AdversarialStep, "step", slow_step)
    monkeypatch.setattr(RunFolder, "save", slow_save)
    return clock


class FixedQuality:
    """Stands for the monitor; gives one distance after another, in some seconds."""

    columns = tuple(field.name for field in fields(Quality))
    curves = ()

    def __init__(
        self, *distances: float, clock: SlowMotion | None = None, seconds: float = 0
    ) -> None:
        self.distances = iter(distances)
        self.clock = clock
        self.seconds = seconds

    def is_collapsed(self, volume: Volume) -> bool:
        return False

    def measure(self, volume: Volume) -> Quality:
        if self.clock is not None:
            self.clock.now += self.seconds
        return Quality(0.0, next(self.distances), 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("save_s", "checkpoint_minutes", "steps", "ends_at"),
    [
        # A save may take 5 steps, for all that is known: tried after step 2, while two
        # such saves and another step would still end before 120 s.
        (0.0, 60, 12, 120),
        (50.0, 60, 2, 120),
        # Tried after 20 s, to 40 s; then 6 more steps, and the save at the end.
        (20.0, 0.5, 8, 120),
        # Saves from 20 s to 25 s and from 65 s to 70 s; after 110 s another step and
        # a save would end at 125 s.
        (5.0, 0.5, 10, 115),
    ],
)
def test_a_run_ends_within_its_minutes(
    start_toy: StartToy,
    clock: SlowMotion,
    save_s: float,
    checkpoint_minutes: float,
    steps: int,
    ends_at: float,
) -> None:
    """Two minutes from the start to the end of the last save, steps of ten seconds."""
    clock.save_s = save_s
    trainer = start_toy(steps=100, minutes=2, checkpoint_minutes=checkpoint_minutes)
    start = clock.now
    assert finish_of(trainer) is FinishReason.MINUTES
    assert trainer.step == steps
    assert clock.now - start == ends_at <= 120
    # The run is over: it has no time left.
    assert trainer.elapsed_s == 120
    assert trainer.folder is not None
    state = trainer.folder.load_checkpoint()
    assert (state["step"], state["elapsed_s"]) == (steps, 120)


def test_monitoring_is_part_of_the_minutes(
    start_toy: StartToy, clock: SlowMotion
) -> None:
    """Five seconds after each second step, saves take none: 15 s for 2 steps."""
    clock.step_s = 5
    trainer = start_toy(steps=100, minutes=55 / 60, monitor_interval=2)
    monitor: Any = FixedQuality(0.5, 0.5, 0.5, clock=clock, seconds=5)
    trainer.monitor = monitor
    start = clock.now
    assert finish_of(trainer) is FinishReason.MINUTES
    # 15, 30, 45: another step comes to 50; a monitored one would come to 60.
    assert (trainer.step, clock.now - start) == (7, 50)


def test_measurements_take_a_small_share_of_the_time_after_a_minute(
    clock: SlowMotion,
) -> None:
    """Of half a second, and now and then of four, after each second step of a second.

    In the first minute each one is made.
    """
    runs = RunClock(TrainingSettings(steps=10_000, monitor_interval=2))
    runs.start()
    measured: list[tuple[float, float]] = []
    for step in range(1, 3000):
        clock.now += 1
        is_measured = runs.is_monitored(step)
        runs.count_step()
        if is_measured:
            seconds = 4.0 if len(measured) % 4 == 3 else 0.5
            measured.append((runs.elapsed_s, seconds))
            clock.now += seconds
            runs.count_monitoring(math.nan)
    early = [seconds for at, seconds in measured if at <= FREE_MONITORING_S]
    assert len(early) * 2 + sum(early) == pytest.approx(FREE_MONITORING_S, abs=4)
    usual = [at for at, _ in measured if at > FREE_MONITORING_S]
    # The expected duration is half a second; between two of them at least an interval.
    waits = [after - before for before, after in itertools.pairwise(usual)]
    assert min(waits) >= 0.5 / MONITORING_SHARE
    assert max(waits) <= 0.5 / MONITORING_SHARE + 4 + 4


def test_what_the_loop_around_does_is_no_part_of_the_minutes(
    start_toy: StartToy, clock: SlowMotion
) -> None:
    """Steps of 10 s, each followed by a caller that takes an hour."""
    trainer = start_toy(steps=100, minutes=1)
    seen = []
    for report in trainer.run():
        seen.append((report.elapsed_s, report.steps_per_s))
        clock.now += 3600
    assert seen == [(10 * step, 0.1) for step in range(1, 7)]


def test_a_guessed_save_is_not_tried_where_it_matters_little(
    start_toy: StartToy, clock: SlowMotion
) -> None:
    """Five steps of 10 s are not a twentieth of 1001 s: one save, at the end."""
    trainer = start_toy(steps=200, minutes=1001 / 60, checkpoint_minutes=60)
    folder = trainer.folder
    assert folder is not None
    seen = {len(folder.checkpoints()) for _ in trainer.run()}
    assert seen == {0}
    assert [path.name for path in folder.checkpoints()] == ["checkpoint-0000095.pt"]


def test_long_steps_are_saved_as_often_as_others(
    start_toy: StartToy, clock: SlowMotion
) -> None:
    """Long before the end, while the time of a save is still a guess that matters."""
    trainer = start_toy(steps=100, minutes=10, checkpoint_minutes=25 / 60)
    folder = trainer.folder
    assert folder is not None
    # Held, since a run that is closed saves as well.
    run = trainer.run()
    three = itertools.islice(run, 3)
    saved = [[path.name for path in folder.checkpoints()] for _ in three]
    assert saved == [[], [], ["checkpoint-0000003.pt"]]
    run.close()


def test_pauses_are_no_part_of_the_minutes(
    start_toy: StartToy, clock: SlowMotion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the save at their beginning."""
    trainer = start_toy(steps=3, minutes=60)
    saved_steps = []

    def wait(timeout_s: float | None) -> None:
        assert timeout_s is None
        assert trainer.folder is not None
        saved = trainer.folder.checkpoints()
        saved_steps.append(int(saved[0].stem[-7:]) if saved else 0)
        clock.now += 7200

    # Paused before each step, and not any more after having waited.
    answers = itertools.cycle([False, True])
    pause = SimpleNamespace(is_set=lambda: next(answers), wait=wait)
    monkeypatch.setattr(trainer, "_go", pause)
    clock.save_s = 7
    assert finish_of(trainer) is FinishReason.STEPS
    assert trainer.elapsed_s == 30
    assert saved_steps == [0, 1, 2]


def test_one_step_is_always_made(start_toy: StartToy, clock: SlowMotion) -> None:
    trainer = start_toy(steps=100, minutes=1e-3)
    assert finish_of(trainer) is FinishReason.MINUTES
    assert trainer.step == 1


def test_one_step_is_made_after_a_long_beginning(
    start_toy: StartToy, clock: SlowMotion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the sheet of the first weights takes longer than the whole run."""
    trainer = start_toy(steps=100, minutes=1)
    begin = trainer.clock.start

    def slow_beginning() -> None:
        begin()
        clock.now += 70
        trainer.clock.count()

    monkeypatch.setattr(trainer.clock, "start", slow_beginning)
    assert finish_of(trainer) is FinishReason.MINUTES
    assert trainer.step == 1
    assert trainer.folder is not None
    assert len(trainer.folder.checkpoints()) == 1


def test_a_run_whose_time_is_up_makes_no_more_steps(
    start_toy: StartToy, clock: SlowMotion
) -> None:
    trainer = start_toy(steps=100, minutes=2)
    finish_of(trainer)
    assert trainer.folder is not None
    again = Trainer.resume(trainer.folder.path)
    assert finish_of(again) is FinishReason.MINUTES
    assert again.step == trainer.step
    longer = Trainer.resume(trainer.folder.path, minutes=4)
    assert finish_of(longer) is FinishReason.MINUTES
    # The second two minutes have room for as many steps.
    assert longer.step == 2 * trainer.step


def test_settled_quality_ends_a_run(start_toy: StartToy, clock: SlowMotion) -> None:
    """Best after 20 s; more than 30 s later, at 60 s, it has settled."""
    trainer = start_toy(steps=100, patience_minutes=0.5, monitor_interval=1)
    trainer.monitor = FixedQuality(0.5, 0.2, 0.3, 0.2, math.nan, 0.4)
    assert finish_of(trainer) is FinishReason.SETTLED
    found = trainer.clock
    assert (found.elapsed_s, found.best_at_s, found.best_distance) == (60, 20, 0.2)


def test_nothing_settles_before_it_is_measured(
    start_toy: StartToy, clock: SlowMotion
) -> None:
    """First measured after 50 s; more than 30 s later is at 90 s."""
    trainer = start_toy(steps=100, patience_minutes=0.5, monitor_interval=5)
    trainer.monitor = FixedQuality(0.5)
    assert finish_of(trainer) is FinishReason.SETTLED
    assert trainer.elapsed_s == 90
    assert trainer.clock.best_at_s == 50


def test_whichever_limit_comes_first(start_toy: StartToy, clock: SlowMotion) -> None:
    trainer = start_toy(steps=2, minutes=5, patience_minutes=10)
    assert finish_of(trainer) is FinishReason.STEPS


def test_progress_and_remaining_time(start_toy: StartToy, clock: SlowMotion) -> None:
    """4 of 100 steps, and 40 s of 200: the time decides, 160 s are left."""
    trainer = start_toy(steps=100, minutes=200 / 60)
    report = next(itertools.islice(trainer.run(), 3, None))
    assert report.elapsed_s == 40
    assert report.progress == pytest.approx(0.2)
    assert report.remaining_s == pytest.approx(160)
    assert report.steps_per_s == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("step_s", "steps", "saved"),
    [
        # Steps of a second: the sixth ends after more than 5 s.
        (1.0, 20, {6}),
        # A step of a minute.
        (60.0, 20, {1}),
        # The save at the end follows at once.
        (1.0, 6, set()),
    ],
)
def test_the_first_save_is_made_within_ten_seconds(
    start_toy: StartToy,
    clock: SlowMotion,
    monkeypatch: pytest.MonkeyPatch,
    step_s: float,
    steps: int,
    saved: set[int],
) -> None:
    """Or after the first step; the next ones at the usual interval."""
    monkeypatch.setattr(run_clock, "FIRST_SAVE_S", 5.0)
    clock.step_s, clock.save_s = step_s, 0.5
    trainer = start_toy(steps=steps, checkpoint_minutes=60)
    folder = trainer.folder
    assert folder is not None
    seen = {step for _ in trainer.run() for step in folder.saved_steps()}
    assert seen == saved


def test_checkpoint_interval(start_toy: StartToy, clock: SlowMotion) -> None:
    """More than 25 s apart: after steps 3, 6 and 9, and at the end; two are kept."""
    trainer = start_toy(steps=10, checkpoint_minutes=25 / 60, keep_checkpoints=2)
    folder = trainer.folder
    assert folder is not None
    seen = set()
    for _ in trainer.run():
        seen |= {path.name for path in folder.checkpoints()}
    names = [f"checkpoint-{step:07d}.pt" for step in (3, 6, 9)]
    assert sorted(seen) == names
    left = [path.name for path in folder.checkpoints()]
    assert left == ["checkpoint-0000010.pt", "checkpoint-0000009.pt"]
