"""Generator and critics, their optimisers, and one adversarial training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from napari_slicegan.config import AXES, dimensions_of
from napari_slicegan.data.transforms import OneHotPhases, most_probable
from napari_slicegan.losses import build_objective
from napari_slicegan.losses.patches import PatchLoss
from napari_slicegan.losses.patterns import PatternLoss
from napari_slicegan.models import GeneratorNetwork, build_critic, build_generator
from napari_slicegan.models.pretrained import start_from_pretrained
from napari_slicegan.runtime import devices as precision
from napari_slicegan.runtime.devices import to_device
from napari_slicegan.runtime.distributed import SINGLE_PROCESS, DistributedContext
from napari_slicegan.training.ema import (
    AveragedGenerator,
    matching_weights,
    plane_maker,
)
from napari_slicegan.training.optimizers import Lookahead, build_optimisers, set_rates
from napari_slicegan.training.slices import critic_heads, pair_distances, view_of

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.losses.base import Critic
    from napari_slicegan.models import GeneratorSpec, NetworkSpec
    from napari_slicegan.models.slicegan import VolumeGenerator

Feed = Callable[[Callable[[], Tensor], torch.device], Tensor]
"""Calls a function that draws a tensor on the CPU; the tensor on a device."""
Fakes = list[tuple[int, Tensor]]
"""Index of the critic and generated images [N, C, P, P], for each batch."""
Seen = dict[int, tuple[Tensor, Tensor]]
"""Real images [N, C, P, P] of a critic step and their scores, by critic."""
RealImages = Callable[[int, int, torch.Generator], Tensor]
"""(index of the critic, number of images, rng) -> real crops [n, C, P, P]."""
MIN_LABEL_SPREAD = 0.01
"""Smallest standard deviation of the phase fractions to condition on."""
LOGIT_SCALE = 3.0
SMALL_SIZE = 64
"""Voxels or pixels per axis up to which samples are cheap."""
PURPOSES = ("weights", "latents", "planes", "patches", "objective", "monitor")
"""One random stream each; the order determines the seeds."""


def fractions_of(images: TrainingImages) -> tuple[float, ...]:
    """Fraction of the last phase in each micrograph.

    Raises
    ------
    ValueError
        If the images have no phases, are anisotropic, or have similar fractions.
    """
    if images.kind != "phases" or images.material != "isotropic":
        raise ValueError(
            "A condition needs phases of an isotropic material, got "
            f"{images.kind} of an {images.material} one; set 'Condition' to none."
        )
    last = images.labels[-1]
    fractions = tuple(float(image.phase_fractions().get(last, 0)) for image in images)
    if np.std(fractions) < MIN_LABEL_SPREAD:
        raise ValueError(
            "A condition needs micrographs whose phase fractions differ, got "
            f"{min(fractions):.3f} to {max(fractions):.3f}; add other micrographs or "
            "set 'Condition' to none."
        )
    return fractions


def scaled_labels(labels: tuple[float, ...]) -> tuple[float, ...]:
    """Standardised labels: mean 0, standard deviation 1."""
    numbers = np.asarray(labels)
    return tuple(((numbers - numbers.mean()) / numbers.std()).tolist())


def append_random_labels(
    latents: Tensor, spec: GeneratorSpec, rng: torch.Generator
) -> Tensor:
    """Append the label of a random training image to each latent, [n, C, l, l, l]."""
    labels = torch.tensor(scaled_labels(spec.labels), dtype=latents.dtype)
    chosen = labels[torch.randint(len(labels), (len(latents),), generator=rng)]
    channel = chosen.to(latents.device).view(-1, 1, 1, 1, 1)
    return torch.cat([latents, channel.expand_as(latents[:, :1])], dim=1)


def append_label_channel(samples: Tensor, latents: Tensor) -> Tensor:
    """Append the label in the latents to volumes or planes [n, C, ...]."""
    channel = latents[:, -1:, 0, 0, 0]
    channel = channel.reshape(len(latents), 1, *(1,) * (samples.ndim - 2))
    return torch.cat([samples, channel.expand_as(samples[:, :1])], dim=1)


def straight_through(
    logits: Tensor, distributed: DistributedContext = SINGLE_PROCESS
) -> Tensor:
    """One-hot of the most probable phase with a straight-through gradient.

    The critic sees what a finished volume contains and cannot exploit soft
    (non-one-hot) outputs. The gradient is that of the softmax of the same logits
    (Bengio et al. 2013, arXiv:1308.3432), scaled to a root mean square of
    ``LOGIT_SCALE``: the argmax does not depend on the scale, so nothing else bounds the
    logits and thereby the effective learning rate.

    Parameters
    ----------
    logits
        [B, C, Z, Y, X], float32. Not log-probabilities: for a confident generator
        probabilities round to 0 or 1 and their gradient vanishes.
    distributed
        The scale is averaged over all processes.
    """
    centred = logits - logits.mean(dim=1, keepdim=True)
    size = distributed.all_reduce_mean(centred.square().mean())
    scale = LOGIT_SCALE * torch.rsqrt(size + 1e-12)
    soft = (scale * centred).softmax(dim=1)
    best = most_probable(logits.detach(), axis=1)
    phases = range(logits.shape[1])
    hard = torch.stack([best == phase for phase in phases], dim=1).to(soft.dtype)
    return soft + (hard - soft).detach()


def copied(draw: Callable[[], Tensor], device: torch.device) -> Tensor:
    """Draw and copy to a device without waiting for it: the usual `Feed`."""
    return to_device(draw(), device)


class RandomStreams(dict[str, torch.Generator]):
    """Independent random generators, one for each purpose.

    All are on the CPU, so a run on a GPU draws the same numbers.
    """

    def __init__(self, seed: int) -> None:
        for number, purpose in enumerate(PURPOSES):
            stream = torch.Generator()
            stream.manual_seed((seed * len(PURPOSES) + number) % 2**63)
            self[purpose] = stream

    def state_dict(self) -> dict[str, Tensor]:
        """States of all generators."""
        return {name: stream.get_state() for name, stream in self.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the state returned by :meth:`state_dict`."""
        for name, stream in self.items():
            stream.set_state(state[name])


class Generated(NamedTuple):
    """Generated samples of a batch.

    Attributes
    ----------
    latents
        [B, C, l, l, l] for volumes.
    made
        Samples as critic input, or of volumes the features from which the generator
        computes single planes.
    """

    latents: Tensor
    made: Tensor


class AdversarialStep:
    """Generator, its moving average, critics and optimisers; performs training steps.

    Parameters
    ----------
    config, spec
        Settings, and the specification of the generator.
    isotropic
        Whether all viewing directions share one set of images and one critic.
    device
        Device to train on.
    distributed
        Processes that train together; batch sizes in the settings are per process.

    Attributes
    ----------
    feed
        Provides all that a step draws on the CPU; replaced by `CapturedStep`.
    critic_channels
        Channels of the images of each critic; twice as many of pairs of planes.

    Raises
    ------
    ValueError
        If the settings of the critic do not fit together.
    """

    def __init__(
        self,
        config: RunConfig,
        spec: NetworkSpec,
        isotropic: bool,
        device: torch.device,
        distributed: DistributedContext = SINGLE_PROCESS,
    ) -> None:
        self.config = config
        self.device = device
        self.distributed = distributed
        self.feed: Feed = copied
        self.precision = precision.choose_precision(config.training.precision, device)
        self.streams = RandomStreams(config.training.seed)
        distances = pair_distances(config, isotropic)
        self.view = view_of(dimensions_of(spec.architecture), isotropic, distances)
        heads = critic_heads(config, self.view, isotropic)
        self._per_axis = config.objective.update_per_axis
        self.objective = build_objective(config.objective)
        weights = self.streams["weights"]
        self.generator: GeneratorNetwork = build_generator(spec, weights).to(device)
        self._is_conditional = bool(getattr(spec, "labels", ()))
        self._plane_maker = self._find_plane_maker()
        channels = spec.channels + self._is_conditional
        self.critic_channels = [
            self.view.planes_in(batch) * channels
            for batch in range(self.view.n_batches)
        ]
        self.critics = nn.ModuleList(
            build_critic(config, number, self.objective.outputs, weights, heads)
            for number in self.critic_channels
        )
        start_from_pretrained(
            config.architecture, self.generator, self.critics, weights
        )
        self.objective.scores_single_images = not any(
            isinstance(layer, BatchNorm) for layer in self.critics.modules()
        )
        memory_format = precision.critic_memory_format(config)
        self.critics.to(device, memory_format=memory_format)  # type: ignore[call-overload]
        self.patterns: PatternLoss | PatchLoss | None = None
        if config.objective.pattern_weight and dimensions_of(spec.architecture) == 3:
            mean = distributed.all_reduce_mean
            parts = self.view.n_axes, spec.channels
            if self._is_hard:
                self.patterns = PatternLoss(*parts, mean, share_images=isotropic)
            elif spec.output != "phases":
                edge = config.architecture.patch_size
                self.patterns = PatchLoss(*parts, edge, mean, share_images=isotropic)
        if self.patterns is not None:
            self.patterns.to(device)
        self.averaged = AveragedGenerator(self.generator, config.optimiser.ema_decay)
        for network in (self.generator, self.critics):
            distributed.sync_batch_norm(network)
        networks = (self.generator, self.critics)
        self.generator_optimiser, self.critic_optimiser = build_optimisers(
            config.optimiser, *networks
        )
        self.lookahead = Lookahead(networks, config.optimiser.lookahead)

    def latents(self, n: int) -> Tensor:
        """Random latents of the training size, [n, C, l, l, l] for volumes.

        Returns this process's shard of the latents drawn for all processes.
        """

        def draw() -> Tensor:
            drawn = self._drawn_latents(n * self.distributed.world_size, "latents")
            return self.distributed.shard(drawn)

        return self.feed(draw, self.device)

    def _drawn_latents(self, n: int, purpose: str) -> Tensor:
        """Latents from the prior, normal or uniform in [-1, 1]; on the CPU."""
        shape = (n, *self.generator.training_latents)
        rng = self.streams[purpose]
        if self.generator.prior == "uniform":
            latents = 2 * torch.rand(shape, generator=rng) - 1
        else:
            latents = torch.randn(shape, generator=rng)
        if self._is_conditional:
            latents = append_random_labels(latents, self.generator.spec, rng)
        return latents

    def step(self, real: RealImages, progress: float) -> Tensor:
        """Update the critics, then the generator, with the counts of the settings.

        Parameters
        ----------
        real
            Source of real crops.
        progress
            Completed fraction of the run; sets the learning rates.

        Returns
        -------
        Tensor
            Critic loss, generator loss and penalty, each averaged over critics and
            updates: [3], on the device, without synchronisation.
        """
        self.begin_step(progress)
        losses = self.update(real)
        self.end_step()
        return losses

    def begin_step(self, progress: float) -> None:
        """First part of a step: learning rates and slow weights."""
        optimisers = self.generator_optimiser, self.critic_optimiser
        set_rates(optimisers, self.config.optimiser, progress)
        self.lookahead.begin_step()

    def end_step(self) -> None:
        """Last part of a step: lookahead and the averaged generator."""
        self.lookahead.end_step()
        self.averaged.update(self.generator)

    def update(self, real: RealImages) -> Tensor:
        """Update the networks: the part of a step that computes on the device.

        The only values from the host that differ between two steps are those of `feed`
        and whether there is a penalty.
        """
        training, slices = self.config.training, self.config.slices
        critic_steps = self.config.objective.critic_steps
        critic_batch_size, generator_batch_size = training.volumes
        share = training.share_batch and critic_batch_size == generator_batch_size
        share_planes = (
            share
            and training.share_planes
            and slices.critic_slices == slices.generator_slices
        )
        losses, generator_losses = [], []
        for number in range(critic_steps):
            last = share and number == critic_steps - 1
            with torch.set_grad_enabled(last):
                samples = self._generated(critic_batch_size)
                fakes = self._fakes(samples, slices.critic_slices)
            critic_losses, seen = self._critic_step(fakes, real)
            losses.append(critic_losses)
        for number in range(self.config.objective.generator_steps):
            if number or not share:
                samples = self._generated(generator_batch_size)
            if number or not share_planes:
                fakes = self._fakes(samples, slices.generator_slices)
            known = seen if share_planes and number == 0 else {}
            generator_losses.append(self._generator_step(fakes, real, known))
        critic_loss, penalty = torch.stack(losses).mean(dim=0)
        generator_loss = torch.stack(generator_losses).mean()
        return self.distributed.all_reduce_mean(
            torch.stack([critic_loss, generator_loss, penalty])
        )

    def _find_plane_maker(self) -> VolumeGenerator | None:
        """The generator, if the critic sees single planes that it can compute."""
        slices = self.config.slices
        if slices.critic_slices is None or slices.generator_slices is None:
            return None
        return plane_maker(self.generator)

    @property
    def draws_planes_itself(self) -> bool:
        """Whether random planes are chosen from whole volumes, not through `feed`."""
        slices = self.config.slices
        is_random = (slices.critic_slices, slices.generator_slices) != (None, None)
        return is_random and self.view.n_axes > 1 and self._plane_maker is None

    def _generated(self, n: int) -> Generated:
        """Generate ``n`` samples, or of volumes what their planes are made from."""
        latents = self.latents(n)
        with precision.computing_in(self.precision, self.device):
            if self._plane_maker is not None:
                return Generated(latents, self._plane_maker.features(latents))
            made: Tensor = self.generator(latents, logits=self._is_hard)
        volumes = self._as_critic_input(made)
        if self._is_conditional:
            volumes = append_label_channel(volumes, latents)
        return Generated(latents, volumes)

    @property
    def _is_hard(self) -> bool:
        """Whether the critic sees one-hot phases."""
        has_phases = self.generator.spec.output == "phases"
        return self.config.slices.straight_through and has_phases

    def _as_critic_input(self, made: Tensor) -> Tensor:
        """Post-process the output of the generator, [N, C, ...]."""
        made = made.float()
        return straight_through(made, self.distributed) if self._is_hard else made

    def _critic(self, number: int) -> Critic:
        """A critic in the precision of the run; its scores are float32."""
        return precision.scoring(self.critics[number], self.precision, self.device)

    def _critic_step(self, batches: Fakes, real: RealImages) -> tuple[Tensor, Seen]:
        """Update the critics.

        Returns
        -------
        tuple
            Loss and penalty averaged over batches [2], and the real images with scores
            that a generator step with the same batches can take.
        """
        seen: Seen = {}
        self.objective.begin_step(self.streams["objective"])
        batches = [(number, fake.detach()) for number, fake in batches]
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
                if loss.real_scores is not None and not self._per_axis:
                    seen[number] = reals, loss.real_scores
                total += torch.stack([loss.total.detach() - loss.penalty, loss.penalty])
            self.distributed.average_gradients(self.critics.parameters())
            self.critic_optimiser.step()
            for critic in self.critics:
                self.objective.after_critic_step(critic)
        return total / len(batches), seen

    def _generator_step(self, batches: Fakes, real: RealImages, seen: Seen) -> Tensor:
        self.generator_optimiser.zero_grad(set_to_none=True)
        self.critics.requires_grad_(False)
        losses, compared = [], []
        for number, fake in batches:
            # Only relativistic objectives compare with real images here.
            needs_real = self.objective.pairs_images or self.patterns is not None
            reals, scores = seen.get(number, (fake[:0].detach(), None))
            if needs_real and scores is None:
                reals = self._reals(real, number, len(fake))
            critic = self._critic(number)
            losses.append(self.objective.generator_loss(critic, reals, fake, scores))
            compared.append((reals, fake))
        loss = torch.stack(losses).mean()
        total = loss
        if self.patterns is not None:
            weight = self.config.objective.pattern_weight
            total = loss + weight * self._pattern_loss(self.patterns, compared)
        total.backward()
        self.critics.requires_grad_(True)
        self.distributed.average_gradients(self.generator.parameters())
        self.generator_optimiser.step()
        return loss.detach()

    def _pattern_loss(
        self,
        patterns: PatternLoss | PatchLoss,
        compared: list[tuple[Tensor, Tensor]],
    ) -> Tensor:
        """Difference of local patterns along each axis."""
        parts = self.view.n_axes // len(compared)
        channels = patterns.channels

        def planes(images: Tensor) -> Tensor:
            """Planes of pairs one by one, without the channel of a condition."""
            n_planes = images.shape[1] // channels
            kept = images[:, : n_planes * channels]
            split: Tensor = kept.unflatten(1, (n_planes, channels))
            return split.flatten(0, 1)

        real, generated = (
            [planes(part) for batch in batches for part in batch.chunk(parts)]
            for batches in zip(*compared, strict=True)
        )
        loss: Tensor = patterns(real, generated)
        return loss

    @property
    def axes_in_a_batch(self) -> int:
        """Number of axes whose images form equal parts of one critic batch."""
        return 1 if self._per_axis else self.view.n_axes // self.view.n_batches

    def _fakes(self, samples: Generated, n_planes: int | None) -> Fakes:
        """Generated images for the critics."""
        rng = self.streams["planes"]
        maker = self._plane_maker
        if maker is None:
            return list(enumerate(self.view.images(samples.made, n_planes, rng)))
        sizes = (maker.training_size,) * len(AXES)
        # The host computes faster where it knows the positions.
        place = self.device if self.device.type == "cuda" else torch.device("cpu")
        positions = self.feed(
            lambda: torch.cat(self.view.positions(sizes, n_planes, rng)), place
        ).split(self.view.n_positions(sizes, n_planes))
        with precision.computing_in(self.precision, self.device):
            noise = maker.noise(samples.latents)
            planes = maker.planes(samples.made, positions, noise, logits=self._is_hard)
        n_images = [len(each) * len(each[0]) for each in planes]
        # [B, n, C, P, P] of each axis -> [N, C, P, P]
        images = self._as_critic_input(
            torch.cat([each.flatten(0, 1) for each in planes])
        )
        if self._is_conditional:
            n_each = [each.shape[1] for each in planes]
            latents = torch.cat(
                [samples.latents.repeat_interleave(n, dim=0) for n in n_each]
            )
            images = append_label_channel(images, latents)
        of_axes = list(images.split(n_images))
        return list(enumerate(self.view.batches(of_axes, len(samples.latents))))

    def _reals(
        self, real: RealImages, number: int, n_fakes: int, n_batches: int = 1
    ) -> Tensor:
        """Real crops for one of ``n_batches`` batches; together they cover all axes."""
        per_axis = self.config.training.real_batch_size
        if per_axis is None or self.objective.pairs_images:
            n = n_fakes
        else:
            n = per_axis * self.view.n_axes // n_batches
        return to_device(real(number, n, self.streams["patches"]), self.device)

    def is_finite(self) -> Tensor:
        """Whether all weights are finite, as a tensor on the device."""
        weights = (*self.generator.parameters(), *self.critics.parameters())
        return nn.utils.get_total_norm(weights).isfinite()

    def recalibrate(self, n_volumes: int = 32) -> None:
        """Recompute the batch-norm statistics of the averaged generator.

        Without averaging, the trained network is copied with its statistics.

        Parameters
        ----------
        n_volumes
            Number of volumes to measure (for images 16 times as many). The latents are
            the same at every call, so that measurements of one run are comparable.
        """
        if self.averaged.decay == 0:
            self.averaged.copy_from(self.generator)
            return
        self.averaged.recalibrate(self._monitor_latents(n_volumes))

    def matched_transform(
        self,
        transform: Transform,
        images: TrainingImages,
        n_volumes: int = 32,
        *,
        is_precise: bool = True,
    ) -> Transform:
        """Transform with phase weights that match the phase fractions of the images.

        Returns the transform unchanged if matching is off or there are no phases.
        Requires a prior :meth:`recalibrate`.

        Parameters
        ----------
        n_volumes
            At least as many are made. The fraction of a phase in 32 volumes of 64^3
            is uncertain by 0.003, and diffusivity goes with its third to fourth power:
            of volumes of this size or smaller three times as many are made.
        is_precise
            Whether they are; in 8 volumes it is uncertain by 0.006.
        """
        is_matched = self.config.optimiser.match_phase_fractions
        if not (is_matched and isinstance(transform, OneHotPhases)):
            return transform
        if is_precise and self.generator.training_size <= SMALL_SIZE:
            n_volumes *= 3
        with precision.computing_in(self.precision, self.device):
            seen = self.averaged.logits(self._monitor_latents(n_volumes))
        weights = matching_weights(seen, images.phase_fractions)
        return OneHotPhases(transform.labels, weights)

    def _monitor_latents(self, n_volumes: int) -> Iterator[Tensor]:
        """Latent batches [2, C, l, l, l], the same ones at every call."""
        rng = self.streams["monitor"]
        start = state = rng.get_state()
        for _ in range(n_volumes // 2):
            rng.set_state(state)
            drawn = self._drawn_latents(self.generator.statistics_batch, "monitor")
            # Reset before yielding: the consumer may fail.
            state = rng.get_state()
            rng.set_state(start)
            yield to_device(drawn, self.device)

    def state_dict(self) -> dict[str, Any]:
        """State with which a resumed run continues bit by bit."""
        return {
            "generator": self.generator.state_dict(),
            "critics": self.critics.state_dict(),
            "averaged": self.averaged.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "critic_optimiser": self.critic_optimiser.state_dict(),
            "lookahead": self.lookahead.state_dict(),
            "objective": self.objective.state_dict(),
            "streams": self.streams.state_dict(),
            **({"patterns": self.patterns.state_dict()} if self.patterns else {}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`.

        Raises
        ------
        ValueError
            If a state is missing or does not fit, as in a checkpoint of another
            version. Some parts may already be restored then: do not continue.
        """
        for name in self.state_dict():
            try:
                getattr(self, name).load_state_dict(state[name])
            except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
                found = "one that does not fit" if name in state else "none"
                raise ValueError(
                    "The checkpoint is of another version of napari-slicegan: expected "
                    f"a state of '{name.replace('_', ' ')}', got {found}. Resume the "
                    "run with the version in its config.json, or start a new one; its "
                    "generator can still be used."
                ) from error
        if self.averaged.decay == 0:
            self.averaged.copy_from(self.generator)
