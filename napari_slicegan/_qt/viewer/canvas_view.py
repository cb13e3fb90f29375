"""A volume in the 3-D canvas: as three planes, as a surface, or whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan._qt.viewer.layer_picture import block_of_phases
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

    from napari_slicegan._qt.viewer.layer_picture import LayerPicture

GRID = ("scale", "translate", "rotate", "shear", "affine", "units")
BLOCK = "Whole volume"
MADE_HERE = "slicegan view"
"""Key of the metadata of layers that only show another one."""


class CanvasView:
    """Layers that show a volume; the layer of the volume itself is hidden meanwhile.

    Parameters
    ----------
    source
        Layer of the volume.
    picture
        Its numbers and colours.
    moved
        Called with the new place (z, y, x) when a plane is dragged in the canvas.
    """

    def __init__(
        self,
        viewer: Viewer,
        source: Layer,
        picture: LayerPicture,
        moved: Callable[[tuple[int, int, int]], Any],
    ) -> None:
        self._viewer, self._source, self._picture = viewer, source, picture
        self._moved = moved
        self._is_moving = False
        self._was_visible = bool(source.visible)
        self._surface: Layer | None = None
        self._block: Layer | None = None
        self._options: dict[str, Any] = {
            "metadata": {MADE_HERE: True},
            **{name: getattr(source, name) for name in GRID},
        }
        self._planes = [self._plane(number) for number in range(3)]
        self._keep_active()

    def layers(self) -> list[Layer]:
        """Layers that this view made and that are still there."""
        made = (*self._planes, self._surface, self._block)
        return [layer for layer in made if layer is not None and self._has(layer)]

    def move(self, position: Sequence[int]) -> None:
        """Move the planes to a voxel (z, y, x)."""
        self._is_moving = True
        for plane in self._planes:
            plane.plane.position = tuple(float(place) for place in position)
        self._is_moving = False

    def renew(self, picture: LayerPicture) -> None:
        """Show other values of the same volume; a surface is to be shown again."""
        self._picture = picture
        for plane in self._planes:
            plane.data = picture.values
        if self._block is not None:
            self._block.data = picture.values

    def show_planes(self) -> None:
        """Three planes alone."""
        self._show(*self._planes)

    def show_surface(self, phase: int | None = None) -> None:
        """Surface of a phase by its label; of gray values, half-way."""
        if self._surface is not None and self._has(self._surface):
            self._viewer.layers.remove(self._surface)
        self._surface = self._make_surface(phase)
        self._keep_active()
        self._show(self._surface)

    def show_whole(self) -> None:
        """All voxels. The layer itself, unless napari would leave a phase out."""
        if self._picture.is_block and self._block is None:
            self._block = self._make_block()
            self._keep_active()
        self._show(self._source if self._block is None else self._block)

    def remove(self) -> None:
        """Take away what was made and show the layer as it was."""
        for layer in self.layers():
            self._viewer.layers.remove(layer)
        self._source.visible = self._was_visible

    def _has(self, layer: Layer) -> bool:
        return any(other is layer for other in self._viewer.layers)

    def _keep_active(self) -> None:
        """The tools stay those of the volume's own layer."""
        self._viewer.layers.selection.active = self._source

    def _show(self, *shown: Layer) -> None:
        for layer in (*self.layers(), self._source):
            layer.visible = any(layer is other for other in shown)

    def _plane(self, number: int) -> Image:
        """One plane; all three share the numbers of the picture."""
        picture = self._picture
        low, high = picture.limits
        # A value at the lower limit is drawn as a hole.
        lowest = min(low, picture.lowest) - (high - low) / 255 - 1e-9
        options: dict[str, Any] = {
            "colormap": "gray",
            "contrast_limits": (lowest, high),
            "blending": "translucent",
            "interpolation3d": "nearest",
        }
        if picture.colours is not None:
            options = _colour_options(picture)
        place = [(n - 1) / 2 for n in picture.shape]
        layer = self._viewer.add_image(
            picture.values,
            name=f"Plane along {AXES[number]}",
            rgb=False,
            depiction="plane",
            plane={"position": place, "normal": np.eye(3)[number], "thickness": 1},
            **options,
            **self._options,
        )
        if number == 0:
            layer.bounding_box.visible = True
            layer.bounding_box.points = False
            layer.bounding_box.line_color = "gray"
        layer.plane.events.position.connect(lambda event=None: self._dragged(number))
        return layer

    def _dragged(self, number: int) -> None:
        """Tell where a plane was dragged to."""
        if self._is_moving or not all(self._has(plane) for plane in self._planes):
            return
        places = [self._planes[i].plane.position[i] for i in range(3)]
        limits = np.asarray(self._picture.shape) - 1
        z, y, x = np.clip(np.rint(places), 0, limits).astype(int)
        self._moved((int(z), int(y), int(x)))

    def _make_block(self) -> Image:
        return self._viewer.add_image(
            self._picture.values,
            name=BLOCK,
            rgb=False,
            **_colour_options(self._picture),
            **self._options,
        )

    def _make_surface(self, phase: int | None) -> Layer:
        picture = self._picture
        if picture.colours is None or picture.rgb is not None:
            low, high = picture.limits
            return self._viewer.add_image(
                picture.brightness,
                name="Surface",
                rgb=False,
                rendering="iso",
                iso_threshold=(low + high) / 2,
                contrast_limits=(low, high),
                **self._options,
            )
        if phase is None:
            numbers = range(1, len(picture.colours))
            colours = {number: picture.colours[number] for number in numbers}
            return self._add_labels(picture.values, colours, "Surface")
        number = picture.labels.index(phase)
        inside = (picture.values == number).view(np.uint8)
        name = f"Surface of phase {phase}"
        return self._add_labels(inside, {1: picture.colours[number]}, name)

    def _add_labels(self, values: Any, colours: dict[int, Any], name: str) -> Labels:
        from napari.utils import DirectLabelColormap

        shown: dict[int | None, Any] = {None: "transparent"}
        shown |= dict(colours.items())
        return self._viewer.add_labels(
            values,
            name=name,
            colormap=DirectLabelColormap(color_dict=shown),
            opacity=1,
            rendering="iso_categorical",
            **self._options,
        )


def _colour_options(picture: LayerPicture) -> dict[str, Any]:
    colours = picture.colours
    return {} if colours is None else block_of_phases(range(len(colours)), [*colours])
