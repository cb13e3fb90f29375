"""In which number format, and which order of the weights, the networks compute."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari_slicegan.config import Precision, RunConfig


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


def critic_order(config: RunConfig) -> torch.memory_format:
    """Order in which the weights of the critic lie in memory.

    Convolutions of a processor are made for channels that lie side by side. But the
    second derivatives of a gradient penalty come in another order, and for layers of
    millions of weights, as SpecGAN's, adding the two orders took as long as the
    convolutions of four images; the critics of volumes are smaller.
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
