"""The blocks of a volume on a dask cluster of two processes on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicegan.cli.parser import main
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation.cluster import check_cluster
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.streaming import StreamedVolume, stream_to_file
from napari_slicegan.volumes.volume import Volume
from tests.refusals import Refusal, assert_refused
from tests.streams import levels, stamps, stream
from tests.toys import random_generator

distributed = pytest.importorskip("distributed", reason="needs the extra scale")
dask = pytest.importorskip("dask", reason="needs the extra scale")

SIZE, SEED = (40, 40, 32), 3


def cluster_plan() -> VolumePlan:
    """3 x 3 x 2 tiles of 16 voxels and two coarser levels."""
    trained = random_generator(OneHotPhases([7, 207]))
    return VolumePlan(trained, SIZE, SEED, tile_latents=4)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process of its own with one thread."""
    options = {"dashboard_address": ":0", "silence_logs": 50}
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, **options
    ) as made:
        yield made


def test_the_same_blocks_as_here(cluster: Any, tmp_path: Path) -> None:
    here = stream(cluster_plan(), tmp_path / "here.ome.zarr")
    there = StreamedVolume.begin(cluster_plan(), tmp_path / "there.ome.zarr")
    shares: list[float] = []
    there.write(cluster.scheduler_address, shares.append)
    assert shares == sorted(shares)
    assert len(shares) == there.tree.count
    assert there.is_complete
    for ours, theirs in zip(levels(here.path), levels(there.path), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_killed_worker_costs_only_its_block(cluster: Any, tmp_path: Path) -> None:
    """Those that were finished stay untouched; another worker makes the one it had."""
    path = tmp_path / "a.ome.zarr"
    volume = StreamedVolume.begin(cluster_plan(), path)
    address = cluster.scheduler_address
    shares: list[float] = []
    before: dict[Any, Any] = {}

    def kill_one(share: float) -> None:
        shares.append(share)
        if len(shares) != 4:
            return
        with distributed.Client(address, set_as_default=False) as client:
            pids = client.run(os.getpid)
        before.update(stamps(path))
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    volume.write(address, kill_one)
    assert shares[-1] == 1
    assert len(before) >= 4
    assert before.items() <= stamps(path).items()
    expected = generate(
        volume.plan.trained, SIZE, SEED, tile_latents=volume.plan.tile_latents
    )
    np.testing.assert_array_equal(levels(path)[0], expected.values)


def test_a_file_by_the_command_line(
    cluster: Any, toy_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", str(toy_run), "--size", "40", "20", "20", "--device", "cpu"]
    address = ["--cluster", cluster.scheduler_address]
    assert main([*words, "--out", str(tmp_path / "there.tif"), *address]) == 0
    assert "on this machine" in capsys.readouterr().out
    assert main([*words, "--out", str(tmp_path / "here.tif")]) == 0
    here, there = (Volume.open(tmp_path / f"{n}.tif") for n in ("here", "there"))
    assert (here.values != there.values).mean() < 1e-4


def test_a_folder_that_workers_do_not_see(cluster: Any, tmp_path: Path) -> None:
    """As on a disk of this machine alone: here it is taken away."""
    volume = StreamedVolume.begin(cluster_plan(), tmp_path / "a.ome.zarr")
    (volume.path / ".making" / "generator.safetensors").unlink()
    unseen: Refusal = (
        "unseen folder",
        lambda _: volume.write(cluster.scheduler_address),
        "put it on a disk that all machines share",
    )
    assert_refused(unseen, tmp_path)


def test_no_workers(tmp_path: Path) -> None:
    with distributed.LocalCluster(
        n_workers=0, dashboard_address=":0", silence_logs=50
    ) as empty:
        volume = StreamedVolume.begin(cluster_plan(), tmp_path / "a.ome.zarr")
        nobody: Refusal = (
            "no workers",
            lambda _: volume.write(empty.scheduler_address),
            "Expected workers at .*, got none",
        )
        assert_refused(nobody, tmp_path)


ANSWERS = (
    None,
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    bytes(64),
    # A frame of another length.
    bytes([1, *[0] * 7, 4, *[0] * 7, *b"abcd"]),
)


@contextmanager
def other_program(answer: bytes | None) -> Iterator[str]:
    """Address of a server that is no scheduler."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = server.accept()
                    kept.append(line)
                    if answer is not None:
                        line.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    for line in kept:
        line.close()


def test_no_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """No client is made, which may wait for ever when it is collected half-built."""
    monkeypatch.setattr("napari_slicegan.generation.cluster.CONNECT_S", 0.5)
    monkeypatch.setattr(distributed, "Client", None)
    with contextlib.ExitStack() as stack:
        found = {
            "tcp://127.0.0.1:1": "no answer",  # Nothing listens there.
            "nonsense://": r"no address \(unknown address scheme",
            "here": r"no address \(missing port",
            "tls://127.0.0.1:1": "an address that needs certificates",
        }
        for answer in ANSWERS:
            address = stack.enter_context(other_program(answer))
            found[address] = (
                "an answer of another program" if answer else "another program, such"
            )
        for address, words in found.items():
            nobody: Refusal = (
                "no scheduler",
                lambda folder, address=address: stream_to_file(  # type: ignore[misc]
                    cluster_plan(), folder / "a.tif", address
                ),
                f"Expected a dask scheduler at {address}, got {words}",
            )
            with subtests.test(address):
                begin = time.monotonic()
                assert_refused(nobody, tmp_path)
                assert time.monotonic() - begin < 30


def test_certificates_that_are_gone_are_named(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.pem")
    names = ("client.cert", "client.key", "ca-file")
    settings = {f"distributed.comm.tls.{name}": gone for name in names}
    words = "got certificates in dask's settings that cannot be read"
    with dask.config.set(settings), pytest.raises(ValueError, match=words):
        check_cluster("tls://127.0.0.1:1")


def test_a_worker_is_no_scheduler(cluster: Any) -> None:
    worker = next(iter(cluster.scheduler_info["workers"]))
    with pytest.raises(ValueError, match="got a worker of dask"):
        check_cluster(worker)
    check_cluster(cluster.scheduler_address)


def test_a_dashboard_is_no_scheduler(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for a request, and does not answer that of a client."""
    monkeypatch.setattr("napari_slicegan.generation.cluster.CONNECT_S", 1)
    place = urllib.parse.urlsplit(cluster.dashboard_link).netloc
    with pytest.raises(ValueError, match="got another program, such as its dashboard"):
        check_cluster(f"tcp://{place}")


def test_the_client_is_closed_when_the_work_fails(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, although the traceback keeps what was there."""
    made: list[Any] = []
    build = distributed.Client

    def counted(*words: Any, **options: Any) -> Any:
        made.append(build(*words, **options))
        return made[-1]

    monkeypatch.setattr(distributed, "Client", counted)
    volume = StreamedVolume.begin(cluster_plan(), tmp_path / "a.ome.zarr")

    def cancel(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        volume.write(cluster.scheduler_address, cancel)
    assert caught.tb is not None
    assert [client.status for client in made] == ["closed"]


def test_no_scheduler_leaves_no_volume(
    toy_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Sections are not fitted, nor a volume begun."""
    monkeypatch.setattr("napari_slicegan.generation.cluster.CONNECT_S", 0.5)
    out = tmp_path / "a.ome.zarr"
    words = ["generate", str(toy_run), "--size", "20", "--cluster", "tcp://127.0.0.1:1"]
    assert main([*words, "--out", str(out)]) == 2
    assert "Expected a dask scheduler" in capsys.readouterr().err
    assert not out.exists()


def test_a_scheduler_that_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As distributed reports it after it has tried to connect again."""

    def ended(*_: object) -> Any:
        log = logging.getLogger("distributed.client")
        assert not log.isEnabledFor(logging.ERROR)  # which it reports with a traceback
        raise distributed.client.FutureCancelledError("key", "lost the scheduler")

    place = "napari_slicegan.generation.cluster"
    monkeypatch.setattr(f"{place}._connected", lambda *_: nullcontext())
    monkeypatch.setattr(f"{place}._made", ended)
    gone: Refusal = (
        "no scheduler any more",
        lambda folder: stream_to_file(cluster_plan(), folder / "a.tif", "tcp://a:1"),
        "Expected a scheduler at tcp://a:1 until the end",
    )
    assert_refused(gone, tmp_path)
