"""Training in several processes, on one machine or more (``torch.distributed``).

Each process computes the gradients of its share of a step; one all-reduce of all of
them, after ``backward``, gives every process their mean, so that all take the same
step. Nothing hooks into ``backward``: gradient penalties differentiate twice.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from napari_slicegan.machine.devices import choose_device
from napari_slicegan.machine.memory import lacks_memory
from napari_slicegan.parallel.joint_batch_norm import join_statistics
from napari_slicegan.parallel.launcher import KnownFault
from napari_slicegan.parallel.processes import Decision, Processes
from napari_slicegan.step_report import FinishReason

Made = TypeVar("Made")

TIMEOUT_S = 600.0
"""More than process 0 takes for a preview, its measurement and a save."""
PATIENCE_S = 1.0
FAULT_BYTES = 4096
LOST = (
    "Another process of this run has ended or cannot be reached, so this one ends too; "
    "see what that process says, then resume the run from its last checkpoint."
)
DOUBLE = torch.float64
REASONS = tuple(FinishReason)
# Any process may ask for these; the others are found by the clock of process 0.
OF_ANY_PROCESS = {FinishReason.STOPPED, FinishReason.DIVERGED}


class JoinedProcesses(Processes):
    """One of several processes that train together.

    Every method is called by all processes in the same order: each is an exchange.

    Parameters
    ----------
    rank, size
        Number of this process, and how many there are.
    local_rank
        Number of this process on its machine.
    """

    patience_s = PATIENCE_S

    def __init__(self, rank: int, size: int, local_rank: int) -> None:
        self.rank, self.size = rank, size
        self.local_rank = local_rank

    @classmethod
    def join(cls, timeout_s: float = TIMEOUT_S) -> JoinedProcesses:
        """Meet the others, as ``RANK``, ``WORLD_SIZE`` and ``MASTER_ADDR`` say.

        Parameters
        ----------
        timeout_s
            Seconds that an exchange waits for a process that does not answer.

        Raises
        ------
        ValueError
            If they cannot be reached.
        """
        on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
        backend = "cpu:gloo,cuda:nccl" if on_gpus else "gloo"
        with _explained():
            dist.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
        atexit.register(_leave)
        rank = dist.get_rank()
        local_rank = int(os.environ.get("LOCAL_RANK", rank))
        return cls(rank, dist.get_world_size(), local_rank)

    def device(self, setting: str) -> torch.device:
        """The GPU of this process's number on its machine, or the processor."""
        n_gpus = torch.cuda.device_count()
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

    def together(self, work: Callable[[], Made]) -> Made:
        """Do some work; whatever is wrong in one process is raised in all of them."""
        made: list[Made] = []
        fault = ""
        try:
            made.append(work())
        except (ValueError, OSError) as error:
            fault = str(error) or type(error).__name__
        faults = self._texts(fault)
        for rank, text in enumerate(faults):
            if text:
                raise KnownFault(text if rank == 0 else f"Process {rank}: {text}")
        return made[0]

    def of_main(self, value: Made) -> Made:
        """Value of process 0: tensors, numbers, texts and containers of them."""
        file = io.BytesIO()
        if self.is_main:
            torch.save(value, file)
        length = torch.tensor([file.getbuffer().nbytes])
        with _explained():
            dist.broadcast(length, 0)
            if self.is_main:
                content = torch.frombuffer(file.getbuffer(), dtype=torch.uint8)
            else:
                content = torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(content, 0)
        if self.is_main:
            return value
        received = io.BytesIO(content.numpy().tobytes())
        value = torch.load(received, map_location="cpu", weights_only=True)
        return value

    def follow_main(
        self, state: Callable[[], Any], take_over: Callable[[Any], None]
    ) -> None:
        """Let the other processes take over the state of process 0."""
        found = self.of_main(state() if self.is_main else None)
        if not self.is_main:
            take_over(found)

    def agree(self, decision: Decision) -> Decision:
        """Reason of any process; pause of any process; progress of process 0."""
        reason = decision.reason
        if not self.is_main and reason not in OF_ANY_PROCESS:
            reason = None
        code = 0 if reason is None else 1 + REASONS.index(reason)
        progress = decision.progress if self.is_main else 0.0
        numbers = torch.tensor([code, decision.is_paused, progress], dtype=DOUBLE)
        with _explained():
            dist.all_reduce(numbers, dist.ReduceOp.MAX)
        code, is_paused, progress = numbers.tolist()
        agreed = REASONS[int(code) - 1] if code else None
        return Decision(agreed, bool(is_paused), progress)

    def share(self, batch: Tensor, parts: int = 1) -> Tensor:
        """[parts * size * n, ...] -> this process's [parts * n, ...]."""
        shares = batch.unflatten(0, (parts, self.size, -1))
        mine: Tensor = shares[:, self.rank]
        return mine.flatten(0, 1)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over all processes; carries gradients back into each of them."""
        return _mean(values)

    def average_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """One all-reduce of all gradients in one row."""
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        row = torch.cat([gradient.flatten() for gradient in gradients])
        with _explained():
            dist.all_reduce(row)
        row /= self.size
        parts = row.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def join_statistics(self, network: nn.Module) -> None:
        """Let batch normalisation see the batches of all processes in training."""
        join_statistics(network, self)

    def wait(self) -> None:
        """Wait until all processes have come to this point."""
        with _explained():
            dist.all_reduce(torch.zeros(1))

    def _texts(self, text: str) -> list[str]:
        """Texts of all processes, cut to `FAULT_BYTES`."""
        line = torch.zeros(FAULT_BYTES, dtype=torch.uint8)
        letters = text.encode()[:FAULT_BYTES]
        line[: len(letters)] = torch.tensor(list(letters), dtype=torch.uint8)
        lines = [torch.empty_like(line) for _ in range(self.size)]
        with _explained():
            dist.all_gather(lines, line)
        encoded = (bytes(line.tolist()).rstrip(b"\0") for line in lines)
        return [letters.decode(errors="ignore") for letters in encoded]


class _Mean(torch.autograd.Function):
    """Mean over all processes.

    Each of them goes on with the mean, so that the gradient of what all compute from
    it together is again a mean over all: of a loss that is their mean, each process
    has its part of the gradient, and `average_gradients` adds up the parts.
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
    """Say that another process is lost, instead of what the network layer raises."""
    try:
        yield
    except RuntimeError as error:
        if lacks_memory(error):
            raise
        raise ValueError(LOST) from error


def _leave() -> None:
    """Close the connections before Python ends."""
    if dist.is_initialized():
        dist.destroy_process_group()
