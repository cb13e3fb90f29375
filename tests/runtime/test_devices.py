"""Where the networks run."""

from __future__ import annotations

import re

import pytest
import torch

from napari_slicegan.runtime.devices import (
    available_devices,
    choose_device,
    memory_in_use,
    to_device,
)
from napari_slicegan.runtime.memory import give_back_freed_memory


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has two GPUs."""
    names = ["First GPU", "Second GPU"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", names.__getitem__)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def only_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("only_processor")
def test_processor_alone() -> None:
    assert list(available_devices()) == ["cpu"]
    # A readable name with the number of cores.
    assert re.search(r"\((1 core|\d+ cores)\)$", available_devices()["cpu"])
    for setting in ("auto", "cpu"):
        assert choose_device(setting) == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_the_first_gpu() -> None:
    assert list(available_devices()) == ["cuda:0", "cuda:1", "cpu"]
    assert available_devices()["cuda:1"] == "Second GPU"
    assert choose_device("auto") == torch.device("cuda:0")
    assert choose_device("cuda") == torch.device("cuda:0")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
def test_apple_gpu_comes_before_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert list(available_devices()) == ["mps", "cpu"]
    assert choose_device("auto") == torch.device("mps")


@pytest.mark.usefixtures("only_processor")
def test_missing_devices_are_refused() -> None:
    for name in ("cuda", "cuda:1", "mps", "tpu"):
        with pytest.raises(ValueError, match=f"no device '{name}'; choose.*auto, cpu"):
            choose_device(name)


def test_memory_of_the_process() -> None:
    """64 MB more are seen as such; the unit is a byte."""
    # Another test may have kept freed memory, which would be used again.
    give_back_freed_memory()
    before = memory_in_use(torch.device("cpu"))
    # Written to, because untouched pages do not count.
    block = bytearray(b"x") * 2**26
    grown = memory_in_use(torch.device("cpu")) - before
    assert len(block) == 2**26
    assert 0.8 * 2**26 < grown < 1.5 * 2**26


def test_copies_to_a_gpu_are_pinned_and_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[object] = []

    def pinned(tensor: torch.Tensor) -> torch.Tensor:
        calls.append("pinned")
        return tensor

    def copied(tensor: torch.Tensor, device: torch.device, **how: bool) -> torch.Tensor:
        calls.append((device, how))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    monkeypatch.setattr(torch.Tensor, "to", copied)
    gpu, numbers = torch.device("cuda:0"), torch.arange(3)
    to_device(numbers, gpu)
    assert calls == ["pinned", (gpu, {"non_blocking": True})]


def test_copies_to_the_processor_are_none() -> None:
    numbers = torch.arange(3)
    assert to_device(numbers, torch.device("cpu")) is numbers
