"""Random numbers of a run, one generator for each purpose."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from napari_slicegan.training.adversarial_step import PURPOSES, RandomStreams


def drawn(streams: RandomStreams, purpose: str, n: int = 5) -> Tensor:
    return torch.rand(n, generator=streams[purpose])


def test_a_seed_fixes_every_purpose() -> None:
    for purpose in PURPOSES:
        assert torch.equal(
            drawn(RandomStreams(7), purpose), drawn(RandomStreams(7), purpose)
        )


def test_purposes_and_seeds_draw_different_numbers() -> None:
    """Also purposes of neighbouring seeds."""
    keys = list(itertools.product(range(6), PURPOSES))
    first = [tuple(drawn(RandomStreams(seed), p).tolist()) for seed, p in keys]
    assert len(set(first)) == len(keys)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_one_purpose_never_shifts_another(purpose: str) -> None:
    used, fresh = RandomStreams(3), RandomStreams(3)
    drawn(used, purpose, 1000)
    for other in PURPOSES:
        same = torch.equal(drawn(used, other), drawn(fresh, other))
        assert same == (other != purpose)


def test_largest_seed() -> None:
    for purpose in PURPOSES:
        assert torch.isfinite(drawn(RandomStreams(2**63 - 1), purpose)).all()


def test_resumed_streams_go_on_where_they_stopped() -> None:
    first = RandomStreams(3)
    for number, purpose in enumerate(PURPOSES):
        drawn(first, purpose, 10 * number + 1)
    second = RandomStreams(99)
    second.load_state_dict(first.state_dict())
    for purpose in PURPOSES:
        assert torch.equal(drawn(first, purpose), drawn(second, purpose))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    streams = RandomStreams(3)
    for purpose in PURPOSES:
        drawn(streams, purpose)
    assert torch.equal(torch.get_rng_state(), before)
