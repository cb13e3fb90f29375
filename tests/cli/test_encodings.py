"""Output and errors in consoles and files of any encoding."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_slicegan.cli import main
from tests.toys import phases_image

# Command, exit status, and words of its output or of its error. IMAGE, RUN and others
# have names with µ, ü and 日本.
COMMANDS = [
    ("info IMAGE --pixel-size-nm 1500", 0, "m (as given)"),
    ("info RUN", 0, "architecture"),
    ("train --help", 0, "--thresholds"),
    ("train IMAGE --config CONFIG --steps 1 --out NEW", 0, "All steps are done."),
    ("resume NEW --steps 2", 0, "2 steps in"),
    ("generate RUN --size 8 --out VOLUME", 0, "Saved"),
    ("measure VOLUME --against VOLUME", 0, "noise floor"),
    ("train IMAGE --channel red", 2, "slicegan: "),
    ("train MISSING", 2, "slicegan: "),
    ("train MISSING/*.tif", 2, "slicegan: Expected files whose names match"),
    ("generate MISSING", 2, "slicegan: "),
    ("generate RUN --out MISSING", 2, "slicegan: "),
    ("directions list MISSING", 2, "slicegan: Expected a file of directions"),
    ("train IMAGE --no-such-µ", 2, "unrecognized arguments"),
    ("train IMAGE --preset 日本", 2, "invalid choice"),
]


@pytest.fixture
def names(toy_run: Path, settings: Path, tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "5 µm, 日本"
    folder.mkdir()
    shutil.copytree(toy_run, folder / "läuft")
    shutil.copy(settings, folder / "größe.json")
    tifffile.imwrite(folder / "gefüge µ 日.tif", phases_image(40, 48).values)
    found = {
        "IMAGE": "gefüge µ 日.tif",
        "RUN": "läuft",
        "CONFIG": "größe.json",
        "NEW": "neu 日",
        "VOLUME": "würfel µ.tif",
        "MISSING": "fehlt 日本 µ",
    }
    return {word: str(folder / name) for word, name in found.items()}


def words_of(command: str, names: dict[str, str]) -> list[str]:
    words = []
    for word in command.split():
        first, slash, rest = word.partition("/")
        words.append(f"{names.get(first, first)}{slash}{rest}")
    return words


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "cp932", "utf-8"])
def test_every_sign_is_printed_somehow(
    encoding: str, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with ``PYTHONIOENCODING`` and a redirection to a file."""
    for command, status, expected in COMMANDS:
        written = io.BytesIO(), io.BytesIO()
        streams = [io.TextIOWrapper(raw, encoding) for raw in written]
        with monkeypatch.context() as console:
            console.setattr(sys, "stdout", streams[0])
            console.setattr(sys, "stderr", streams[1])
            try:
                ended: object = main(words_of(command, names))
            except SystemExit as end:
                ended = end.code
        for stream in streams:
            stream.flush()
        out, errors = (raw.getvalue().decode(encoding) for raw in written)
        assert ended == status, (command, errors)
        where = out if status == 0 else errors
        assert expected in where, (command, out, errors)
        assert "Traceback" not in errors
    assert np.prod(tifffile.imread(names["VOLUME"]).shape) == 8**3


def test_a_real_console_without_letters_beyond_ascii(names: dict[str, str]) -> None:
    """Of a batch system; one process, since each loads torch for seconds."""
    script = (
        "import sys\n"
        "from napari_slicegan.cli import main\n"
        "def run(words):\n"
        "    try: return main(words)\n"
        "    except SystemExit as end: return end.code\n"
        f"for words in {[words_of(c, names) for c, _, _ in COMMANDS]!a}:\n"
        "    print('status', run(words))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    )
    errors = done.stderr.decode("ascii")
    assert done.returncode == 0, errors
    assert "UnicodeEncodeError" not in errors
    lines = done.stdout.decode("ascii").splitlines()
    statuses = [int(line.split()[1]) for line in lines if line.startswith("status ")]
    assert statuses == [status for _, status, _ in COMMANDS]
    assert "5 ?m, ??" in errors


@pytest.mark.skipif(sys.platform == "win32", reason="file names of Windows are text")
def test_file_names_where_python_takes_bytes_beyond_ascii_for_no_text(
    names: dict[str, str],
) -> None:
    """In the locale C, without the UTF-8 mode that Python otherwise turns on there."""
    script = (
        "import sys\n"
        "from napari_slicegan.cli import main\n"
        "image, config, new = sys.argv[1:]\n"
        "assert main(['info', image]) == 0\n"
        "words = ['train', image, '--config', config, '--steps', '1', '--out', new]\n"
        "assert main(words) == 0\n"
        "assert main(['info', new]) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *(names[n] for n in ("IMAGE", "CONFIG", "NEW"))],
        capture_output=True,
        check=False,
        env={
            **os.environ,
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
        },
    )
    assert done.returncode == 0, done.stderr
    assert b"trained on     gef??ge ?? ???.tif" in done.stdout
    assert (Path(names["NEW"]) / "generator.safetensors").is_file()
