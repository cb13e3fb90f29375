"""The most that this machine computes: a large matrix product."""

from __future__ import annotations

import statistics
import time

import torch

EDGE = 2048
REPEATS = 7


def matmul_peak(dtype: torch.dtype, device: torch.device, edge: int = EDGE) -> float:
    """Operations per second of a square matrix product, median of some.

    Measure it in the same run as what is compared with it: the clock of a processor and
    its other guests change from minute to minute.
    """
    one = torch.rand(edge, edge, device=device).to(dtype)
    seconds = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        one @ one
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return float(2 * edge**3 / statistics.median(seconds[1:]))


def peaks(device: torch.device, edge: int = EDGE) -> dict[str, float]:
    """Operations per second in single precision and in bfloat16."""
    return {
        "fp32": matmul_peak(torch.float32, device, edge),
        "bf16": matmul_peak(torch.bfloat16, device, edge),
    }
