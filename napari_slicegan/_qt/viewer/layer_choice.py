"""List from which a layer of the viewer is chosen."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from superqt.utils import signals_blocked

from napari_slicegan._qt.viewer.canvas_view import MADE_HERE
from napari_slicegan._qt.widgets.basics import ChoiceBox

if TYPE_CHECKING:
    from napari.layers import Layer

MADE_BY = "slicegan generator"
"""Metadata key of generated layers: the run or file, its step and its quality."""
TOOLTIP = Qt.ItemDataRole.ToolTipRole
LIST_EVENTS = ("inserted", "removed", "reordered", "renamed")


class LayerChoice(ChoiceBox):
    """Chooses a layer; follows the viewer's list, in its order, until it is released.

    Parameters
    ----------
    viewer
        Not napari's proxy, whose layers never compare equal.
    accepts
        Whether a layer is listed. Layers that only display another one never are.
    prefers
        Rank of a layer: those of the highest are taken until one is chosen.
    prefers_newest
        Take the topmost layer until one is chosen, else the lowest one.
    """

    def __init__(
        self,
        viewer: Any,
        name: str,
        tip: str,
        accepts: Callable[[Layer], bool],
        *,
        prefers: Callable[[Layer], int] = lambda layer: 0,
        prefers_newest: bool = False,
    ) -> None:
        super().__init__()
        self.setObjectName(name)
        self._tip = tip
        self._viewer, self._accepts = viewer, accepts
        self._prefers, self._prefers_newest = prefers, prefers_newest
        self._listed: list[Layer] = []
        self._is_chosen = False
        events = viewer.layers.events
        # Older napari does not report new names.
        self._events = [getattr(events, e) for e in LIST_EVENTS if hasattr(events, e)]
        for event in self._events:
            event.connect(self.list_layers)
        self.list_layers()
        self._show_tip()
        # signals
        self.currentIndexChanged.connect(self._show_tip)
        # By the user.
        self.activated.connect(self._keep)

    def value(self) -> Layer | None:
        """The chosen layer; None if there is none to choose."""
        return self._listed[self.currentIndex()] if self._listed else None

    def set_value(self, layer: Layer) -> None:
        """Choose a layer of the list."""
        for number, listed in enumerate(self._listed):
            if listed is layer:
                self._is_chosen = True
                self.setCurrentIndex(number)

    def choose(self, name: str) -> None:
        """Choose a layer by its name."""
        self._is_chosen = True
        self.setCurrentText(name)

    def _show_tip(self) -> None:
        """Show the whole name in the tooltip; the box may cut it."""
        layer = self.value()
        parts = (self._tip,) if layer is None else (layer.name, self._tip)
        self.setToolTip(f"<qt>{'<br>'.join(map(html.escape, parts))}</qt>")

    def _keep(self) -> None:
        self._is_chosen = True

    def release(self) -> None:
        """Stop following the viewer."""
        for event in self._events:
            event.disconnect(self.list_layers)

    def list_layers(self, event: Any = None) -> None:
        """List the layers of the viewer, and keep the choice or take the default."""
        chosen = self.value()
        self._listed = [
            layer
            for layer in reversed(self._viewer.layers)
            if MADE_HERE not in layer.metadata and self._accepts(layer)
        ]
        numbers = [*range(len(self._listed))]
        ranks = [self._prefers(layer) for layer in self._listed]
        preferred = [n for n in numbers if ranks[n] == max(ranks)]
        default = -1
        if preferred:
            default = preferred[0 if self._prefers_newest else -1]
        kept = [n for n in numbers if self._listed[n] is chosen]
        if not self._is_chosen:
            kept = [n for n in kept if n in preferred and not self._prefers_newest]
        with signals_blocked(self):
            self.clear()
            self.addItems([layer.name for layer in self._listed])
            for number, layer in enumerate(self._listed):
                words = layer.metadata.get(MADE_BY, {}).get("words", "")
                tip = "<br>".join(map(html.escape, filter(None, (layer.name, words))))
                self.setItemData(number, f"<qt>{tip}</qt>", TOOLTIP)
            self.setCurrentIndex(kept[0] if kept else default)
        # Once for all changes.
        self.currentIndexChanged.emit(self.currentIndex())
