"""Batches: tables of images, finished and interrupted rows, the page."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import tifffile

from napari_slicegan.cli import main
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.report import batch
from napari_slicegan.report.batch import (
    PAGE,
    BatchRow,
    _Runner,
    read_state,
    read_table,
    run_batch,
)
from napari_slicegan.runtime.limits import SHARE, SWAP_SHARE
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.report.test_page import Structure
from tests.toys import phases_image, small_config, train

Capture = pytest.CaptureFixture[str]
Calls = list[list[str]]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two images, and a row whose image is missing."""
    (tmp_path / "toy.json").write_text(small_config().model_dump_json())
    for seed, name in enumerate(("a", "b")):
        tifffile.imwrite(
            tmp_path / f"{name} 1.tif", phases_image(40, 48, seed=seed).values
        )
    lines = ["image,name,config,steps,pixel_size_nm"]
    lines += [f"a 1.tif,,{tmp_path / 'toy.json'},2,5", ",,,,"]
    lines += [f"gone.tif,gone,{tmp_path / 'toy.json'},2,", ""]
    lines += [f"b 1.tif,second,{tmp_path / 'toy.json'},3,"]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Commands of the batch, which run in this process."""
    found: Calls = []

    def program(_: _Runner, words: Sequence[str], log: Path) -> int:
        found.append([*words])
        with (
            log.open("a", encoding="utf-8") as file,
            # Not the other stream: the batch prints its lines meanwhile.
            contextlib.redirect_stderr(file),
        ):
            return main(words)

    monkeypatch.setattr(_Runner, "program", program)
    return found


def test_rows_of_tables(tmp_path: Path) -> None:
    text = (
        "image;segmentation;thresholds;noise\n"
        "sub/a.tif;threshold;120 180;false\n"
        "sample:spheres_slice;;;\n"
    )
    (tmp_path / "t.csv").write_text(text, encoding="utf-8-sig")
    first, second = read_table(tmp_path / "t.csv")
    words = ["--segmentation", "threshold", "--thresholds", "120", "180", "--no-noise"]
    assert first == BatchRow("a", (str(tmp_path / "sub" / "a.tif"), *words))
    assert second == BatchRow("spheres_slice", ("sample:spheres_slice",))
    (tmp_path / "t.yaml").write_text(
        "- {z: top.tif, y: [f.tif, g.tif], x: side.tif, name: my rock, minutes: 2}\n"
        "- {image: b.tif, thresholds: [120, 180], noise: true}\n"
    )
    first, second = read_table(tmp_path / "t.yaml")
    files = [str(tmp_path / f"{name}.tif") for name in ("top", "f", "g", "side")]
    assert first.name == "my-rock"
    assert first.words == (
        *("--z", files[0], "--y", *files[1:3], "--x", files[3], "--minutes", "2"),
    )
    assert second.words[1:] == ("--thresholds", "120", "180", "--noise")
    # An own value replaces a merged one.
    (tmp_path / "u.yaml").write_text(
        "- &a {image: a.tif, minutes: 2}\n- {<<: *a, name: b, minutes: 3}\n"
    )
    assert [row.words[-1] for row in read_table(tmp_path / "u.yaml")] == ["2", "3"]


TABLES = {
    "a.txt": ("image\na.tif", "ends in .csv, .yaml, .yml"),
    "b.csv": ("steps\n3", "row 1: expected an image"),
    "c.csv": ("image\n", "got none"),
    "d.csv": ("image\nx/a.tif\ny/A.tif", "two called 'a'"),
    "e.csv": ("image\na.tif,3", "as many cells"),
    "f.yaml": ("image: a.tif", "a list of rows"),
    "g.yaml": ("- {image: [", "is not valid YAML"),
    "h.csv": ("image,colour\na.tif,red", "options of slicegan train, got 'colour'"),
    "i.csv": ("image,out\na.tif,x", "got 'out'"),
    "j.csv": ("image\n" + "a" * 200_000, "is not valid CSV"),
    "m.csv": ("image,lr-a,lr_a\na.tif,1,2", "got 'lr-a' and 'lr_a' for one option;"),
    "p.csv": ("image,image\na.tif,b.tif", "p.csv: expected each option once, got 'ima"),
    "q.csv": (
        "image,generator_rate,generator-lr\na.tif,1,2",
        "got 'generator_rate' and 'generator-lr' for one option; leave one out",
    ),
    "r.yaml": (
        "- {image: a.tif}\n- {image: b.tif, critic-lr: 1, critic_lr: 1}",
        "r.yaml, row 2: expected each option once, got 'critic-lr' and 'critic_lr' for",
    ),
    "s.yaml": ("- {image: a.tif, minutes: 5, minutes: 6}", "got 'minutes' twice; leav"),
    "t.yaml": (
        "- &a {image: a.tif, critic-lr: 1}\n- {<<: *a, name: b, critic_lr: 2}",
        "t.yaml, row 2: expected each option once",
    ),
    "n.csv": ("image,name\na.tif,Batch.html", "files, got 'batch.html'; choose"),
    "o.csv": ("image,name\na.tif,a\na.tif,a.log", "files, got 'a.log'; choose"),
    "k.yaml": ("[" * 10_000, "is not valid YAML"),
    "l.yaml": ("- {image: a.tif, name: 2026-99-99}", "is not valid YAML"),
}


def test_tables_that_are_refused(
    tmp_path: Path, capsys: Capture, subtests: pytest.Subtests
) -> None:
    for name, (text, words) in TABLES.items():
        with subtests.test(name):
            (tmp_path / name).write_text(text)
            assert main(["batch", str(tmp_path / name)]) == 2
            assert words in capsys.readouterr().err
    assert main(["batch", str(tmp_path / "absent.csv")]) == 2
    assert len(list(tmp_path.iterdir())) == len(TABLES)


def test_simultaneous_rows_share_cores_and_memory(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each program compares its estimate with its share: the others begin, too."""
    programs: list[dict[str, str]] = []

    class Killed:
        def __init__(self, words: Sequence[str], env: dict[str, str], **_: object):
            programs.append(env)

        def wait(self) -> int:
            return batch.KILLED

    monkeypatch.setattr(batch, "available_cpus", lambda: 8)
    monkeypatch.setattr(batch, "available_memory", lambda: 8000)
    monkeypatch.setattr(batch, "available_swap", lambda: 600)
    monkeypatch.setattr("subprocess.Popen", Killed)
    for name in ("OMP_NUM_THREADS", SHARE, SWAP_SHARE):
        monkeypatch.delenv(name, raising=False)
    rows = read_table(table)[:2]
    # No more than there are rows.
    for jobs, cores, memory, swap in (
        (2, "4", "4000", "300"),
        (8, "4", "4000", "300"),
        (1, "8", None, None),
    ):
        outcomes = run_batch(rows, table.with_name(f"{jobs} jobs"), jobs, 32)
        assert {one.get("OMP_NUM_THREADS") for one in programs} == {cores}
        assert {one.get(SHARE) for one in programs} == {memory}
        assert {one.get(SWAP_SHARE) for one in programs} == {swap}
        assert all(
            "killed, probably for lack of memory" in one.detail for one in outcomes
        )
        programs.clear()


def test_a_failing_row_does_not_stop_the_others(
    table: Path, calls: Calls, capsys: Capture
) -> None:
    out = table.with_name("table-runs")
    assert main(["batch", str(table), "--size", "32"]) == 2
    printed = capsys.readouterr().out.splitlines()
    lines = [line for line in printed if line[1:3] == "/3"]
    assert lines[0].startswith("1/3 a-1: finished. ")
    assert lines[1].startswith("2/3 gone: failed. ")
    assert "gone.tif" in lines[1]
    assert lines[2].startswith("3/3 second: finished. ")
    assert printed[-1] == f"Saved {out / PAGE}"
    assert RunFolder.open(out / "second").load_checkpoint()["step"] == 3
    assert [one.status for one in read_state(out)] == ["finished", "failed", "finished"]
    text = (out / PAGE).read_text("utf-8")
    structure = Structure()
    structure.feed(text)
    assert structure.open == []
    assert len(structure.ids) == len(set(structure.ids))
    assert "2 of 3 rows are finished" in text
    assert 'href="second/report.html"' in text
    # Finished rows are skipped; the image of the other one is there now.
    calls.clear()
    tifffile.imwrite(table.with_name("gone.tif"), phases_image(40, 48, seed=3).values)
    assert main(["batch", str(table), "--size", "32"]) == 0
    assert [words[0] for words in calls] == ["train", "report"]
    assert calls[0][1].endswith("gone.tif")
    assert [one.status for one in read_state(out)] == ["finished"] * 3
    # Other settings for a run that is there are no other run.
    table.write_text(table.read_text().replace(",3,", ",9,"))
    capsys.readouterr()
    assert main(["batch", str(table), "--size", "32"]) == 2
    assert "with which the row 'second' was begun" in capsys.readouterr().err


def test_a_size_that_no_report_takes_is_refused_before_the_runs(
    table: Path, calls: Calls, capsys: Capture
) -> None:
    assert main(["batch", str(table), "--size", "16"]) == 2
    assert "a volume of 32 voxels per edge" in capsys.readouterr().err
    assert main(["batch", str(table), "--size", "1000000"]) == 2
    assert "available memory" in capsys.readouterr().err
    assert calls == []


def test_a_damaged_report_leaves_its_row_empty(tmp_path: Path) -> None:
    """The page of the other rows is written."""
    (tmp_path / "a").mkdir()
    for text in ("[]", '{"proof": {}}', '{"proof": {"metrics": [1]}}', "[" * 100_000):
        (tmp_path / "a" / "report.json").write_text(text)
        page = batch.batch_page([batch.Outcome("a", (), "finished")], tmp_path)
        assert "1 of 1 rows are finished" in page


def test_interrupted_rows_are_resumed(
    table: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Ctrl+C before the second row, which has trained a step already."""
    out = table.with_name("out")
    rows = [row for row in read_table(table) if row.name != "gone"]
    images = TrainingImages.isotropic(phases_image(40, 48, seed=1))
    config = small_config().changed(steps=3)
    train(Trainer.start(config, images, out / "second"), 1)
    assert RunFolder.open(out / "second").load_checkpoint()["step"] == 1

    def interrupted(number: int, outcome: batch.Outcome) -> None:
        raise KeyboardInterrupt

    stopped = run_batch(rows, out, 1, 32, interrupted)
    assert stopped[0].status == "finished"
    assert stopped[1].status in ("stopped", "waiting")
    calls.clear()
    assert [one.status for one in run_batch(rows, out, 1, 32)] == ["finished"] * 2
    assert calls[0] == ["resume", str(out / "second")]
    assert RunFolder.open(out / "second").load_checkpoint()["step"] == 3
    # The status of Ctrl+C.
    monkeypatch.setattr(_Runner, "program", lambda *_: batch.STOPPED)
    assert main(["batch", str(table), "--out", str(table.with_name("new"))]) == 130
    assert "run the same command again" in capsys.readouterr().out


def test_rows_run_as_programs_of_their_own(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at a time, each with a log."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.getcwd(), "."]))
    rows = [row for row in read_table(table) if row.name != "second"]
    out = table.with_name("out")
    first, second = run_batch(rows, str(out), 2, 32)
    assert (first.status, second.status) == ("finished", "failed")
    assert "gone.tif" in second.detail
    assert "All steps are done. 2 steps" in (out / "a-1.log").read_text("utf-8")
    assert not list(out.glob("*.partial"))


@pytest.mark.skipif(os.name == "nt", reason="needs fork")
def test_programs_of_a_killed_batch_end_and_their_rows_are_resumed(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They save their run; the next batch waits for that."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.getcwd(), "."]))
    (row,) = (row for row in read_table(table) if row.name == "second")
    # Where they do not end, at least after some time.
    words = (*row.words, "--steps", "1000000", "--minutes", "3")
    row = BatchRow(row.name, words)
    out = table.with_name("out")
    killed = os.fork()
    if killed == 0:
        with contextlib.suppress(BaseException):
            run_batch([row], out, 1, 32)
        os._exit(0)
    try:
        deadline = time.monotonic() + 120
        log = out / "second.log"
        while not log.exists() or "step " not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.kill(killed, signal.SIGKILL)
        os.waitpid(killed, 0)
    found: Calls = []

    def program(_: _Runner, words: Sequence[str], log: Path) -> int:
        found.append([*words])
        with RunFolder(out / "second").lock():  # nobody trains it any more
            return batch.STOPPED

    monkeypatch.setattr(_Runner, "program", program)
    (outcome,) = run_batch([row], out, 1, 32)
    assert found == [["resume", str(out / "second")]]
    assert outcome.status == "stopped"
    assert "Stopped on request" in log.read_text()
    assert RunFolder(out / "second").saved_steps()[0] >= 1
