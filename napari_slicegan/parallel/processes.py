"""The processes that train one generator together; by default this one alone.

Trainer and game put to their `Processes` whatever must be the same in all of them. One
process that trains alone answers itself: nothing is computed or waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from napari_slicegan.machine.devices import choose_device

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from napari_slicegan.step_report import FinishReason

Made = TypeVar("Made")


@dataclass(frozen=True)
class Decision:
    """What is decided between two steps.

    Attributes
    ----------
    reason
        Why the run ends here; None if it goes on.
    is_paused
        Whether it waits before it goes on.
    progress
        Share of the run that is over; sets the learning rates.
    """

    reason: FinishReason | None
    is_paused: bool
    progress: float


class Processes:
    """One process that trains alone.

    Attributes
    ----------
    rank
        Number of this process; number 0 writes, prints, previews and keeps the clock.
    size
        Number of processes.
    patience_s
        Seconds after which a paused process looks again; None if nobody waits for it.
    """

    rank: int = 0
    size: int = 1
    patience_s: float | None = None

    @property
    def is_main(self) -> bool:
        """Whether this process writes, prints, previews and keeps the clock."""
        return self.rank == 0

    def device(self, setting: str) -> torch.device:
        """Device of this process.

        Raises
        ------
        ValueError
            If there is no such device.
        """
        return choose_device(setting)

    def together(self, work: Callable[[], Made]) -> Made:
        """Do some work; whatever is wrong in one process is raised in all of them.

        Raises
        ------
        KnownFault
            If the work raised a `ValueError` or `OSError` in one of several processes.
        """
        return work()

    def of_main(self, value: Made) -> Made:
        """Value of process 0: tensors, numbers, texts and containers of them."""
        return value

    def follow_main(
        self, state: Callable[[], Any], take_over: Callable[[Any], None]
    ) -> None:
        """Let the other processes take over the state of process 0."""

    def agree(self, decision: Decision) -> Decision:
        """Decision of all processes, which is the same in each of them."""
        return decision

    def share(self, batch: Tensor, parts: int = 1) -> Tensor:
        """Share of this process in a batch that was drawn for all of them.

        Parameters
        ----------
        batch
            [parts * size * n, ...]; the processes have equal shares of each part.

        Returns
        -------
        Tensor
            [parts * n, ...].
        """
        return batch

    def mean(self, values: Tensor) -> Tensor:
        """Mean over all processes; carries gradients back into each of them."""
        return values

    def average_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Replace the gradients of the weights by their means over all processes."""

    def join_statistics(self, network: nn.Module) -> None:
        """Let batch normalisation see the batches of all processes in training."""

    def wait(self) -> None:
        """Wait until all processes have come to this point."""


ALONE = Processes()
