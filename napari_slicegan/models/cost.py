"""Counts operations and memory of torch code without doing it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

# Calling an operation takes this long, however small its tensors are.
CALL_S = 1e-5
META = torch.device("meta")


@dataclass(frozen=True)
class StepCost:
    """What a training step takes.

    Attributes
    ----------
    operations, calls
        Floating-point operations of convolutions and matrix products, and calls of
        torch; means over steps with and without a gradient penalty.
    memory_bytes
        Most bytes of tensors that are alive at once, networks and optimisers
        included.
    """

    operations: float
    calls: float
    memory_bytes: int

    def seconds(self, speed: float) -> float:
        """Time at a speed in operations per second."""
        return self.operations / speed + self.calls * CALL_S


class Counter(TorchDispatchMode):
    """Counts the operations and the bytes alive of what is done on "meta"."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0
        self._peak = self._calls = 0
        self._operations = 0.0
        self._known: set[int] = set()

    def take(self) -> StepCost:
        """What was counted since the last time."""
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
        """Do one operation, counted."""
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
        """Count a storage until it is freed; views share one."""
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
