"""Devices the networks run on, and the number formats they compute in."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari_slicegan.config import Precision, RunConfig


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


def choose_precision(setting: Precision, device: torch.device) -> torch.dtype:
    """Number format of a setting on a device.

    "auto" is bfloat16 on a CUDA device that computes with it, and float32 elsewhere:
    processors without its instructions imitate it slowly.
    """
    if setting == "auto":
        return torch.bfloat16 if _computes_in_bfloat16(device) else torch.float32
    return torch.bfloat16 if setting == "bfloat16" else torch.float32


def computing_in(
    precision: torch.dtype, device: torch.device
) -> contextlib.AbstractContextManager[object]:
    """Context in which convolutions and matrix products are computed in a format.

    Weights stay in float32, and so does what torch lists as delicate. Results may be
    of the format; whoever goes on with them turns them to float32.
    """
    if precision == torch.float32 or device.type == "meta":
        return contextlib.nullcontext()
    return torch.autocast(device.type, precision)


def scoring(
    critic: Callable[[Tensor], Tensor], precision: torch.dtype, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """A critic that computes in a format and whose scores are in float32."""

    def scores(images: Tensor) -> Tensor:
        with computing_in(precision, device):
            return critic(images).float()

    return scores


def critic_memory_format(config: RunConfig) -> torch.memory_format:
    """Memory format of the critic's weights.

    CPU convolutions are fastest for channels last. The second derivatives of a gradient
    penalty, however, are contiguous, and for layers of millions of weights (SpecGAN)
    adding the two formats takes as long as the convolutions of four images. The critics
    of volumes are smaller.
    """
    penalised = config.objective.penalty_weight > 0
    if penalised and config.architecture.dimensions < len(AXES):
        return torch.contiguous_format
    return torch.channels_last


def _computes_in_bfloat16(device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
