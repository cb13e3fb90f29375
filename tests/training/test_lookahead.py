"""Lookahead: both players go back half of their way after every few steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_slicegan.training.optimizers import Lookahead


class Player(nn.Module):
    """One number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


def play(lookahead: Lookahead, players: tuple[Player, Player], steps: int) -> None:
    """The game min over x, max over y of x y, by simultaneous gradient steps."""
    for _ in range(steps):
        lookahead.begin_step()
        x, y = (player.value for player in players)
        with torch.no_grad():
            dx, dy = y.clone(), x.clone()
            x.sub_(0.1 * dx)
            y.add_(0.1 * dy)
        lookahead.end_step()


def distance(players: tuple[Player, Player]) -> float:
    values = [player.value.detach() for player in players]
    return float(torch.stack(values).norm())


def test_weights_go_back_half_of_the_way() -> None:
    """Rounds of two steps of +1 each, by hand: 0, 1, then (0 + 2) / 2 = 1."""
    player = Player(0.0)
    lookahead = Lookahead((player,), 2)
    seen = []
    for _ in range(5):
        lookahead.begin_step()
        with torch.no_grad():
            player.value.add_(1)
        lookahead.end_step()
        seen.append(player.value.item())
    assert seen == [1, 1, 2, 2, 3]


def test_circling_players_come_to_rest() -> None:
    """Plain steps spiral outwards from the equilibrium, with lookahead inwards."""
    apart, together = ((Player(1.0), Player(1.0)) for _ in range(2))
    play(Lookahead(apart, 0), apart, 300)
    play(Lookahead(together, 5), together, 300)
    start = 2**0.5
    assert distance(apart) > 4 * start
    assert distance(together) < 0.5 * start


@pytest.mark.parametrize("steps", [3, 5], ids=["within a round", "between rounds"])
def test_it_goes_on_from_its_state(steps: int) -> None:
    first = Player(1.0), Player(0.5)
    lookahead = Lookahead(first, 5)
    play(lookahead, first, steps)
    second = Player(first[0].value.item()), Player(first[1].value.item())
    again = Lookahead(second, 5)
    again.load_state_dict(lookahead.state_dict())
    play(lookahead, first, 9)
    play(again, second, 9)
    assert [one.value.item() for one in first] == [one.value.item() for one in second]


def test_old_weights_are_kept_within_a_round_only() -> None:
    players = Player(1.0), Player(1.0)
    lookahead = Lookahead(players, 5)
    play(lookahead, players, 5)
    assert lookahead.state_dict()["old"] == []
    play(lookahead, players, 1)
    assert len(lookahead.state_dict()["old"]) == 2  # type: ignore[arg-type]
