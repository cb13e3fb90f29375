"""Steps replayed as CUDA graphs, with a capture that computes on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from napari_slicegan.models import generator_spec
from napari_slicegan.models.cost import META
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.captured_step import (
    CapturedStep,
    rates_as_tensors,
)
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import small_image_config
from tests.toys import TOY_PATCH, tensors, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.models.network import Output

MakeAdversarialStep = Callable[..., AdversarialStep]
N_STEPS = 21


class FakeGraphs:
    """As a CUDA graph: the capture changes no weight, and a replay draws nothing."""

    def __init__(self, gan: AdversarialStep) -> None:
        self.gan = gan
        self.n_captures = self.n_replays = 0

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        return work()

    def capture(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        self.n_captures += 1
        fed = list(self._kept())
        losses = torch.zeros(3)

        def replay() -> None:
            self.n_replays += 1
            before, usual = self.gan.objective.state_dict(), self.gan.feed
            rest = iter(fed)
            self.gan.feed = lambda draw, device: next(rest)
            losses.copy_(work())
            self.gan.objective.load_state_dict(before)
            self.gan.feed = usual

        return losses, replay

    def _kept(self) -> list[Tensor]:
        """The fixed inputs of the step that is captured."""
        kept = []
        while True:
            try:
                kept.append(self.gan.feed(lambda: torch.empty(0), self.gan.device))
            except StopIteration:
                return kept


def test_captured_steps_are_the_same(
    toy_config: RunConfig, toy_images: TrainingImages
) -> None:
    """Bit by bit: draws, penalties, learning rates, lookahead, averages, losses."""
    config = toy_config.changed(
        penalty_interval=3, lookahead=4, lr_decay_start=0.0, steps=N_STEPS
    )
    usual, captured = (Trainer(config, toy_images) for _ in range(2))
    rates_as_tensors(usual.gan)
    graphs = FakeGraphs(captured.gan)
    captured.gan.step = CapturedStep(captured.gan, graphs).step  # type: ignore[method-assign]
    losses = [
        [(each.critic_loss, each.generator_loss, each.penalty) for each in train(one)]
        for one in (usual, captured)
    ]
    assert losses[0] == losses[1]
    expected, found = (tensors(one.gan.state_dict()) for one in (usual, captured))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    assert captured.images_seen == usual.images_seen
    assert graphs.n_captures == 2
    # Three steps of each kind are taken before.
    assert graphs.n_replays == N_STEPS - 2 * 3


def test_steps_that_a_graph_would_repeat_are_refused(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    """What is needed, and what was given."""
    cases: dict[str, dict[str, Any]] = {
        "a CUDA device, got 'cpu'": {},
        "another 'Objective', got 'wgan-gp'": {"objective": "wgan-gp"},
        "no 'Feature resampling', got True": {
            "objective": "hinge",
            "feature_resampling": True,
        },
        "'adam' as both optimisers, got 'adam' and 'sgd'": {"critic_optimiser": "sgd"},
        "single planes, got 3 and None": {
            "critic_slices": 3,
            "generator_slices": None,
        },
    }
    games = {words: make_adversarial_step(**each) for words, each in cases.items()}
    dropout = small_image_config(architecture="dcgan-28")
    spec = generator_spec(dropout, 1, "signed")
    games["'Architecture' without dropout, got 'dcgan-28'"] = AdversarialStep(
        dropout, spec, True, torch.device("cpu")
    )
    for words, gan in games.items():
        with subtests.test(words):
            graphs = None if "device" in words else FakeGraphs(gan)
            with pytest.raises(ValueError, match=words):
                CapturedStep(gan, graphs)


class NoTransfers(TorchDispatchMode):
    """Refuses operations on tensors of two devices, except while ``allowed``."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.allowed = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        involved = tree_leaves((args, kwargs, result))
        devices = {each.device.type for each in involved if isinstance(each, Tensor)}
        assert self.allowed or len(devices) < 2, func
        return result


@pytest.mark.parametrize(("channels", "output"), [(2, "phases"), (3, "unit")])
def test_a_step_needs_nothing_from_the_host_but_what_it_is_fed(
    make_adversarial_step: MakeAdversarialStep, channels: int, output: Output
) -> None:
    """As a capture; positions are on the device too, so no shape depends on them."""
    config = make_adversarial_step(noise=True, voxel_noise="on").config
    gan = AdversarialStep(config, generator_spec(config, channels, output), True, META)
    assert gan.patterns is not None
    transfers = NoTransfers()

    def feed(draw: Callable[[], Tensor], device: torch.device) -> Tensor:
        transfers.allowed = True
        fed = draw().to(META)
        transfers.allowed = False
        return fed

    def real(critic: int, n: int, rng: torch.Generator) -> Tensor:
        return torch.empty(n, channels, TOY_PATCH, TOY_PATCH, device=META)

    gan.feed = feed
    for progress in (0.0, 0.5):
        gan.begin_step(progress)
        with transfers:
            assert gan.update(real).shape == (3,)
        gan.end_step()
