"""A volume in the 3-D canvas: as three planes, as a surface, or whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan._qt.viewer.layer_picture import block_of_phases, label_options
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

    from napari_slicegan._qt.viewer.layer_picture import LayerPicture

# (z, y, x): into the canvas, slightly down and to the left, so three faces show.
DIRECTION, UP = (1.0, 0.55, -0.65), (0.0, -1.0, 0.0)
MARGIN = 0.08
LIVE = "slicegan live"
"""Metadata key of the preview of a run that trains: other layers stand beside it."""
# Distance of a live preview from what it stands beside, in its own widths: a picture,
# and a volume, which covers 1.4 widths as seen from the corner.
GAP, DEEP_GAP = 0.1, 0.75


@dataclass(frozen=True)
class FlatView:
    """Position and zoom of a viewer in 2-D."""

    point: tuple[float, ...]
    center: tuple[float, ...]
    zoom: float


class Solo:
    """Hides the other layers and looks at a volume from a corner.

    Parameters
    ----------
    viewer
        The viewer, not a proxy: layers are compared.
    ndisplay
        3 for a volume; 2 for a picture, which is seen from above.
    """

    def __init__(self, viewer: Viewer, ndisplay: int = 3) -> None:
        self._viewer = viewer
        self._ndisplay = ndisplay
        self._hidden: list[Layer] = []
        self._live: list[Layer] = []
        self._flat: FlatView | None = None
        self._is_entered = False

    def begin(self, layer: Layer) -> None:
        """Show one layer, and a live preview, as large as the canvas allows."""
        self.clear(layer)
        self.fit(layer)

    def clear(self, layer: Layer | None = None) -> None:
        """Hide all but a layer and a live preview.

        Done before a volume is added, this draws it once: in 2-D it would get a slider,
        which changes the size of the canvas.
        """
        viewer = self._viewer
        is_live = layer is not None and LIVE in layer.metadata
        self._live = [] if is_live else make_room(viewer)
        for other in viewer.layers:
            if other is not layer and other not in self._live and other.visible:
                other.visible = False
                self._hidden.append(other)
        camera = camera_of(viewer)
        if viewer.dims.ndisplay != 3:
            self._flat = FlatView(viewer.dims.point, camera.center, camera.zoom)
        if viewer.dims.ndisplay != self._ndisplay:
            viewer.dims.ndisplay = self._ndisplay
            self._is_entered = self._ndisplay == 3

    def fit(self, layer: Layer) -> None:
        """Show the layer as large as the canvas allows."""
        if self._is_entered:
            # Not before the layer was added: napari turns to the first one of a viewer.
            self._is_entered = False
            camera_of(self._viewer).set_view_direction(DIRECTION, UP)
        fit_to(self._viewer, layer, *self._live)

    def end(self) -> None:
        """Show the hidden layers and return to 2-D if it was left."""
        viewer, flat = self._viewer, self._flat
        hidden, self._hidden, self._flat = self._hidden, [], None
        if flat is not None and viewer.dims.ndisplay == self._ndisplay:
            # Leave 3-D first, where napari would downsample a large image.
            viewer.dims.ndisplay = 2
            camera = camera_of(viewer)
            camera.center, camera.zoom = flat.center, flat.zoom
            if len(flat.point) == viewer.dims.ndim:
                viewer.dims.set_point(range(viewer.dims.ndim), flat.point)
        for layer in hidden:
            if any(layer is other for other in viewer.layers):
                layer.visible = True


def make_room(viewer: Viewer) -> list[Layer]:
    """Move live previews beside the origin, where other layers stand; return them."""
    live = [layer for layer in viewer.layers if LIVE in layer.metadata]
    for layer in live:
        width = layer.data.shape[layer.ndim - 1] * layer.scale[-1]
        gap = GAP if layer.ndim == 2 else DEEP_GAP
        layer.translate = (*layer.translate[:-1], -(1 + gap) * width)
        layer.visible = True
    return live


def fit_to(viewer: Viewer, *layers: Layer) -> None:
    """Show layers as large as the canvas allows, from the same side."""
    try:
        viewer.fit_to_view(layers=[*layers], margin=MARGIN)
    except (AttributeError, TypeError, IndexError):
        # Older napari fits all layers, including hidden ones; no version fits a 2-D
        # picture among volumes.
        viewer.reset_view(reset_camera_angle=False)


def camera_of(viewer: Viewer) -> Any:
    """The camera, which the scene holds from napari 0.9 on."""
    return getattr(viewer, "scene", viewer).camera


GRID = ("scale", "translate", "rotate", "shear", "affine", "units")
BLOCK = "Whole volume"
MADE_HERE = "slicegan view"
"""Metadata key of layers that only display another layer."""


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
            "axis_labels": AXES,
            **{name: getattr(source, name) for name in GRID},
        }
        # Signals of the planes and what they call.
        self._followed: list[tuple[Any, Callable[..., None]]] = []
        self._planes = [self._plane(number) for number in range(3)]
        self._keep_active()

    def layers(self) -> list[Layer]:
        """Layers of this view that still exist."""
        made = (*self._planes, self._surface, self._block)
        return [layer for layer in made if layer is not None and self._has(layer)]

    def move(self, position: Sequence[int]) -> None:
        """Move the planes to a voxel (z, y, x)."""
        self._is_moving = True
        for plane in self._planes:
            plane.plane.position = tuple(float(place) for place in position)
        self._is_moving = False

    def update(self, picture: LayerPicture) -> None:
        """Show new values of the same volume; a surface must be shown again."""
        before, self._picture = self._picture, picture
        for plane in self._planes:
            if picture.colours is None and picture.limits != before.limits:
                plane.contrast_limits = limits_of_planes(picture)
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
        """Show all voxels: the source layer, unless napari would hide a phase."""
        if self._picture.is_block and self._block is None:
            self._block = self._make_block()
            self._keep_active()
        self._show(self._source if self._block is None else self._block)

    def release(self) -> None:
        """Follow the planes no more: they would keep this view, and it its layers."""
        for signal, moved in self._followed:
            signal.disconnect(moved)
        self._followed = []

    def remove(self) -> None:
        """Remove the layers of this view and restore the source layer."""
        self.release()
        for layer in self.layers():
            self._viewer.layers.remove(layer)
        self._source.visible = self._was_visible

    def _has(self, layer: Layer) -> bool:
        return any(other is layer for other in self._viewer.layers)

    def _keep_active(self) -> None:
        """Keep the source layer selected."""
        self._viewer.layers.selection.active = self._source

    def _show(self, *shown: Layer) -> None:
        for layer in (*self.layers(), self._source):
            layer.visible = any(layer is other for other in shown)

    def _plane(self, number: int) -> Image:
        """One plane; all three share the numbers of the picture."""
        picture = self._picture
        options: dict[str, Any] = {
            "colormap": "gray",
            "contrast_limits": limits_of_planes(picture),
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

        def moved(event: Any = None) -> None:
            self._dragged(number)

        layer.plane.events.position.connect(moved)
        self._followed.append((layer.plane.events.position, moved))
        return layer

    def _dragged(self, number: int) -> None:
        """Report the new position of a dragged plane."""
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
        options = label_options(colours) | self._options
        return self._viewer.add_labels(values, name=name, **options)


def limits_of_planes(picture: LayerPicture) -> tuple[float, float]:
    """Contrast limits of planes of gray values: one at the lower limit is a hole."""
    low, high = picture.limits
    return min(low, picture.lowest) - (high - low) / 255 - 1e-9, high


def _colour_options(picture: LayerPicture) -> dict[str, Any]:
    colours = picture.colours
    return {} if colours is None else block_of_phases(range(len(colours)), [*colours])
