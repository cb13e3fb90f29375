"""The guides name only commands, files and presets that exist."""

from __future__ import annotations

import ast
import re
import shlex
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import pytest
import torch

import napari_slicegan
from docs.generated import PARTS
from napari_slicegan.cli.parser import COMMANDS, _parser
from napari_slicegan.config import group_of_field
from napari_slicegan.config.presets import (
    DEFAULT_PRESET,
    PRESETS,
    VOLUME_PRESETS,
    preset,
)
from napari_slicegan.models import volume_spec
from napari_slicegan.training.adversarial_step import AdversarialStep
from tests.toys import parameter_count

ROOT = Path(__file__).resolve().parent.parent
GUIDES = [
    ROOT / "README.md",
    ROOT / "sample_data" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FOLDERS = (ROOT, ROOT / "napari_slicegan", ROOT / "docs", ROOT / "sample_data")


def missing_in(guide: Path) -> list[str]:
    """Files, links and benchmarks that a guide names and that do not exist."""
    text = guide.read_text(encoding="utf-8")
    files = re.findall(r"`((?:\w+/)+[\w-]+\.(?:py|md|ipynb))`", text)
    missing = [name for name in files if not any((f / name).exists() for f in FOLDERS)]
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    missing += [link for link in links if not (guide.parent / link).exists()]
    modules = re.findall(r"python -m (benchmarks\.\w+)", text)
    missing += [m for m in modules if not (ROOT / f"{m.replace('.', '/')}.py").exists()]
    return missing


AMERICAN = re.compile(
    r"(?i)\b(colors?|colored|centers?|centered|fibers?|behaviors?|neighbors?|modeling|"
    r"labeled|(normal|optim|initial|visual|quant|minim|maxim|equal|recogn|organ|"
    r"general|character|digit|parallel|random|standard)iz\w*|grey\w*|learnt)\b(?!:)"
)


def messages_in(file: Path) -> list[str]:
    """Texts of more than a word in a module, without its docstrings."""
    nodes = [*ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = [x for x in nodes if isinstance(x, ast.Constant) and id(x) not in docs]
    texts = [str(x.value) for x in constants if " " in str(x.value)]
    # Places in figures of matplotlib.
    return [text for text in texts if not text.startswith("outside ")]


def test_messages_have_the_spelling_of_the_guides() -> None:
    files = [
        *(ROOT / "napari_slicegan").rglob("*.py"),
        ROOT / "sample_data/__init__.py",
    ]
    found = {
        f"{file.name}: {text}"
        for file in files
        for text in messages_in(file)
        if AMERICAN.search(text)
    }
    assert not found


def test_named_files_and_links_exist() -> None:
    missing = {guide.name: missing_in(guide) for guide in GUIDES}
    assert not any(missing.values()), missing


def commands_in(guide: Path) -> list[str]:
    """Words behind ``slicegan``, of lines of code and of text."""
    text = guide.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"(?m)^(?:.*-m napari_|(?:srun)? *)slicegan ([a-z-]+ .*)$", text)
    return lines + re.findall(r"`slicegan ([a-z-]+ [^`]+)`", text)


def test_named_commands_and_flags_exist() -> None:
    parser = _parser()
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8")
        named = set(re.findall(r"(?m)(?:^ *|`)slicegan ([a-z-]+)", text))
        assert named <= set(COMMANDS), guide.name
        for command in commands_in(guide):
            words = shlex.split(command, comments=True)
            if not any(word.startswith("--help") for word in words):
                parser.parse_args(words)


def test_named_benchmarks_take_their_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those without windows, whose modules need no Qt."""
    parse = ArgumentParser.parse_args
    parsed = []

    def only_parse(parser: ArgumentParser, words: object = None) -> NoReturn:
        parsed.append(parse(parser))
        raise StopIteration

    monkeypatch.setattr(ArgumentParser, "parse_args", only_parse)
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8").replace("\\\n", " ")
        command = r"python -m (benchmarks\.(?!window|explore)\w+)"
        found = re.findall(rf"(?m)^{command}(.*)$", text)
        for module, words in found + re.findall(rf"`{command}([^`]*)`", text):
            # The other checkout of an example.
            words = words.replace("=/tmp/old", "=.")
            monkeypatch.setattr("sys.argv", [module, *shlex.split(words)])
            with pytest.raises(StopIteration):
                import_module(module).main()
    assert len(parsed) > 10


def test_the_reference_has_every_setting_flag_and_public_name() -> None:
    """What the site makes of the program while it is built."""
    found = {name: make() for name, make in PARTS.items()}
    for name in group_of_field():
        assert f"| `{name}` |" in found["settings"]
    for name in PRESETS:
        assert f"| `{name}` |" in found["presets"]
    for name in COMMANDS:
        assert f"\n## {name}\n" in f"\n{found['commands']}"
    assert "| `--cluster ADDRESS` | generate on the workers" in found["commands"]
    assert "`--generator-lr`, `--critic-lr` of [optimiser]" in found["commands"]
    assert "### directions sweep" in found["commands"]
    for name in napari_slicegan.__all__:
        assert (
            name == "__version__" or f":: napari_slicegan.{name}\n" in found["python"]
        )
    places = re.findall(r"!?\]\(([^)#]+)\)", found["gallery"])
    assert len(places) >= 8
    assert all((ROOT / "docs" / place).is_file() for place in places)


def test_weights_of_the_default_preset_are_those_of_the_guide() -> None:
    """Of two phases, as `slicegan info` counts them."""
    config = preset(DEFAULT_PRESET)
    spec = volume_spec(config, 2, "phases")
    gan = AdversarialStep(config, spec, True, torch.device("meta"))
    words = "has {:,} weights in the generator and {:,} in the critic"
    text = (ROOT / "docs" / "training-in-parallel.md").read_text("utf-8")
    assert words.format(*map(parameter_count, (gan.generator, gan.critics))) in text


def test_the_readme_has_a_row_for_each_system() -> None:
    """Each page of a system, with a command that the page has too."""
    text = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"\| \[.*\]\((docs/systems/.*\.md)\).* `slicegan (.*)` \|", text)
    pages = {f"docs/systems/{p.name}" for p in (ROOT / "docs/systems").glob("*.md")}
    assert {page for page, _ in rows} == pages - {"docs/systems/README.md"}
    for page, command in rows:
        assert command.split()[0] in (ROOT / page).read_text("utf-8")


def test_presets_are_named() -> None:
    volumes = (ROOT / "docs" / "paper-and-code.md").read_text("utf-8")
    systems = (ROOT / "docs" / "systems" / "README.md").read_text("utf-8")
    for name in PRESETS:
        assert f"`{name}`" in (volumes if name in VOLUME_PRESETS else systems)
