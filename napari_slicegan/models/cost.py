"""Operations and memory of torch code, counted on the meta device.

Operations come from torch's own table of formulas; it has no counter of live memory.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

CALL_S = 1e-5
"""Overhead of an operation, independent of the size of its tensors, in seconds."""
META = torch.device("meta")


@dataclass(frozen=True)
class StepCost:
    """Cost of a training step or of a volume.

    Attributes
    ----------
    operations, calls
        Floating-point operations of convolutions and matrix products, and number of
        torch operations; averaged over steps with and without gradient penalty.
    memory_bytes
        Peak of live tensors, including networks and optimisers.
    """

    operations: float
    calls: float
    memory_bytes: int

    def seconds(self, speed: float) -> float:
        """Time in seconds at ``speed`` operations per second."""
        return self.operations / speed + self.calls * CALL_S

    def speed(self, seconds: float) -> float:
        """Operations per second if it took so long in all.

        The time of the calls, as `seconds` counts it, is taken off, but at most half.
        """
        return self.operations / max(seconds - self.calls * CALL_S, seconds / 2)


class CostCounter(TorchDispatchMode):
    """Context manager: counts operations and live bytes of tensors on "meta"."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0
        self._peak = self._calls = 0
        self._operations = 0.0
        self._known: set[int] = set()

    def take(self) -> StepCost:
        """Cost since the last call."""
        cost = StepCost(self._operations, self._calls, self._peak)
        self._operations, self._calls, self._peak = 0.0, 0, self.bytes
        return cost

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run and count one operation."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        self._calls += 1
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self._operations += count(*args, **kwargs, out_val=result)
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor) and tensor.device == META:
                self._watch(tensor.untyped_storage())
        return result

    def _watch(self, storage: torch.UntypedStorage) -> None:
        """Count a storage, once for all its views, until it is freed."""
        key, size = id(storage), storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.bytes += size
        self._peak = max(self._peak, self.bytes)
        weakref.finalize(storage, self._freed, key, size).atexit = False

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.bytes -= size
