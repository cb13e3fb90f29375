"""Where the networks run."""

from __future__ import annotations

import platform
from typing import Any

import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor


def available_devices() -> dict[str, str]:
    """Devices of this machine: setting -> readable name, the best one first."""
    devices = {
        f"cuda:{i}": torch.cuda.get_device_name(i)
        for i in range(torch.cuda.device_count())
    }
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU (Metal)"
    name = platform.processor() or platform.machine()
    devices["cpu"] = f"{name} ({psutil.cpu_count()} cores)"
    return devices


def choose_device(setting: str) -> torch.device:
    """Device of a setting; 'auto' takes the best one.

    Raises
    ------
    ValueError
        If this machine has no such device; lists those it has.
    """
    devices = available_devices()
    if setting == "auto":
        return torch.device(next(iter(devices)))
    wanted = "cuda:0" if setting == "cuda" else setting
    if wanted not in devices:
        raise ValueError(
            f"This machine has no device '{setting}'; choose one of: auto, "
            f"{', '.join(devices)}."
        )
    return torch.device(wanted)


def prepare(device: torch.device, threads: int | None) -> None:
    """Set up torch for many steps of the same shapes.

    Parameters
    ----------
    threads
        Of the processor; None leaves them as they are.
    """
    if threads:
        torch.set_num_threads(threads)
    # The fastest kernels are looked for once.
    torch.backends.cudnn.benchmark = device.type == "cuda"


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy of what was drawn on the processor, without waiting for a GPU.

    Only memory that is pinned can be copied while the program goes on.
    """
    if device.type != "cuda":
        return tensor.to(device)
    if tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def to_host(tensor: Tensor) -> NDArray[Any]:
    """Values of a tensor as an array, which waits for a GPU.

    bfloat16, which numpy lacks, becomes float32.
    """
    values = tensor.detach().cpu()
    if values.dtype == torch.bfloat16:
        values = values.float()
    array: NDArray[Any] = values.numpy()
    return array


def memory_in_use(device: torch.device) -> int:
    """Bytes in use: of the GPU's memory by torch, or by this process."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process().memory_info().rss)
