"""Devices the networks run on, and the number formats they compute in."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import platform
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.config import AXES
from napari_slicegan.runtime.limits import available_cpus

if TYPE_CHECKING:
    from napari_slicegan.config import Precision, RunConfig

logger = logging.getLogger(__name__)


def available_devices() -> dict[str, str]:
    """Devices of this machine: setting -> readable name, the best one first."""
    devices = {
        f"cuda:{i}": torch.cuda.get_device_name(i)
        for i in range(torch.cuda.device_count())
    }
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU (Metal)"
    name = platform.processor() or platform.machine()
    n_cores = available_cpus()
    devices["cpu"] = f"{name} ({n_cores} core{'s' if n_cores > 1 else ''})"
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
        CPU threads; None keeps the present number, as far as there are processors.
    """
    torch.set_num_threads(threads or min(torch.get_num_threads(), available_cpus()))
    # Searches for the fastest kernels once per shape.
    torch.backends.cudnn.benchmark = device.type == "cuda"
    # Gradients are computed outside of `computing_in`.
    torch.backends.cudnn.allow_tf32 = ALLOW_TF32


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device without waiting for a GPU.

    Pinned memory is copied while the program continues.
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
    """Bytes in use: GPU memory allocated by torch, or memory of this process."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process().memory_info().rss)


ALLOW_TF32 = False
"""Whether NVIDIA GPUs may round the inputs of float32 convolutions to 10 bits (TF32).

Torch allows it by default; labels would then differ from those of a CPU.
"""
POOR_CUDNN = range(90_800, 91_500)
"""Versions of cuDNN, 9.8 to 9.14, with poor 3-D convolutions in half precision.

pytorch/pytorch 163539: wrong results for large inputs; 166122, 166643: torch 2.9 avoids
them by kernels that are several times slower and need three times the memory.
"""
BFLOAT16_GAIN = 1.3
"""How much faster than in float32 a CPU must be in bfloat16 for "auto" to choose it."""


def choose_precision(
    setting: Precision, device: torch.device, former: str = ""
) -> torch.dtype:
    """Number format of a setting on a device.

    "auto" is bfloat16 on CUDA devices that support it in hardware and on CPUs that are
    measured to be faster with it (such as those with AMX), float32 elsewhere: emulated
    bfloat16 is slow.

    Parameters
    ----------
    former
        Format in which a resumed run was computed so far, "float32" or "bfloat16".
        "auto" keeps it on a CPU, unless bfloat16 is the slower one here.
    """
    is_rounded = setting == "bfloat16"
    if setting == "auto" and device.type == "cuda":
        with torch.cuda.device(device):
            is_rounded = torch.cuda.is_bf16_supported(including_emulation=False)
    elif setting == "auto" and device.type == "cpu":
        needed = {"float32": math.inf, "bfloat16": 1.0}.get(former, BFLOAT16_GAIN)
        is_rounded = bfloat16_gain() >= needed
    if is_rounded and device.type == "cuda":
        warn_of_cudnn(torch.backends.cudnn.version())
    return torch.bfloat16 if is_rounded else torch.float32


@functools.cache
def warn_of_cudnn(version: int | None) -> None:
    """Warn, once, of a cuDNN that computes 3-D convolutions in bfloat16 badly."""
    if version is not None and version in POOR_CUDNN:
        logger.warning(
            "bfloat16 needs cuDNN 9.15 or newer, got %d.%d.%d: its 3-D convolutions "
            "are slow, and of large volumes may be wrong. Install torch 2.10 or newer "
            "or 'nvidia-cudnn-cu12>=9.15', or set 'Precision' to float32.",
            version // 10_000,
            version // 100 % 100,
            version % 100,
        )


@functools.cache
def bfloat16_gain() -> float:
    """Speed of a CPU convolution in bfloat16, relative to float32.

    Measured once, in about 0.1 s, on a layer of a critic.
    """
    images, weight = torch.ones(8, 64, 16, 16), torch.ones(128, 64, 4, 4)
    seconds: dict[torch.dtype, float] = {}
    with torch.no_grad():
        for dtype in (torch.float32, torch.bfloat16):
            x, kernel = images.to(dtype), weight.to(dtype)
            times: list[float] = []
            # The first pass also sets up kernels.
            while len(times) < 3 or (len(times) < 10 and sum(times) < 0.05):
                started = time.perf_counter()
                torch.nn.functional.conv2d(x, kernel, stride=2)
                times.append(time.perf_counter() - started)
            seconds[dtype] = min(times)
    return seconds[torch.float32] / seconds[torch.bfloat16]


def computing_in(
    precision: torch.dtype, device: torch.device
) -> contextlib.AbstractContextManager[object]:
    """Autocast context: convolutions and matrix products are computed in a format.

    Weights and the operations that torch lists as numerically sensitive stay in
    float32. Results may have the format: callers must cast them to float32. On NVIDIA
    GPUs float32 keeps all bits from then on, unless `ALLOW_TF32`.
    """
    if device.type == "meta":
        return contextlib.nullcontext()
    if precision == torch.float32:
        if device.type == "cuda":
            # Not restored: the flag is that of all threads, which may compute too.
            torch.backends.cudnn.allow_tf32 = ALLOW_TF32
        return contextlib.nullcontext()
    return torch.autocast(device.type, precision)


def scoring(
    critic: Callable[[Tensor], Tensor], precision: torch.dtype, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """Critic that computes in a format and returns float32 scores."""

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
