"""Parts of the pages that are made from the program when the pages are built.

A page has ``<!-- generated: NAME -->`` where the part ``NAME`` of `PARTS` belongs.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Any

from napari_slicegan.sample_data import MODELS

from napari_slicegan.cli.parser import COMMANDS, _parser
from napari_slicegan.config import GROUPS, Settings, choices_of
from napari_slicegan.config.presets import DEFAULT_PRESET, PRESETS, preset

HERE = Path(__file__).parent
# Limits beyond it only say that a number must fit into 64 bits.
LARGEST = 1e15
BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
# Public names beyond those of the package and of its directions.
MORE_NAMES = {
    "Volumes": (
        "generation.generate.VolumePlan",
        "generation.through.Section",
        "generation.through.pass_through",
        "generation.through.agreement",
        "generation.fixed.FixedInputs",
        "generation.streaming.StreamedVolume",
        "generation.gaussian_field.gaussian_volume",
        "generation.regions.Box",
        "generation.regions.ramp",
        "volumes.meshes.Mesh",
        "volumes.meshes.surface_mesh",
        "volumes.meshes.voxel_mesh",
        "volumes.meshes.coarsened",
        "volumes.mesh_files.write_mesh",
    ),
    "Measurements": (
        "metrics.stored_volume.StoredVolume",
        "metrics.transport.effective_diffusivity",
        "metrics.transport.effective_conductivity",
        "metrics.transport.tortuosity_factor",
        "metrics.permeability.permeability",
        "metrics.comparison.Comparison",
        "report.physics.PhysicsSettings",
        "report.physics.measure_physics",
        "report.physics.Physics",
        "metrics.representativity.representativity",
        "metrics.representativity.Representativity",
        "report.page.write_report",
        "report.batch.read_table",
        "report.batch.run_batch",
        "report.batch.Outcome",
    ),
    "Images and training": (
        "data.pixel_classifier.PixelClassifier",
        "training.clock.StepReport",
        "training.clock.FinishReason",
        "training.fine_tuning.fine_tune",
        "config.add_architecture",
        "config.add_task",
    ),
}


def escaped(text: str) -> str:
    """Text of a cell of a table, without signs that Markdown would read."""
    return re.sub(r"([\\|<*_\[\]])", r"\\\1", " ".join(text.split()))


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: Any) -> str:
    """Value of a setting as the command line takes it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        parts = (",".join(map(str, x)) if isinstance(x, tuple) else x for x in value)
        return f"`{' '.join(map(str, parts))}`"
    return f"`{value}`" if value != "" else "empty"


def settings() -> str:
    """One table for each group of settings."""
    return "\n\n".join(group_table(name, group) for name, group in GROUPS.items())


def group_table(name: str, group: type[Settings]) -> str:
    """Heading and table of a group of settings."""
    usual = getattr(preset(DEFAULT_PRESET), name)
    rows = []
    for field, facts in group.model_fields.items():
        allowed = ", ".join(f"`{choice}`" for choice in choices_of(facts))
        bounds = (
            f"{sign} {value:g}"
            for rule in facts.metadata
            for key, sign in BOUNDS.items()
            if abs(value := getattr(rule, key, inf)) < LARGEST
        )
        rows.append(
            (
                f"`{field}`",
                f"**{escaped(str(facts.title))}.** {escaped(str(facts.description))}",
                allowed or escaped(", ".join(bounds)),
                shown(facts.default),
                shown(getattr(usual, field)),
            )
        )
    titles = ("setting", "what it does", "allowed", "default", DEFAULT_PRESET)
    about = " ".join((group.__doc__ or "").split())
    return f"## {name}\n\n{about}\n\n{table(titles, rows)}"


def presets() -> str:
    """All presets, each with one sentence."""
    rows = ((f"`{name}`", escaped(PRESETS.summary(name))) for name in PRESETS)
    return table(("preset", "what it is for"), rows)


def commands() -> str:
    """Usage and options of each command."""
    (found,) = verbs_of(_parser(shows_all=True))
    parts = []
    for name, (_, text) in COMMANDS.items():
        about = f"{text[0].upper()}{text[1:]}."
        parts += [f"## {name}\n\n{about}", *command_parts(found[name])]
    return "\n\n".join(parts)


def verbs_of(parser: argparse.ArgumentParser) -> list[Mapping[str, Any]]:
    """Commands of a parser, or verbs of a command."""
    found = (action.choices for action in parser._actions)  # noqa: SLF001
    return [choices for choices in found if isinstance(choices, dict)]


def command_parts(command: argparse.ArgumentParser) -> Iterator[str]:
    """Usage, table of options, and the verbs of a command."""
    of_groups: dict[str, list[argparse.Action]] = {}
    options = []
    for group in command._action_groups:  # noqa: SLF001
        title = str(group.title)
        for action in group._group_actions:  # noqa: SLF001
            if action.help == argparse.SUPPRESS or isinstance(action.choices, dict):
                continue
            if title.startswith("settings: "):
                of_groups.setdefault(title.removeprefix("settings: "), []).append(
                    action
                )
            elif "--help" not in action.option_strings:
                options.append((f"`{signature(action)}`", escaped(help_of(action))))
    if options:
        yield table(("argument", "meaning"), options)
    if of_groups:
        yield f"Settings: {'; '.join(map(flags_of, of_groups.items()))}."
    for verbs in verbs_of(command):
        for name, verb in verbs.items():
            yield f"### {command.prog.split()[-1]} {name}"
            yield from command_parts(verb)


def flags_of(group: tuple[str, list[argparse.Action]]) -> str:
    """Link to a group of settings; the flags, if they are not all of the group."""
    name, actions = group
    link = f"[{name}](settings.md#{name})"
    if len(actions) == len(GROUPS[name].model_fields):
        return link
    return f"{', '.join(f'`{a.option_strings[0]}`' for a in actions)} of {link}"


def signature(action: argparse.Action) -> str:
    """An option and its values, as in a usage line."""
    flag = ", ".join(action.option_strings)
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        return flag
    value = action.metavar or action.dest.upper()
    if isinstance(value, tuple):
        value = " ".join(value)
    elif isinstance(action.nargs, int):
        value = " ".join([value] * action.nargs)
    value = {"+": f"{value} ...", "*": f"[{value} ...]", "?": f"[{value}]"}.get(
        str(action.nargs), value
    )
    return f"{flag} {value}".strip()


def help_of(action: argparse.Action) -> str:
    """Help of an option, with its default and the names that it takes."""
    text = str(action.help or "") % vars(action)
    names = ", ".join(map(str, action.choices or ()))
    return f"{text}. One of: {names}." if names else text


def python() -> str:
    """Directives of autodoc for every public name."""
    package = import_module("napari_slicegan")
    directions = import_module("napari_slicegan.directions")
    names = {
        "The package": [f"{package.__name__}.{name}" for name in package.__all__],
        "Directions": [f"{directions.__name__}.{n}" for n in directions.__all__],
        **{
            title: [f"{package.__name__}.{name}" for name in more]
            for title, more in MORE_NAMES.items()
        },
    }
    parts = []
    for title, found in names.items():
        parts.append(f"## {title}")
        parts += [directive(name) for name in found if "__" not in name]
    return "\n\n".join(parts)


def directive(name: str) -> str:
    """The directive that documents a class, a function or a value."""
    module, _, last = name.rpartition(".")
    value = getattr(import_module(module), last)
    if isinstance(value, Mapping):
        keys = ", ".join(f"``{key}``" for key in value)
        text = f".. py:data:: {name}\n\n   By name: {keys}."
        return f"```{{eval-rst}}\n{text}\n```"
    kind, options = "autodata", "   :no-value:\n"
    if inspect.isclass(value):
        kind, options = "autoclass", "   :members:\n"
        if issubclass(value, Settings):
            options = "   :members: changed\n   :no-index-entry:\n"
    elif callable(value):
        kind, options = "autofunction", ""
    return f"```{{eval-rst}}\n.. {kind}:: {name}\n{options}```"


def gallery() -> str:
    """A section for each generator that ships, from its report."""
    return "\n\n".join(
        material(name, title)
        for name, title in MODELS.items()
        if (HERE / "models" / f"{name}.json").is_file()
    )


def material(name: str, title: str) -> str:
    """Picture, verdict and links of a generator."""
    report = json.loads((HERE / "models" / f"{name}.json").read_text("utf-8"))
    verdict, facts = report["proof"]["verdict"], report["provenance"]
    largest = verdict["largest"].rstrip(".")
    picture = f"images/gallery-{name}.png"
    about = f"{title}: image, planes and a surface"
    shown = f"![{about}]({picture})\n\n" if (HERE / picture).is_file() else ""
    images = ", ".join(
        f"`{image['name']}` ({image['size']} pixels)" for image in facts["images"]
    )
    return (
        f"## {title}\n\n{shown}"
        f"Trained on {images}: {facts['training']}. "
        f"**{verdict['headline']}**: {verdict['bound']}. {largest}. "
        f"[Report](models/{name}.html).\n\n"
        f"```sh\nslicegan generate sample:{name} --size 256\n```"
    )


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "presets": presets,
    "commands": commands,
    "python": python,
    "gallery": gallery,
}
