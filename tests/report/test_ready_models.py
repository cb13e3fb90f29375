"""Ready models: names, folders and downloads of one's own, cards that programs read."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from napari_slicegan.sample_data import MODELS, model_path

from napari_slicegan.cli import main
from napari_slicegan.report.card_facts import CardFacts, card_facts, head_of_card
from napari_slicegan.report.ready_models import (
    HOME,
    VARIABLE,
    add_place,
    downloads,
    model_file,
    places,
    ready_models,
    remove_place,
)

Capture = pytest.CaptureFixture[str]
FACTS = CardFacts("Rock", "phases", {"0": 0.75, "255": 0.25}, 5.0, "close", "CC0 é")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the user's folders is read or written."""
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def folder(toy_run: Path, tmp_path: Path) -> Path:
    """A folder with a generator and its card."""
    folder = tmp_path / "my models"
    folder.mkdir()
    shutil.copy(toy_run / "generator.safetensors", folder / "rock.safetensors")
    (folder / "rock.md").write_text(f"{head_of_card(FACTS)}\n# Rock\n", "utf-8")
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """URL of a server of this folder, on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

        def do_GET(self) -> None:
            if self.path.startswith("/lost.md"):
                # Too many requests: the server may have the card.
                self.send_error(429)
            else:
                super().do_GET()

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_models_of_the_package_come_first() -> None:
    there = [name for name in MODELS if model_path(name).is_file()]
    assert [model.name for model in ready_models()] == there
    for model in ready_models():
        assert model_file(model.name) == model.file
        assert model.facts is not None
        assert model.facts.verdict in ("agrees", "close", "differs")
    assert model_file("varied_sandstone").is_file()


def test_a_folder_is_added_used_by_name_and_removed(
    folder: Path, capsys: Capture, tmp_path: Path
) -> None:
    assert main(["models", "--add", str(folder)]) == 0
    assert main(["models", "--add", str(folder)]) == 0
    assert places() == [folder]
    capsys.readouterr()
    assert main(["models"]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x[:4] == "rock"]
    assert line.split() == "rock Rock 0.75 0.25 5 nm close 0.0 CC0 é".split()
    assert main(["models", "sample:rock"]) == 0
    assert capsys.readouterr().out == "# Rock\n"
    out = tmp_path / "v.tif"
    words = ["generate", "sample:rock", "--size", "8", "--device", "cpu"]
    assert main([*words, "--out", str(out)]) == 0
    assert out.is_file()
    assert main(["models", "--remove", str(folder)]) == 0
    with pytest.raises(ValueError, match=r"called 'rock'.*varied_sandstone, benth"):
        model_file("rock")


def test_folders_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(folder))
    assert model_file("rock") == folder / "rock.safetensors"


def test_a_url_is_downloaded_with_its_card(server: str, folder: Path) -> None:
    (file,) = add_place(f"{server}/rock.safetensors")
    assert file.read_bytes() == (folder / "rock.safetensors").read_bytes()
    (model,) = [one for one in ready_models() if one.name == "rock"]
    assert model.facts == FACTS
    remove_place(f"{server}/rock.safetensors")
    assert [*downloads().iterdir()] == []


def test_a_card_that_could_not_be_downloaded_is_not_taken_for_none(
    server: str, folder: Path, capsys: Capture
) -> None:
    """Generator and card are added both or neither; a card that is no text is shown."""
    shutil.copy(folder / "rock.safetensors", folder / "lost.safetensors")
    with pytest.raises(ValueError, match=r"download .*lost\.md \(HTTP Error 429"):
        add_place(f"{server}/lost.safetensors")
    assert [*downloads().iterdir()] == []
    (folder / "rock.md").write_bytes(b"\xffRock")
    add_place(str(folder))
    assert main(["models", "rock"]) == 0
    assert capsys.readouterr().out == "\N{REPLACEMENT CHARACTER}Rock\n"


def test_what_is_no_place_is_refused(
    server: str, folder: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    (folder / "broken.safetensors").write_bytes(b"nothing")
    cases = {
        str(tmp_path / "absent"): "Expected a folder with",
        f"{server}/absent.safetensors": "Could not download",
        f"{server}/a rock.safetensors": "Could not download",
        f"{server}/rock.md": "Expected the URL of a .safetensors file",
        "http://[/rock.safetensors": "Expected the URL of a .safetensors file",
        f"{server}/a%00.safetensors": "Expected the URL of a .safetensors file",
        f"{server}/broken.safetensors": "^broken.safetensors: expected a",
        "": "Expected a folder with",
    }
    for place, words in cases.items():
        with subtests.test(place):
            with pytest.raises(ValueError, match=words):
                add_place(place)
    assert [*downloads().glob("*")] == []
    with pytest.raises(ValueError, match=r"that was added, got x; added are: none\."):
        remove_place("x")


def test_a_damaged_list_is_one_sentence(folder: Path) -> None:
    add_place(str(folder))
    file = folder.parent / "home" / "models.json"
    for text in ("{", "[]", '{"folders": 1}', "[" * 100_000):
        file.write_text(text)
        with pytest.raises(ValueError, match="delete the file and add"):
            places()


def test_facts_of_cards(tmp_path: Path, subtests: pytest.Subtests) -> None:
    card = tmp_path / "a.md"
    card.write_text(f"{head_of_card(FACTS)}\n# Rock\n", "utf-8")
    assert card_facts(card) == FACTS
    for text in (
        "# Rock\n",
        "---\n---\n",
        "---\ntitle: x\n---\n",
        '---\ntitle: "x"\nmakes: 3\nphase_fractions: [1]\n---\n',
        '---\ntitle: "x"\nmakes: ""\nvoxel_size_nm: "y"\n---\n',
        f"---\ntitle: {'[' * 100_000}\n---\n",
    ):
        with subtests.test(text[:40]):
            card.write_text(text, "utf-8")
            assert card_facts(card) is None
    assert card_facts(tmp_path / "absent.md") is None
