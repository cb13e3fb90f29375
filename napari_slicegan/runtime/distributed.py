"""Training in several processes (``torch.distributed``), or in a single one.

Each process computes the gradients of its shard of the batch. One all-reduce of all
gradients, after ``backward``, gives every process their mean, so that all take the same
step. Nothing hooks into ``backward``: gradient penalties differentiate twice.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, Generic, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from napari_slicegan.runtime.devices import choose_device
from napari_slicegan.runtime.launcher import AllRanksError, is_launched
from napari_slicegan.runtime.memory import memory_explained

T = TypeVar("T")

TIMEOUT_S = 600.0
"""Longer than process 0 takes for a preview, its measurement and a save."""
POLL_S = 1.0
LOST_PEER = (
    "Another process of this run has ended or cannot be reached, so this one ends too; "
    "read the message of that process, then resume the run from its last checkpoint."
)
EXCHANGE_FAILED = (
    "The processes of this run cannot exchange values ({}); check the launcher's "
    "address and port, and give all processes the same version, settings and images."
)
OTHER_NETWORKS = (
    "The weights of process 0 do not fit the networks of this process; give all "
    "processes the same version, settings and images."
)
# In errors of gloo, NCCL and the rendezvous store, in lower case.
_LOST_PEER_WORDS = (
    *("closed by peer", "reset by peer", "connection refused", "broken pipe"),
    *("timed out", "timeout", "no route to host", "network is unreachable"),
    *("remote process exited", "remoteerror", "communicator was aborted"),
)


class LostPeerError(ValueError):
    """Another process has ended, or does not answer."""


def leave_group() -> None:
    """Leave the group of processes, if this one has joined any."""
    if dist.is_initialized():
        dist.destroy_process_group()


@functools.cache
def distributed_context() -> DistributedContext:
    """Context of this program; the first call waits for the other processes, if any.

    Raises
    ------
    ValueError
        If they cannot be reached.
    """
    return DistributedContext.join() if is_launched() else SINGLE_PROCESS


@dataclass(frozen=True)
class Decision(Generic[T]):
    """What is decided between two steps.

    Attributes
    ----------
    reason
        Why the run ends here; None if it continues.
    is_paused
        Whether it waits before the next step.
    progress
        Finished fraction of the run; sets the learning rates.
    """

    reason: T | None
    is_paused: bool
    progress: float


@dataclass(frozen=True)
class DistributedContext:
    """The processes that train one generator, as seen by one of them.

    All processes call the same methods in the same order: each call is an exchange. In
    a single process nothing is exchanged.

    Attributes
    ----------
    rank
        Number of this process; number 0 writes, prints, previews and keeps the clock.
    world_size
        Number of processes.
    local_rank
        Number of this process on its machine.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @classmethod
    def join(cls, timeout_s: float = TIMEOUT_S) -> DistributedContext:
        """Meet the other processes at the address given by the environment.

        Parameters
        ----------
        timeout_s
            Seconds that an exchange waits for a process that does not answer.

        Raises
        ------
        ValueError
            If they cannot be reached.
        """
        # Its functions have the group as a default value from when they are loaded,
        # which torch does by itself later on. It would then outlive `leave_group`, and
        # its threads abort the process that ends before them.
        import_module("torch.distributed.nn.functional")
        on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
        backend = "cpu:gloo,cuda:nccl" if on_gpus else "gloo"
        with _explained():
            dist.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
        atexit.register(leave_group)
        rank = dist.get_rank()
        local_rank = int(os.environ.get("LOCAL_RANK", rank))
        return cls(rank, dist.get_world_size(), local_rank)

    @property
    def is_main(self) -> bool:
        """Whether this process writes, prints, previews and keeps the clock."""
        return self.rank == 0

    @property
    def poll_s(self) -> float | None:
        """Seconds after which a paused process looks again; None if nobody waits."""
        return None if self.world_size == 1 else POLL_S

    def device(self, setting: str) -> torch.device:
        """Device of this process; among several, the GPU of its local rank.

        Raises
        ------
        ValueError
            If there is no such device.
        """
        n_gpus = torch.cuda.device_count()
        if self.world_size == 1:
            return choose_device(setting)
        if setting == "cpu" or (setting == "auto" and not n_gpus):
            return choose_device("cpu")
        if setting not in {"auto", "cuda"}:
            raise ValueError(
                "In several processes 'Device' is auto, cpu or cuda, with a GPU for "
                f"each process of a machine, got '{setting}'."
            )
        if self.local_rank >= n_gpus:
            raise ValueError(
                f"Each process needs a GPU of its own, got {n_gpus} for more "
                "processes; start fewer on this machine, or set 'Device' to cpu."
            )
        device = choose_device(f"cuda:{self.local_rank}")
        torch.cuda.set_device(device)
        return device

    def raise_on_all_ranks(self, work: Callable[[], T]) -> T:
        """Result of some work; an error in one process is raised in all of them.

        Raises
        ------
        AllRanksError
            If the work raised a `ValueError` or `OSError`, or lacked memory, in one of
            several processes.
        """
        if self.world_size == 1:
            return work()
        results: list[T] = []
        error: ValueError | OSError | None = None
        try:
            with memory_explained():
                results.append(work())
        except (ValueError, OSError) as caught:
            error = caught
        own = None if error is None else str(error) or type(error).__name__
        for rank, message in enumerate(self._all_gather(own)):
            if message is not None:
                text = message if rank == 0 else f"Process {rank}: {message}"
                raise AllRanksError(text) from error
        return results[0]

    def broadcast(self, value: T) -> T:
        """Value of process 0: tensors, numbers, texts and containers of them."""
        if self.world_size == 1:
            return value
        # Pickled GPU tensors would be restored on the GPU of process 0.
        file = io.BytesIO()
        if self.is_main:
            torch.save(value, file)
        box = [file.getvalue()]
        with _explained():
            dist.broadcast_object_list(box, 0, device=torch.device("cpu"))
        if self.is_main:
            return value
        received: T = torch.load(
            io.BytesIO(box[0]), map_location="cpu", weights_only=True
        )
        return received

    def broadcast_state(
        self, state: Callable[[], Any], load_state: Callable[[Any], None]
    ) -> None:
        """Load the state of process 0 in the others.

        Raises
        ------
        AllRanksError
            If it does not fit one of them.
        """
        if self.world_size == 1:
            return
        found = self.broadcast(state() if self.is_main else None)

        def load() -> None:
            try:
                load_state(found)
            except ValueError as error:
                raise ValueError(OTHER_NETWORKS) from error

        self.raise_on_all_ranks(lambda: None if self.is_main else load())

    def all_reduce_decision(
        self, decision: Decision[T], of_any_rank: Collection[T]
    ) -> Decision[T]:
        """The same decision in all processes.

        Parameters
        ----------
        decision
            Of this process. The progress is that of process 0; any process may pause.
        of_any_rank
            Reasons that any process may have; all others are those of process 0, which
            keeps the clock.
        """
        decisions = self._all_gather(decision)
        reasons = (
            one.reason
            for rank, one in enumerate(decisions)
            if rank == 0 or one.reason in of_any_rank
        )
        return Decision(
            next((reason for reason in reasons if reason is not None), None),
            any(one.is_paused for one in decisions),
            decisions[0].progress,
        )

    def shard(self, batch: Tensor, parts: int = 1) -> Tensor:
        """Shard of a batch that was drawn for all processes.

        Parameters
        ----------
        batch
            [parts * world_size * n, ...]; each part is divided equally.

        Returns
        -------
        Tensor
            [parts * n, ...].
        """
        if self.world_size == 1:
            return batch
        shards = batch.unflatten(0, (parts, self.world_size, -1))
        own: Tensor = shards[:, self.rank]
        return own.flatten(0, 1)

    def all_reduce_mean(self, values: Tensor) -> Tensor:
        """Mean over all processes; carries gradients back into each of them."""
        return values if self.world_size == 1 else _mean(values)

    def average_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their means over all processes, in one all-reduce."""
        if self.world_size == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        row = torch.cat([gradient.flatten() for gradient in gradients])
        with _explained():
            dist.all_reduce(row)
        row /= self.world_size
        parts = row.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def sync_batch_norm(self, network: nn.Module) -> None:
        """Let batch normalisation see the batches of all processes in training."""
        if self.world_size == 1:
            return
        for name, child in network.named_children():
            if isinstance(child, BatchNorm):
                setattr(network, name, SyncBatchNorm(child, self))
            else:
                self.sync_batch_norm(child)

    def barrier(self) -> None:
        """Wait until all processes have come to this point."""
        self._all_gather(None)

    def _all_gather(self, value: T) -> list[T]:
        """Values of all processes, in the order of their ranks."""
        values = [value] * self.world_size
        if self.world_size > 1:
            with _explained():
                dist.all_gather_object(values, value)
        return values


SINGLE_PROCESS = DistributedContext()


class SyncBatchNorm(BatchNorm):
    """Normalises with mean and variance over the batches of all processes.

    Replaces another layer, whose weights and running statistics it takes over. torch's
    layer of this name needs a GPU and cannot be differentiated twice. In evaluation
    nothing is exchanged.

    Parameters
    ----------
    norm
        The layer to replace; it has weights, running statistics and a momentum.
    """

    def __init__(self, norm: BatchNorm, distributed: DistributedContext) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self._distributed = distributed

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape."""
        if not self.training:
            return super().forward(x)
        before = self.running_mean
        assert before is not None
        dims = [0, *range(2, x.dim())]
        variance, mean = torch.var_mean(x.to(before.dtype), dims, correction=0)
        # Moments about the running mean, which is the same in all processes: their
        # difference loses no digits.
        offset = mean - before
        moments = torch.stack([offset, variance + offset.square()])
        offset, square = self._distributed.all_reduce_mean(moments)
        variance = square - offset.square()
        mean = before + offset
        self._track(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        each = (-1, *(1,) * (x.dim() - 2))
        mean, scale, bias = (one.view(each) for one in (mean, scale, self.bias))
        return torch.addcmul(bias, x - mean, scale).to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Update the running statistics; ``n`` values per channel in this process."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        total = n * self._distributed.world_size
        momentum = 0.0 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * total / max(total - 1, 1), momentum)
        self.num_batches_tracked += 1

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 torch's name
        """Any number of positions after the channels."""


class _Mean(torch.autograd.Function):
    """Mean over all processes, differentiable any number of times.

    All processes compute the same loss, or the mean of their losses, from the mean: the
    gradient is therefore a mean as well, and `average_gradients` adds up the parts.
    ``torch.distributed.nn`` would sum, and is deprecated.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.detach().clone(memory_format=torch.contiguous_format)
        with _explained():
            dist.all_reduce(total)
        return total / dist.get_world_size()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _mean(gradients[0])


def _mean(values: Tensor) -> Tensor:
    mean: Tensor = _Mean.apply(values)  # type: ignore[no-untyped-call]
    return mean


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Raise errors of an exchange as one sentence that keeps their cause."""
    try:
        with memory_explained():
            yield
    except RuntimeError as error:
        text = str(error)
        if any(words in text.lower() for words in _LOST_PEER_WORDS):
            raise LostPeerError(LOST_PEER) from error
        cause = text.partition("\n")[0].rstrip(".") or type(error).__name__
        raise ValueError(EXCHANGE_FAILED.format(cause)) from error
