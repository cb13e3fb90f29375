"""Ready models: generators of the package and of one's own places.

A place is a folder with ``.safetensors`` files and their model cards, or a URL that was
copied into the folder of downloads.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from napari_slicegan.report.card_facts import CARD, CardFacts, card_facts, card_path
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.runtime.memory import reason_of
from napari_slicegan.sample_data import MODELS, model_path
from napari_slicegan.sample_data import generator_path as sample_generator

APP = "napari-slicegan"
LIST = "models.json"
VARIABLE = "SLICEGAN_MODELS"
"""Environment variable: more folders, separated as in PATH."""
HOME = "SLICEGAN_HOME"
"""Environment variable: where downloads and the list of folders are kept."""
GENERATOR = ".safetensors"
MOST_BYTES = 2**30
TIMEOUT_S = 30.0
# HTTP statuses of a missing file; some servers answer 403 in place of 404.
ABSENT = (403, 404, 410)


@dataclass(frozen=True)
class ReadyModel:
    """A generator that can be used at once.

    Attributes
    ----------
    name
        Used as ``sample:NAME``; several places may have models of one name, of which
        the first counts.
    title
        For people.
    file
        Its generator.
    facts
        What its model card says; None without a card.
    """

    name: str
    title: str
    file: Path
    facts: CardFacts | None


def ready_models() -> list[ReadyModel]:
    """Models of the package, then those of each place, by name."""
    files = {model_path(name): title for name, title in MODELS.items()}
    for folder in [*places(), downloads()]:
        for file in sorted(folder.glob(f"*{GENERATOR}")):
            files.setdefault(file, "")
    found = []
    for file, title in files.items():
        if file.is_file():
            facts = card_facts(card_path(file))
            title = title or (facts.title if facts else "") or file.stem
            found.append(ReadyModel(file.stem, title, file, facts))
    return found


def model_file(name: str) -> Path:
    """Where the generator of ``sample:NAME`` lies.

    Raises
    ------
    ValueError
        If there is none of this name; the sentence lists those there are.
    """
    own = {model.name: model.file for model in reversed(ready_models())}
    if name in own:
        return own[name]
    try:
        found: Path = sample_generator(name)
    except ValueError:
        raise ValueError(
            f"No sample generator is called {name!r}. Choose one of: "
            f"varied_sandstone, {', '.join(sorted(own))}."
        ) from None
    return found


def places() -> list[Path]:
    """Folders that were added, and those of the environment variable.

    Raises
    ------
    ValueError
        If the list cannot be read.
    """
    named = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return [*map(Path, named), *map(Path, _read_list())]


def downloads() -> Path:
    """Folder of the models that were downloaded."""
    return _home() / "models"


def add_place(place: str) -> list[Path]:
    """Add a folder, or download a generator with its card; returns its generators.

    Raises
    ------
    ValueError
        If the folder holds no generator, or what the URL names is none.
    """
    if is_url(place):
        return [_download(place)]
    folder = Path(place).expanduser().absolute()
    found = sorted(folder.glob(f"*{GENERATOR}"))
    if not found:
        raise ValueError(
            f"Expected a folder with {GENERATOR} files, or the URL of one, got "
            f"{place}; slicegan export writes a generator with its model card."
        )
    _write_list([*dict.fromkeys([*_read_list(), str(folder)])])
    return found


def remove_place(place: str) -> None:
    """Forget a folder, or delete what was downloaded from a URL.

    Raises
    ------
    ValueError
        If it was not added; the sentence lists what was.
    """
    known = _read_list()
    if is_url(place):
        file = downloads() / _name_in(place)
        if file.is_file():
            file.unlink()
            card_path(file).unlink(missing_ok=True)
            return
    else:
        folder = str(Path(place).expanduser().absolute())
        if folder in known:
            _write_list([one for one in known if one != folder])
            return
    there = [*known, *map(str, sorted(downloads().glob(f"*{GENERATOR}")))]
    raise ValueError(
        f"Expected a place that was added, got {place}; added are: "
        f"{', '.join(there) or 'none'}."
    )


def is_url(place: str) -> bool:
    """Whether a place of models is a URL, not a folder."""
    return place.lower().startswith(("http://", "https://"))


def _download(url: str) -> Path:
    """Download a generator and, where there is one, its card."""
    from napari_slicegan.models.generator_file import load_any_generator

    target = downloads() / _name_in(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    parts = urllib.parse.urlsplit(url)
    card_url = parts._replace(path=f"{parts.path.removesuffix(GENERATOR)}{CARD}")
    content, card = _content(url), _content(card_url.geturl(), is_optional=True)
    # Neither is replaced before both are written.
    with contextlib.ExitStack() as stack:
        unfinished = stack.enter_context(replacing(target))
        unfinished.write_bytes(content)
        try:
            load_any_generator(unfinished)
        except ValueError as error:
            named = str(error).replace(unfinished.name, target.name)
            raise ValueError(named) from error
        if card:
            stack.enter_context(replacing(card_path(target))).write_bytes(card)
    if not card:
        card_path(target).unlink(missing_ok=True)
    return target


def _name_in(url: str) -> str:
    """File name of a generator in a URL."""
    try:
        path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    except ValueError:  # of brackets
        path = ""
    name = path.replace("\\", "/").rpartition("/")[2]
    if not name.endswith(GENERATOR) or name == GENERATOR or "\0" in name:
        raise ValueError(
            f"Expected the URL of a {GENERATOR} file, got {url}; download other files "
            "yourself and add their folder."
        )
    return name


def _content(url: str, *, is_optional: bool = False) -> bytes:
    """What a URL holds; nothing if it is optional and the server has none."""
    try:
        # The scheme was checked: no file of this machine is read.
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
            if answer.length and len(content) <= MOST_BYTES:
                raise ConnectionError("it ended early")
    except (OSError, http.client.HTTPException, ValueError) as error:
        if is_optional and getattr(error, "code", 0) in ABSENT:
            return b""
        cause = getattr(error, "reason", None)
        why = reason_of(cause if isinstance(cause, Exception) else error)
        why = why.partition("\n")[0].rstrip(".")
        raise ValueError(f"Could not download {url} ({why}); check it.") from error
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"Expected at most {MOST_BYTES / 1e9:.1f} GB at {url}, got more; download "
            "it yourself and add its folder."
        )
    return content


def _home() -> Path:
    return Path(os.environ.get(HOME) or user_data_path(APP, appauthor=False))


def _read_list() -> list[str]:
    file = _home() / LIST
    if not file.is_file():
        return []
    try:
        folders = json.loads(file.read_text(encoding="utf-8"))["folders"]
        return [str(folder) for folder in folders]
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise ValueError(
            f"Expected a list of folders in {file}, got something else; delete the "
            "file and add the folders again."
        ) from error


def _write_list(folders: list[str]) -> None:
    file = _home() / LIST
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as unfinished:
        text = json.dumps({"format": 1, "folders": folders}, indent=1)
        unfinished.write_text(text, encoding="utf-8")
