"""How the command line ends when training fails, and what it sets for the process."""

from __future__ import annotations

import math
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_slicegan.cli import parser
from napari_slicegan.cli.parser import main
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.run_folder import RunFolder

WINDOW_PACKAGES = ("magicgui", "napari", "npe2", "pyqtgraph", "qtpy", "superqt")
Capture = pytest.CaptureFixture[str]


def test_a_diverged_run_says_what_is_kept(
    image: Path,
    settings: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        AdversarialStep,
        "is_finite",
        lambda game: torch.tensor(game.averaged.n_updates < 3),
    )
    words = ["train", str(image), "--config", str(settings), "--out"]
    assert main([*words, str(tmp_path / "one")]) == 1
    assert "No checkpoint was saved." in capsys.readouterr().out
    words[1:1] = ["--checkpoint-minutes", "1e-9"]
    assert main([*words, str(tmp_path / "two")]) == 1
    printed = capsys.readouterr().out
    assert "no longer finite and this step is not saved" in printed
    assert "Last checkpoint: checkpoint-0000002.pt" in printed
    # The command that is printed resumes it, with half the learning rates.
    (command,) = re.findall(r"Resume with: +slicegan (.+)", printed)
    monkeypatch.undo()
    assert main([*shlex.split(command), "--steps", "3"]) == 0
    run = RunFolder.open(tmp_path / "two")
    assert run.load_checkpoint()["step"] == 3
    former = RunFolder.open(tmp_path / "one").config().optimiser.critic_lr
    assert run.config().optimiser.critic_lr == pytest.approx(former / 2)


def test_a_diverged_demo_ends_with_one_sentence(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is there a volume or a report of noise; it states its first weights."""
    out = tmp_path / "demo"
    monkeypatch.setattr(
        AdversarialStep, "step", lambda *_: torch.tensor([math.nan, 0, 0])
    )
    assert main(["demo", "--no-window", "--device", "cpu", "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "Training starts from weights trained on nanoporous gold.\n"
    last = printed.err.splitlines()[-1]
    assert last.startswith("slicegan: The losses are no longer finite")
    assert [path.name for path in out.iterdir()] == ["run"]


def test_libraries_that_do_not_fit_are_not_loaded(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux would kill the process meanwhile."""
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(parser, "available_memory", lambda: 10**8)
    monkeypatch.setattr(parser, "available_swap", lambda: 2 * 10**8)
    monkeypatch.setattr(parser, "_action", lambda _: lambda _: 0)
    # A downloaded generator is opened.
    for words in (["train", "a.tif"], ["models", "--add", "http://a/b.safetensors"]):
        monkeypatch.setattr(parser, "available_swap", lambda: 2 * 10**8)
        assert main(words) == 0
        monkeypatch.setattr(parser, "available_swap", lambda: 10**8)
        assert main(words) == 2
        assert "Expected at least 0.26 GB of free memory" in capsys.readouterr().err
    assert "torch" not in sys.modules


def test_lists_need_no_memory_for_libraries(tmp_path: Path) -> None:
    """They do not load torch, and so are not refused where it would not fit."""
    script = (
        "import sys\n"
        "from napari_slicegan.cli import parser\n"
        "parser.available_memory = parser.available_swap = lambda: 0\n"
        "words = ['presets'], ['presets', 'slicegan-fast'], ['models'], "
        "['models', '--add', sys.argv[1]]\n"
        "statuses = [parser.main(each) for each in words]\n"
        "assert statuses == [0] * 4, statuses\n"
        "assert 'torch' not in sys.modules\n"
    )
    (tmp_path / "mine.safetensors").touch()
    words = [sys.executable, "-c", script, str(tmp_path)]
    home = {**os.environ, "SLICEGAN_HOME": str(tmp_path / "home")}
    done = subprocess.run(words, capture_output=True, check=False, env=home)
    assert done.returncode == 0, done.stderr


def test_a_lack_of_memory_is_one_sentence(
    toy_run: Path,
    image: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[str, str, str]] = [
        ("info IMAGE", "data.micrograph.interpret", "to prepare the images: crop them"),
        ("info IMAGE", "data.image_files._read", "reduced copy of it"),
        ("generate RUN --size 8", "generation.generate.VolumePlan.values", "--size"),
        ("sample RUN", "cli.generate.generate_images", "--count"),
        ("measure RUN --size 16", "cli.report.compare", "part of the volume"),
        ("report RUN --size 32", "cli.report.prove", "--size or --seeds"),
        ("directions fit RUN", "cli.directions.fit_directions", "earlier --block"),
        ("train IMAGE", "cli.train.Trainer.start", "'Generator batch size'"),
    ]

    def lack(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.chdir(tmp_path)
    named = {"RUN": str(toy_run), "IMAGE": str(image)}
    for words, place, advice in cases:
        with subtests.test(place), monkeypatch.context() as patch:
            patch.setattr(f"napari_slicegan.{place}", lack)
            assert main([named.get(word, word) for word in words.split()]) == 2
            assert re.fullmatch(
                rf"(.*\r)?slicegan: [^\n]*memory[^\n]*{advice}[^\n]*\.\n",
                capsys.readouterr().err.splitlines(keepends=True)[-1],
            )
            assert [path.name for path in tmp_path.iterdir()] == [image.name]


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_torch_is_loaded_prints_no_traceback(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """It takes seconds, in which people press Ctrl+C."""

    def load(name: str) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(parser, "import_module", load)
    assert main(["presets"]) == 130
    assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("chosen", [None, "ACTIVE"])
def test_waiting_threads_sleep_unless_the_user_wants_them_to_spin(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    """Set before torch is loaded; importing the library leaves the process alone."""
    name = "OMP_WAIT_POLICY"
    monkeypatch.setenv(name, "ACTIVE")
    if chosen is None:
        monkeypatch.delenv(name)
    program = (
        "import napari_slicegan.cli.parser, os, sys\n"
        f"before = os.environ.get({name!r})\n"
        "def load(**_): print(before, os.environ.get(%r), 'torch' in sys.modules)\n"
        "napari_slicegan.cli.parser._parser = load\n"
        "try: napari_slicegan.cli.parser.main([])\n"
        "except AttributeError: pass\n"
    ) % name
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(chosen), chosen or "PASSIVE", "False"]


def test_the_engine_runs_where_the_window_is_not_installed(
    image: Path, settings: Path, tmp_path: Path
) -> None:
    """As on the nodes of a cluster, see requirements-engine.txt."""
    run, volume = str(tmp_path / "run"), str(tmp_path / "volume.tif")
    commands = [
        ["train", str(image), "--config", str(settings), "--out", run],
        ["generate", run, "--size", "32", "--device", "cpu", "--out", volume],
        ["measure", volume, "--against", str(image)],
        ["report", run, "--size", "32", "--seeds", "2", "--quick"],
    ]
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({WINDOW_PACKAGES!r}))\n"
        "from napari_slicegan.cli.parser import main\n"
        f"for words in {commands!r}: assert main(words) == 0, words\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize(
    ("words", "unbuffered"), [("presets slicegan-fast", "1"), ("--help", "")]
)
def test_a_pipe_that_is_closed_early_is_no_fault(words: str, unbuffered: str) -> None:
    """As in ``slicegan presets | head``: the status that a shell gives SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "napari_slicegan", *words.split()],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
