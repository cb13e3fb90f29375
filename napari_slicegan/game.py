"""Generator against critics: the networks, their optimisers, and one training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_slicegan.architectures import (
    GeneratorNetwork,
    build_critic,
    build_generator,
)
from napari_slicegan.config import DIMENSIONS
from napari_slicegan.machine import precision
from napari_slicegan.machine.devices import to_device
from napari_slicegan.objectives import build_objective
from napari_slicegan.parallel.distributed import (
    SINGLE_PROCESS,
    DistributedContext,
)
from napari_slicegan.training import hard_phases
from napari_slicegan.training.averaging import AveragedGenerator
from napari_slicegan.training.conditioning import beside_labels, with_labels
from napari_slicegan.training.lookahead import Lookahead
from napari_slicegan.training.optimisers import build_optimisers, set_rates
from napari_slicegan.training.phase_weights import matching_weights
from napari_slicegan.training.random_streams import RandomStreams, prior_sample
from napari_slicegan.training.saved_state import load_parts
from napari_slicegan.transforms import OneHotPhases
from napari_slicegan.views import critic_heads, view_of

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.objectives.base import Critic
    from napari_slicegan.training_images import TrainingImages
    from napari_slicegan.transforms import Transform

RealImages = Callable[[int, int, torch.Generator], Tensor]
"""(critic number, how many, rng) -> real crops [n, C, P, P]."""


class Game:
    """One generator, its running average, and the critics it must convince.

    Parameters
    ----------
    config, spec
        Settings, and the generator they ask for.
    isotropic
        Whether one set of images stands for all axes.
    device
        Where to train.
    distributed
        The processes that train; the batches of the settings are those of each.

    Raises
    ------
    ValueError
        If the settings of the critic do not fit together.
    """

    def __init__(
        self,
        config: RunConfig,
        spec: Any,
        isotropic: bool,
        device: torch.device,
        distributed: DistributedContext = SINGLE_PROCESS,
    ) -> None:
        self.config = config
        self.device = device
        self.distributed = distributed
        self.precision = precision.choose_precision(config.training.precision, device)
        self.streams = RandomStreams(config.training.seed)
        self.view = view_of(DIMENSIONS[spec.architecture], isotropic)
        heads = critic_heads(config, self.view, isotropic)
        self._per_axis = config.objective.update_per_axis
        self.objective = build_objective(config.objective)
        weights = self.streams["weights"]
        self.generator: GeneratorNetwork = build_generator(spec, weights).to(device)
        self._is_told = bool(getattr(spec, "labels", ()))
        seen = spec.channels + self._is_told
        self.critics = nn.ModuleList(
            build_critic(config, seen, self.objective.outputs, weights, heads)
            for _ in range(self.view.n_batches)
        )
        order = precision.critic_order(config)
        self.critics.to(device, memory_format=order)  # type: ignore[call-overload]
        self.averaged = AveragedGenerator(self.generator, config.optimiser.ema_decay)
        for network in (self.generator, self.critics):
            distributed.sync_batch_norm(network)
        settings = config.optimiser
        self.generator_optimiser, self.critic_optimiser = build_optimisers(
            settings, self.generator, self.critics
        )
        players = (self.generator, self.critics)
        self.lookahead = Lookahead(players, settings.lookahead)

    def latents(self, n: int) -> Tensor:
        """Random latents of the training size, [n, C, l, l, l] for volumes.

        They are this process's shard of those that are drawn for all.
        """
        drawn = self._drawn_latents(n * self.distributed.world_size, "latents")
        return to_device(self.distributed.shard(drawn), self.device)

    def _drawn_latents(self, n: int, purpose: str) -> Tensor:
        shape = (n, *self.generator.training_latents)
        rng = self.streams[purpose]
        latents = prior_sample(self.generator.prior, shape, rng)
        if self._is_told:
            latents = with_labels(latents, self.generator.spec, rng)
        return latents

    def step(self, real: RealImages, progress: float) -> Tensor:
        """Train the critics, then the generator, as often as the settings say.

        Parameters
        ----------
        real
            Source of real crops.
        progress
            Share of the run that is over; sets the learning rates.

        Returns
        -------
        Tensor
            Losses of critic and generator, and penalty, means over critics and over
            steps of each side: [3], on the device, which nothing here waits for.
        """
        optimisers = self.generator_optimiser, self.critic_optimiser
        set_rates(optimisers, self.config.optimiser, progress)
        self.lookahead.begin_step()
        training = self.config.training
        critic_steps = self.config.objective.critic_steps
        critic_batch_size, generator_batch_size = training.volumes
        share = training.share_batch and critic_batch_size == generator_batch_size
        losses, generator_losses = [], []
        for number in range(critic_steps):
            last = share and number == critic_steps - 1
            with torch.set_grad_enabled(last):
                volumes = self._volumes(critic_batch_size)
            losses.append(self._critic_step(volumes.detach(), real))
        for number in range(self.config.objective.generator_steps):
            if number or not share:
                volumes = self._volumes(generator_batch_size)
            generator_losses.append(self._generator_step(volumes, real))
        self.lookahead.end_step()
        self.averaged.update(self.generator)
        critic_loss, penalty = torch.stack(losses).mean(dim=0)
        generator_loss = torch.stack(generator_losses).mean()
        return self.distributed.all_reduce_mean(
            torch.stack([critic_loss, generator_loss, penalty])
        )

    def _volumes(self, n: int) -> Tensor:
        """Generated volumes as the critic shall see them, [n, C, l, l, l]."""
        latents = self.latents(n)
        has_phases = self.generator.spec.output == "phases"
        hard = self.config.slices.straight_through and has_phases
        with precision.computing_in(self.precision, self.device):
            volumes: Tensor = self.generator(latents, logits=hard)
        volumes = volumes.float()
        if hard:
            volumes = hard_phases.hardened(volumes, self.distributed)
        return beside_labels(volumes, latents) if self._is_told else volumes

    def _critic(self, number: int) -> Critic:
        """A critic in the precision of the run; its scores are in float32.

        So are the losses and penalties, and what goes back into images and weights.
        """
        return precision.scoring(self.critics[number], self.precision, self.device)

    def _critic_step(self, volumes: Tensor, real: RealImages) -> Tensor:
        """Returns loss and penalty, [2], means over critics or axes."""
        self.objective.begin_step(self.streams["objective"])
        batches = self._fakes(volumes, self.config.slices.critic_slices)
        if self._per_axis:
            parts = self.view.n_axes // len(batches)
            batches = [(n, part) for n, fake in batches for part in fake.chunk(parts)]
        updates = [[batch] for batch in batches] if self._per_axis else [batches]
        total = torch.zeros(2, device=self.device)
        for update in updates:
            self.critic_optimiser.zero_grad(set_to_none=True)
            for number, fake in update:
                reals = self._reals(real, number, len(fake), len(batches))
                loss = self.objective.critic_loss(self._critic(number), reals, fake)
                loss.total.backward()
                total += torch.stack([loss.total.detach() - loss.penalty, loss.penalty])
            self.distributed.average_gradients(self.critics.parameters())
            self.critic_optimiser.step()
            for critic in self.critics:
                self.objective.after_critic_step(critic)
        return total / len(batches)

    def _generator_step(self, volumes: Tensor, real: RealImages) -> Tensor:
        planes = self.config.slices.generator_slices
        self.generator_optimiser.zero_grad(set_to_none=True)
        self.critics.requires_grad_(False)
        losses = []
        for number, fake in self._fakes(volumes, planes):
            # Only an objective of pairs looks at real images here.
            pairs = self.objective.pairs_images
            reals = self._reals(real, number, len(fake)) if pairs else fake[:0].detach()
            critic = self._critic(number)
            losses.append(self.objective.generator_loss(critic, reals, fake))
        loss = torch.stack(losses).mean()
        loss.backward()
        self.critics.requires_grad_(True)
        self.distributed.average_gradients(self.generator.parameters())
        self.generator_optimiser.step()
        return loss.detach()

    @property
    def axes_in_a_batch(self) -> int:
        """Axes that share a batch of the critic, as equal parts of it."""
        return 1 if self._per_axis else self.view.n_axes // self.view.n_batches

    def _fakes(
        self, volumes: Tensor, planes: int | None
    ) -> Sequence[tuple[int, Tensor]]:
        """Number of the critic and what it sees, for each batch."""
        images = self.view.images(volumes, planes, self.streams["planes"])
        return list(enumerate(images))

    def _reals(
        self, real: RealImages, number: int, n_fakes: int, n_batches: int = 1
    ) -> Tensor:
        """Real crops for one of ``n_batches`` batches, which share the axes."""
        per_axis = self.config.training.real_batch_size
        if per_axis is None or self.objective.pairs_images:
            n = n_fakes
        else:
            n = per_axis * self.view.n_axes // n_batches
        return to_device(real(number, n, self.streams["patches"]), self.device)

    def is_finite(self) -> Tensor:
        """Truth value on the device: no weight is infinite or not a number."""
        weights = (*self.generator.parameters(), *self.critics.parameters())
        return nn.utils.get_total_norm(weights).isfinite()

    def recalibrate(self, n_volumes: int = 32) -> None:
        """Give the averaged generator batch-norm statistics that fit its weights.

        Parameters
        ----------
        n_volumes
            Volumes to measure them on; images come in 16 times as many. Their latents
            are the same at every call, so that measurements of one run can be
            compared. Without averaging the trained network's own statistics are taken
            over.
        """
        if self.averaged.decay == 0:
            self.averaged.take_statistics(self.generator)
            return
        self.averaged.recalibrate(self._monitor_latents(n_volumes))

    def matched(
        self, transform: Transform, images: TrainingImages, n_volumes: int = 32
    ) -> Transform:
        """Transform that gives volumes the phase fractions of the images.

        The same transform where the settings do not ask for it, or without phases.
        Call it after :meth:`recalibrate`.
        """
        wanted = self.config.optimiser.match_phase_fractions
        if not (wanted and isinstance(transform, OneHotPhases)):
            return transform
        seen = self.averaged.logits(self._monitor_latents(n_volumes))
        weights = matching_weights(seen, images.phase_fractions)
        return OneHotPhases(transform.labels, weights)

    def _monitor_latents(self, n_volumes: int) -> Iterator[Tensor]:
        """Latents [2, C, l, l, l] of some volumes, the same ones at every call."""
        rng = self.streams["monitor"]
        start = state = rng.get_state()
        for _ in range(n_volumes // 2):
            rng.set_state(state)
            drawn = self._drawn_latents(self.generator.statistics_batch, "monitor")
            # Before the latents are used: whoever uses them may fail.
            state = rng.get_state()
            rng.set_state(start)
            yield to_device(drawn, self.device)

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs to go on bit by bit."""
        return {
            "generator": self.generator.state_dict(),
            "critics": self.critics.state_dict(),
            "averaged": self.averaged.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "critic_optimiser": self.critic_optimiser.state_dict(),
            "lookahead": self.lookahead.state_dict(),
            "objective": self.objective.state_dict(),
            "streams": self.streams.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; refuses as `load_parts` does."""
        load_parts({name: getattr(self, name) for name in self.state_dict()}, state)
        if self.averaged.decay == 0:
            self.averaged.follow(self.generator)
