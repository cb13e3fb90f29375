"""Menus of recent runs, of ready models and of samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from qtpy.QtWidgets import QMenu

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

Choice = TypeVar("Choice")
MOST_RUNS = 6
OTHER = "Other folder..."


def recent_runs(root: Path) -> list[tuple[Path, int]]:
    """Run folders in a folder and their last saved steps, the newest first."""
    newest: dict[Path, tuple[float, int]] = {}
    for path in root.glob("*/checkpoint-*.pt"):
        digits = path.stem.rpartition("-")[2]
        try:
            saved = path.stat().st_mtime, int(digits)
        except (OSError, ValueError):
            continue  # removed since, or of another program
        newest[path.parent] = max(saved, newest.get(path.parent, saved))
    ordered = sorted(newest, key=lambda run: newest[run], reverse=True)
    return [(run, newest[run][1]) for run in ordered[:MOST_RUNS]]


def offer_runs(
    beside: QWidget,
    root: Path | None,
    chosen: Callable[[Path], Any],
    browse: Callable[[], Any],
) -> QMenu | None:
    """Offer the recent runs below a button; without any, open the dialog at once.

    Parameters
    ----------
    root
        Folder of the runs; None if it is not known.
    chosen
        Gets the run that is chosen.
    browse
        Opens a dialog for another folder.
    """
    runs = [] if root is None else recent_runs(root)
    if not runs:
        browse()
        return None
    menu = offer(
        beside, {f"{run.name}, step {step:,}": run for run, step in runs}, chosen
    )
    menu.addSeparator()
    menu.addAction(OTHER).triggered.connect(lambda checked: browse())
    return menu


def offer(
    beside: QWidget, choices: Mapping[str, Choice], chosen: Callable[[Choice], Any]
) -> QMenu:
    """Open a menu below a widget.

    Parameters
    ----------
    choices
        By the text of their entries.
    chosen
        Gets the choice.
    """
    menu = QMenu(beside)
    for text, choice in choices.items():
        # An ampersand would mark a key.
        menu.addAction(text.replace("&", "&&")).triggered.connect(
            lambda checked, choice=choice: chosen(choice)
        )
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(beside.mapToGlobal(beside.rect().bottomLeft()))
    return menu
