"""The command line ``slicegan COMMAND``."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from napari_slicegan import __version__
from napari_slicegan.cli import flags
from napari_slicegan.cli.options import (
    FAULT,
    PIPE_CLOSED,
    STOPPED,
    check_outputs,
    ending_signals,
    handling,
)
from napari_slicegan.runtime.launcher import (
    AllRanksError,
    end_with_parent,
    is_launched,
    is_main_process,
)
from napari_slicegan.runtime.limits import (
    available_cpus,
    available_memory,
    available_swap,
    let_idle_threads_sleep,
)
from napari_slicegan.runtime.memory import (
    OUT_OF_MEMORY,
    in_words,
    keep_freed_memory,
    memory_explained,
)
from napari_slicegan.runtime.quantities import bytes_in_words

COMMANDS = {
    "demo": ("demo", "train on a real sandstone slice, generate and measure a volume"),
    "gui": ("window", "open napari with the plugin docked"),
    "train": ("train", "train on micrographs"),
    "resume": ("train", "resume a run"),
    "batch": ("batch", "train and measure a table of images"),
    "generate": ("generate", "generate a volume"),
    "baseline": ("baseline", "make a volume in a second, without a network"),
    "sample": ("generate", "draw images from a trained generator"),
    "mesh": ("mesh", "mesh the phases of a volume for simulations"),
    "measure": ("report", "compare a volume with the real material"),
    "report": ("report", "measure the quality of a generator: HTML and JSON report"),
    "models": ("models", "list generators that are ready to use; add your own"),
    "export": ("report", "write the generator of a run with a model card"),
    "directions": ("directions", "find, list and use sliders that change the material"),
    "evaluate": ("evaluate", "test an objective on nine Gaussians"),
    "presets": ("options", "list the presets"),
    "info": ("report", "print facts about a run, a generator or an image"),
}
"""Command -> the module of its action `COMMAND`; help. Flags: `flags`."""
HELP_ALL = "--help-all"
WITH_ALL_SETTINGS = ("train", "gui")
LESS_MEMORY = {
    "generate": "lower --size",
    "sample": "lower --count",
    "measure": "lower --size of a generator, or give a part of the volume",
    "report": "lower --size or --seeds",
    "directions": "lower --size, or fit an earlier --block",
    "export": "choose a smaller generator",
    "info": "crop the image, or save a reduced copy of it",
}
"""What to lower when the memory does not suffice; of others settings of a run."""
LIBRARIES_BYTES = 260 * 10**6
"""Memory of a command with torch and estimates, before its work begins; measured."""
OTHER_LIBRARIES_BYTES = {
    **dict.fromkeys(("directions", "evaluate", "mesh", "sample"), 190 * 10**6),
    **dict.fromkeys(("demo", "report"), 330 * 10**6),
    **dict.fromkeys(("models", "presets"), 0),
}
"""Of commands without an estimate, of those that draw figures, and without torch."""
PLAIN: tuple[Any, ...] = (None, str)
"""Types of options whose values may be any word."""
DISTRIBUTED_COMMANDS = ("train", "resume")
# A launcher kills all processes when one of them exits with a status other than 0.
REPORTED_BY_MAIN = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    try:
        # Also while torch is loaded, which takes seconds.
        with handling(ending_signals(), _interrupt):
            _prepare()
            return _run(sys.argv[1:] if arguments is None else arguments)
    except BrokenPipeError:
        # As in ``slicegan info ... | head``. Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return STOPPED


def _prepare() -> None:
    """Set up the log, threads, memory and streams of the process."""
    end_with_parent()
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.captureWarnings(capture=True)
    let_idle_threads_sleep()
    if (cpus := available_cpus()) < (os.cpu_count() or 1):
        # More threads than a container may run wait for each other.
        os.environ.setdefault("OMP_NUM_THREADS", str(cpus))
    keep_freed_memory()
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        # Consoles of any encoding: signs that they lack must not end a run.
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="replace")


def _run(words: Sequence[str]) -> int:
    """Run a command; returns the exit status."""
    try:
        options = _parser(shows_all=HELP_ALL in words).parse_args(words)
    finally:
        _flush()  # the help
    if not is_main_process():
        logging.getLogger().setLevel(logging.ERROR)
    try:
        if is_launched() and options.command not in DISTRIBUTED_COMMANDS:
            raise AllRanksError(
                f"torchrun supports {' and '.join(DISTRIBUTED_COMMANDS)}, got "
                f"'{options.command}'; start it without torchrun."
            )
        with memory_explained(_out_of_memory(options.command)):
            _check_program_fits(options)
            action = _action(options.command)
            check_outputs(options)
            status = action(options)
        _flush()
        return status
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        if isinstance(error, AllRanksError) and not is_main_process():
            return REPORTED_BY_MAIN
        sys.stderr.write(f"slicegan: {in_words(error)}\n")
        return FAULT


def _check_program_fits(options: argparse.Namespace) -> None:
    """Refuse to load libraries that need more memory than there is.

    Raises
    ------
    ValueError
        Before the system kills this process while they are loaded.
    """
    needed = OTHER_LIBRARIES_BYTES.get(options.command, LIBRARIES_BYTES)
    if options.command == "models" and options.add is not None:
        from napari_slicegan.report.ready_models import is_url

        # A downloaded generator is opened.
        needed = LIBRARIES_BYTES if is_url(options.add) else needed
    free = available_memory()
    if "torch" not in sys.modules and needed > free + available_swap():
        raise ValueError(
            f"Expected at least {bytes_in_words(needed)} of free memory for this "
            f"command, got {bytes_in_words(free)}; close other programs, or give this "
            "one more."
        )


def _action(command: str) -> Callable[[argparse.Namespace], int]:
    """Function of a command.

    Only now loaded, with torch: help and faulty flags do not wait for it.
    """
    module = import_module(f"napari_slicegan.cli.{COMMANDS[command][0]}")
    action: Callable[[argparse.Namespace], int] = getattr(module, command)
    return action


def _out_of_memory(command: str) -> str:
    """The sentence about a command for which the memory does not suffice."""
    if command not in LESS_MEMORY:
        return OUT_OF_MEMORY
    advice = LESS_MEMORY[command]
    return f"The memory does not suffice: {advice}, or close other programs."


def _flush() -> None:
    """Write what is printed, so that a closed pipe shows here, not after the end."""
    # Without a console there is no standard output.
    with contextlib.suppress(AttributeError, ValueError):
        sys.stdout.flush()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class CommandParser(argparse.ArgumentParser):
    """Takes files also behind an option with several values.

    argparse gives such an option all words that follow, as in
    ``train --thresholds 120 sem.png``.

    Attributes
    ----------
    shows_all
        Whether the help shows all settings instead of the common ones.
    """

    shows_all = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # argparse takes -1e-3 for a flag.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """As in argparse, with the words in the order that it needs."""
        words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(self._in_order(words), namespace)

    def _in_order(self, words: list[str]) -> list[str]:
        """Put positional arguments first, in their order, also those behind options.

        Numbers end at the first word that is none. Of an option that takes any words,
        the last ones are taken for positional arguments as long as such are missing.
        """
        positional = [a for a in self._actions if not a.option_strings]
        if any(isinstance(a, argparse._SubParsersAction) for a in positional):  # noqa: SLF001
            return words
        if "--" in words:
            return words
        free: list[str] = []
        options: list[_Option] = []
        for flag, values in _by_flag(words):
            option = _Option(flag, self._option(flag), values, len(free))
            options += [option] if flag else []
            free += option.cut() if flag else values
        missing = sum(a.nargs in (None, "+") for a in positional) - len(free)
        greedy = [option for option in options if option.takes_anything]
        if missing > 0 and greedy:
            last = greedy[-1]
            free[last.place : last.place] = last.values[-missing:]
            del last.values[-missing:]
        return [*free, *(word for o in options for word in (o.flag, *o.values))]

    def _option(self, word: str) -> argparse.Action | None:
        """The option of a word, which may be abbreviated."""
        name = word.partition("=")[0]
        found = {
            id(action): action
            for action in self._actions
            for flag in action.option_strings
            if flag == name or (name.startswith("--") and flag.startswith(name))
        }
        exact = [a for a in found.values() if name in a.option_strings]
        chosen = exact or list(found.values())
        return chosen[0] if len(chosen) == 1 else None


@dataclass
class _Option:
    """A flag, the words behind it, and the number of free words before it."""

    flag: str
    action: argparse.Action | None
    values: list[str]
    place: int

    def cut(self) -> list[str]:
        """Keep the words that the option takes; returns the others."""
        if self.action is None or "=" in self.flag:
            n = 0
        elif self.action.nargs in (None, "?"):
            n = 1
        elif isinstance(self.action.nargs, int):
            n = self.action.nargs
        else:
            taken = itertools.takewhile(partial(_takes, self.action), self.values)
            # For a word that does not fit, argparse reports what it expects.
            n = len(list(taken)) or int(self.action.nargs == "+")
        rest = self.values[n:]
        del self.values[n:]
        return rest

    @property
    def takes_anything(self) -> bool:
        """Whether its last words may as well be files."""
        if self.action is None or self.action.nargs not in ("+", "*"):
            return False
        return self.action.type in PLAIN and len(self.values) > 1


def _by_flag(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each flag with the words up to the next one; those before the first with ""."""
    flag = ""
    values: list[str] = []
    for word in words:
        if _is_flag(word):
            yield flag, values
            flag, values = word, []
        else:
            values.append(word)
    yield flag, values


def _is_flag(word: str) -> bool:
    """Whether a word is an option, not a value: negative numbers are values."""
    return word.startswith("-") and word != "-" and not re.match(r"-[\d.]", word)


def _takes(action: argparse.Action, word: str) -> bool:
    """Whether a word can be a value of the option."""
    if action.type is None or action.type is str:
        return True
    try:
        action.type(word)  # type: ignore[operator]
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        return False
    return True


def _parser(*, shows_all: bool = False) -> CommandParser:
    """Parser of all commands; its help shows the common flags, or all."""
    parser = CommandParser(
        prog="slicegan",
        description="3-D materials from 2-D micrographs (SliceGAN).",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        command.shows_all = shows_all
        getattr(flags, f"add_{name}_flags")(command)
        if name in WITH_ALL_SETTINGS:
            command.add_argument(
                HELP_ALL, action="help", help="show all settings and exit"
            )
    return parser
