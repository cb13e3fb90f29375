"""Two processes that train together, and one that does the work of both."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from napari_slicegan.runtime.distributed import (
    DistributedContext,
    LostPeerError,
    distributed_context,
)
from napari_slicegan.runtime.launcher import VARIABLES
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.distributed_runs import (
    N,
    cases,
    launch,
    seen,
    state_after,
    toy_material,
    whole_batch,
)
from tests.toys import finish_of, small_config

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="torch on Windows meets other processes in another way"
)
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
NAMES = sorted(cases())
# Adam divides by the root of squared gradients: rounding of the smallest of them
# becomes a part of the learning rate, which is 0.004 in the generator.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what two processes have seen."""
    folder = tmp_path_factory.mktemp("distributed")
    stories = ("equality", "resumed", "ends", "faults", "mismatch", "left")
    statuses = launch(folder, *stories)
    assert statuses == [0] * N
    return folder


def of_both(folder: Path, story: str) -> list[Any]:
    return [seen(folder, story, rank) for rank in range(N)]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have names on Linux")
def test_no_thread_of_an_exchange_outlives_its_group(reports: Path) -> None:
    for before, after in of_both(reports, "left"):
        assert before
        assert after == []


def test_all_processes_have_the_same_weights(
    reports: Path, subtests: pytest.Subtests
) -> None:
    """Bit by bit: networks, averages, Adam's moments, random numbers, losses."""
    for name in NAMES:
        with subtests.test(name):
            first, second = (found[name] for found in of_both(reports, "equality"))
            assert len(first["state"]) > 40
            for key, value in first["state"].items():
                assert torch.equal(value, second["state"][key]), key
            assert first["losses"] == second["losses"]


def test_two_processes_are_one_with_the_doubled_batch(
    reports: Path, subtests: pytest.Subtests
) -> None:
    for name in NAMES:
        with subtests.test(name):
            config, data = cases()[name]
            trainer = Trainer(whole_batch(config), data)
            expected = state_after(trainer)
            found = seen(reports, "equality", 0)[name]
            assert set(found["state"]) == set(expected)
            for key, value in expected.items():
                torch.testing.assert_close(
                    found["state"][key], value, rtol=0.01, atol=TOLERANCE, msg=key
                )
            last = trainer.losses.last
            one = [last.critic, last.generator, last.penalty]
            assert found["losses"] == pytest.approx(one, rel=1e-3, abs=1e-4)
            assert found["images_seen"] == trainer.images_seen


def test_three_and_three_steps_are_six(reports: Path) -> None:
    """With as many processes a resumed run is the uninterrupted one, bit by bit."""
    for rank, found in enumerate(of_both(reports, "resumed")):
        assert set(found["whole"]) == set(found["parts"])
        for key, value in found["whole"].items():
            # Only process 0 measures these, anew whenever the average is used.
            measured = key.startswith("/averaged") and key.endswith(STATISTICS)
            same = torch.equal(value, found["parts"][key])
            assert same or (rank > 0 and measured), key
        assert found["saved"] == 6


def test_one_process_resumes_a_run_of_two(reports: Path) -> None:
    """Twice the volumes: nothing but rounding differs."""
    trainer = Trainer.resume(
        reports / "half", critic_batch_size=2, generator_batch_size=2
    )
    found = state_after(trainer)
    for key, value in seen(reports, "resumed", 0)["whole"].items():
        torch.testing.assert_close(
            found[key], value, rtol=0.01, atol=TOLERANCE, msg=key
        )


def test_only_process_0_writes(reports: Path, tmp_path: Path) -> None:
    """What one process writes, once."""
    config = small_config().changed(steps=6, monitor_interval=2)
    finish_of(Trainer.start(config, toy_material(), tmp_path / "alone"))
    names = [path.name for path in (tmp_path / "alone").iterdir()]
    assert sorted(path.name for path in (reports / "whole").iterdir()) == sorted(names)
    rows = RunFolder.open(reports / "whole").history()
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert [row["correlation_distance"] != "" for row in rows] == [False, True] * 3


ENDS: list[tuple[str, tuple[str, int]]] = [
    ("stopped by 0", ("STOPPED", 3)),
    ("stopped by 1", ("STOPPED", 3)),
    ("paused", ("STEPS", 20)),
    ("not a number", ("DIVERGED", 4)),
]


def test_all_processes_end_alike(reports: Path, subtests: pytest.Subtests) -> None:
    for name, expected in ENDS:
        with subtests.test(name=name, expected=expected):
            for found in of_both(reports, "ends"):
                assert found[name][:2] == expected


def test_a_pause_of_one_process_holds_all(reports: Path) -> None:
    """Three looks of the one that paused, and of the other, whose gate is open."""
    assert [found["paused"][2] for found in of_both(reports, "ends")] == [3, 3]


def test_a_diverged_step_is_not_saved(reports: Path) -> None:
    """Nor was there an earlier one to save."""
    assert RunFolder.open(reports / "not a number").checkpoints() == []


def test_a_fault_of_one_process_is_known_to_all(reports: Path) -> None:
    first, second = of_both(reports, "faults")
    assert first == second
    assert "at least 64 x 64" in first["all"]
    assert first["one"] == f"Process 1: {first['all']}"
    assert "is not empty" in first["folder"]


def test_a_killed_process_ends_the_others(tmp_path: Path) -> None:
    """At once, with a sentence; the checkpoint before stays."""
    assert launch(tmp_path, "killed") == [0, -signal.SIGKILL]
    assert "Another process of this run has ended" in seen(tmp_path, "killed", 0)
    assert RunFolder.open(tmp_path / "killed").load_checkpoint()["step"] == 2
    resumed = Trainer.resume(tmp_path / "killed", steps=3)
    assert finish_of(resumed) is FinishReason.STEPS


def test_networks_that_differ_are_reported_by_all(reports: Path) -> None:
    """By their cause: no process is lost."""
    first, second = of_both(reports, "mismatch")
    assert first == second
    assert first.startswith("Process 1: ")
    assert "do not fit the networks" in first


def test_a_single_process_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    distributed_context.cache_clear()
    assert distributed_context().world_size == 1
    assert not dist.is_initialized()


def test_errors_of_an_exchange_keep_their_cause(
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    """A lost process, and all else, in one sentence."""
    cases: list[tuple[str, str]] = [
        ("[pair.cc:553] Connection closed by peer [127.0.0.1]:9", "has ended or"),
        ("Timed out waiting 600000ms for recv operation", "has ended or"),
        ("ncclRemoteError: A call failed possibly due to a network", "has ended or"),
        ("DefaultCPUAllocator: can't allocate memory", "memory does not suffice"),
        ("Duplicate GPU detected : rank 1 and rank 0\nat x.cc", r"\(Duplicate GPU d"),
    ]
    for cause, sentence in cases:
        with subtests.test(cause):

            def fail(*_: object, cause: str = cause) -> None:
                raise RuntimeError(cause)

            monkeypatch.setattr(dist, "all_reduce", fail)
            weight = torch.nn.Parameter(torch.ones(2))
            weight.grad = torch.ones(2)
            with pytest.raises(ValueError, match=sentence) as raised:
                DistributedContext(rank=1, world_size=2).average_gradients([weight])
            assert isinstance(raised.value, LostPeerError) == ("has ended" in sentence)
            assert "\n" not in str(raised.value)


def test_an_address_in_use_is_no_lost_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = ("0", "2", "127.0.0.1", str(taken.getsockname()[1]))
        for name, value in zip(VARIABLES, address, strict=True):
            monkeypatch.setenv(name, value)
        with pytest.raises(ValueError, match="EADDRINUSE") as raised:
            DistributedContext.join(timeout_s=5)
    assert not isinstance(raised.value, LostPeerError)
