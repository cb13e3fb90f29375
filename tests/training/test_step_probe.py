"""Seconds of a step, told from steps of few images, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_slicegan.config.presets import preset
from napari_slicegan.models.cost import META
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.estimates import (
    Probe,
    Timed,
    probe,
    step_cost,
    timed_settings,
)
from tests.image_toys import small_image_config

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

CPU = torch.device("cpu")
# Of the machine that the tests imagine: seconds to move both networks, and speed.
MOVE_S, SPEED = 0.04, 1e8


@pytest.fixture
def imagined(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Steps take what they would on that machine; lists the images of each."""
    now, seen, count = [0.0], list[int](), AdversarialStep.step

    def step(game: AdversarialStep, real: Any, progress: float) -> torch.Tensor:
        if game.device == META:
            return count(game, real, progress)
        seen.append(game.config.training.volumes[0])
        now[0] += MOVE_S + operations(game.config) / SPEED
        return torch.zeros(3)

    monkeypatch.setattr(AdversarialStep, "step", step)
    monkeypatch.setattr(
        "napari_slicegan.training.estimates.time.perf_counter", lambda: now[0]
    )
    probe.cache_clear()
    yield seen
    probe.cache_clear()


def operations(config: RunConfig) -> float:
    return step_cost(config, 1, "signed", isotropic=True).operations


def told(config: RunConfig) -> float:
    """Seconds that are told for a step of a run of gray images."""
    most = timed_settings(config, config.training.volumes[0])
    found = probe(most, 1, "signed", CPU, 1)
    counted = {
        each.images: operations(timed_settings(config, each.images))
        for each in (found.few, found.more)
    }
    game = config.objective
    moves = game.critic_steps + game.generator_steps
    return found.seconds(counted, operations(config), moves)


@pytest.mark.parametrize("critic_steps", [1, 5])
def test_a_step_is_told_from_smaller_ones(
    imagined: list[int], critic_steps: int
) -> None:
    config = small_image_config(
        critic_steps=critic_steps,
        critic_batch_size=512,
        generator_batch_size=512,
        share_batch=False,
    )
    moves = critic_steps + 1
    expected = MOVE_S * moves / 2 + operations(config) / SPEED
    assert told(config) == pytest.approx(expected)
    # Doubled until a step takes long enough, which is long before the last.
    assert imagined == [2**n for n in range(1, len(imagined) + 1)]
    assert 2 <= len(imagined) < 9


def test_no_more_images_than_a_step_has(imagined: list[int]) -> None:
    told(small_image_config(critic_batch_size=3, generator_batch_size=3))
    assert imagined == [2, 3]


def test_the_same_settings_are_timed_once(imagined: list[int]) -> None:
    told(small_image_config())
    count = len(imagined)
    told(small_image_config(minutes=3, seed=5))
    assert len(imagined) == count
    told(small_image_config(generator_widths=(9, 6, 4)))
    assert len(imagined) > count


def test_noise_leaves_no_negative_times() -> None:
    """The step of more images took no longer: all of it is for moving the weights."""
    found = Probe(Timed(2, 1.0), Timed(4, 0.9))
    assert found.seconds({2: 10.0, 4: 20.0}, 100.0, 2) == pytest.approx(0.9)
    # More than twice as long for twice as much: none of it is.
    found = Probe(Timed(2, 1.0), Timed(4, 3.0))
    assert found.seconds({2: 10.0, 4: 20.0}, 100.0, 2) == pytest.approx(15.0)


@pytest.mark.parametrize("name", ["realness-toy", "specgan", "realness-dcgan"])
def test_real_steps_are_timed(name: str) -> None:
    """Of every kind of network, narrow ones here."""
    config = preset(name).changed(
        generator_widths=(8, 6), critic_widths=(4, 6), critic_batch_size=4
    )
    if config.architecture.dimensions == 1:
        found = probe(timed_settings(config, 4), 2, "linear", CPU, 1)
    else:
        config = config.changed(patch_size=16)
        found = probe(timed_settings(config, 4), 1, "signed", CPU, 1)
    assert (found.few.images, found.more.images) == (2, 4)
    assert found.more.seconds > 0
