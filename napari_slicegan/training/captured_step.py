"""Training steps replayed as CUDA graphs.

A step of the default settings launches hundreds of small kernels, one by one from
Python; a CUDA graph launches all of them at once. It replays the same kernels on the
same memory, so whatever differs between two steps must lie in tensors: what is drawn
on the CPU is copied to fixed inputs, and learning rates are tensors. Steps with and
without a gradient penalty have a graph each. Lookahead and the averaged generator,
whose factors are numbers of the host, follow outside of the graph.

https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.training.adversarial_step import (
        AdversarialStep,
        Feed,
        RealImages,
    )

Work = Callable[[], Tensor]
WARM_UP = 3
"""Steps of each kind before the capture: cuDNN chooses kernels, memory is allocated."""


class Graphs(Protocol):
    """Captures work, to do it again; see `CudaGraphs`."""

    def capture(self, work: Work) -> tuple[Tensor, Callable[[], None]]:
        """Capture work without doing it; its result, and a function that does it."""

    def warm_up(self, work: Work) -> Tensor:
        """Do work before it is captured."""


class CudaGraphs(Graphs):
    """Captures work as CUDA graphs.

    Work before a capture runs on the stream of the capture: autograd and libraries keep
    state for each stream.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)

    def capture(self, work: Work) -> tuple[Tensor, Callable[[], None]]:
        """Capture work without doing it; its result, and a function that does it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            result = work()
        return result, graph.replay

    def warm_up(self, work: Work) -> Tensor:
        """Do work, in order with that of the present stream."""
        present = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(present)
        with torch.cuda.stream(self._stream):
            result = work()
        present.wait_stream(self._stream)
        return result


@dataclass
class Inputs:
    """What a step draws on the CPU, in fixed tensors on the device.

    Attributes
    ----------
    draws
        Functions that draw it, in order.
    tensors
        What they have drawn last.
    """

    draws: list[Callable[[], Tensor]] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)

    def recorded(self, draw: Callable[[], Tensor], device: torch.device) -> Tensor:
        """Draw, and keep function and tensor: a `Feed`."""
        self.draws.append(draw)
        self.tensors.append(to_device(draw(), device))
        return self.tensors[-1]

    def draw_again(self) -> None:
        """Fill the tensors with what the next step draws."""
        for draw, tensor in zip(self.draws, self.tensors, strict=True):
            tensor.copy_(to_device(draw(), tensor.device))

    def replayed(self) -> Feed:
        """A `Feed` that returns the tensors in order and draws nothing."""
        kept = iter(self.tensors)
        return lambda draw, device: next(kept)


@dataclass
class Captured:
    """One kind of step as a graph."""

    inputs: Inputs
    losses: Tensor
    replay: Callable[[], None]


class CapturedStep:
    """Takes the steps of an `AdversarialStep`, replayed from the fourth of a kind on.

    Losses and weights are those of its own steps but for rounding: learning rates are
    in float32. Opt-in: ``trainer.gan.step = CapturedStep(trainer.gan).step``.

    Parameters
    ----------
    gan
        Its learning rates become tensors.
    graphs
        Captures the work; replaced in tests.

    Raises
    ------
    ValueError
        If the device has no CUDA graphs, or a step computes with numbers of the host
        that a graph would repeat.
    """

    def __init__(self, gan: AdversarialStep, graphs: Graphs | None = None) -> None:
        unmet = list(_unmet(gan, is_imitated=graphs is not None))
        if unmet:
            needed, got = (", ".join(words) for words in zip(*unmet, strict=True))
            raise ValueError(
                f"CUDA graphs need {needed}, got {got}; change this or train without "
                "graphs."
            )
        self._gan = gan
        self._make = graphs or CudaGraphs(gan.device)
        self._n_eager: dict[tuple[bool, ...], int] = {}
        self._inputs: dict[tuple[bool, ...], Inputs] = {}
        self._graphs: dict[tuple[bool, ...], Captured] = {}
        rates_as_tensors(gan)

    def step(self, real: RealImages, progress: float) -> Tensor:
        """As `AdversarialStep.step`."""
        gan = self._gan
        gan.begin_step(progress)
        n_critic_steps = gan.config.objective.critic_steps
        kind = gan.objective.coming_penalties(n_critic_steps)
        if self._n_eager.get(kind, 0) < WARM_UP:
            losses = self._warm_up(kind, real)
        else:
            if kind not in self._graphs:
                self._graphs[kind] = self._captured(self._inputs[kind], real)
            else:
                self._graphs[kind].inputs.draw_again()
            self._graphs[kind].replay()
            # The graph's own tensor is overwritten by its next replay.
            losses = self._graphs[kind].losses.clone()
            for _ in range(n_critic_steps):
                gan.objective.begin_step(gan.streams["objective"])
        gan.end_step()
        return losses

    def _warm_up(self, kind: tuple[bool, ...], real: RealImages) -> Tensor:
        """A usual step; keeps its inputs."""
        self._n_eager[kind] = self._n_eager.get(kind, 0) + 1
        self._inputs[kind] = inputs = Inputs()
        with self._fed_by(inputs.recorded):
            return self._make.warm_up(lambda: self._gan.update(real))

    def _captured(self, inputs: Inputs, real: RealImages) -> Captured:
        gan = self._gan
        inputs.draw_again()
        # Python counts the critic steps, although nothing is computed yet.
        before = gan.objective.state_dict()
        with self._fed_by(inputs.replayed()), self._capturable():
            losses, replay = self._make.capture(lambda: gan.update(real))
        gan.objective.load_state_dict(before)
        return Captured(inputs, losses, replay)

    @contextmanager
    def _fed_by(self, feed: Feed) -> Iterator[None]:
        usual, self._gan.feed = self._gan.feed, feed
        try:
            yield
        finally:
            self._gan.feed = usual

    @contextmanager
    def _capturable(self) -> Iterator[None]:
        """Tell the optimisers that a capture is meant; outside of it they warn."""
        optimisers = self._gan.generator_optimiser, self._gan.critic_optimiser
        groups = [group for each in optimisers for group in each.param_groups]
        for group in groups:
            group["capturable"] = True
        try:
            yield
        finally:
            for group in groups:
                group["capturable"] = False


def _unmet(gan: AdversarialStep, is_imitated: bool) -> Iterator[tuple[str, str]]:
    """What graphs need and what was given instead."""
    config = gan.config
    architecture = config.architecture
    if gan.device.type != "cuda" and not is_imitated:
        yield "a CUDA device", f"'{gan.device}'"
    if gan.distributed.world_size > 1:
        yield "one process", f"{gan.distributed.world_size} processes"
    if gan.objective.draws:
        yield "another 'Objective'", f"'{config.objective.objective}'"
    if architecture.feature_resampling:
        yield "no 'Feature resampling'", "True"
    elif any(map(_draws, (*gan.generator.modules(), *gan.critics.modules()))):
        yield "an 'Architecture' without dropout", f"'{architecture.architecture}'"
    if gan.draws_planes_itself:
        slices = config.slices
        yield (
            "'Critic slices' and 'Generator slices' that are both empty, or both set "
            "for a generator that makes single planes",
            f"{slices.critic_slices} and {slices.generator_slices}",
        )
    optimisers = config.optimiser.generator_optimiser, config.optimiser.critic_optimiser
    if set(optimisers) != {"adam"}:
        yield "'adam' as both optimisers", "'{}' and '{}'".format(*optimisers)


def _draws(module: nn.Module) -> bool:
    """Whether a layer has a source of random numbers, which lies on the CPU."""
    return any(isinstance(each, torch.Generator) for each in vars(module).values())


def rates_as_tensors(gan: AdversarialStep) -> None:
    """Keep the learning rates on the device, where a graph reads them."""
    for optimiser in (gan.generator_optimiser, gan.critic_optimiser):
        for group in optimiser.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=gan.device)
