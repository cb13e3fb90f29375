"""The only file that adds layers to the viewer or changes them. Main thread only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan._qt.colours import phase_colours
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_slicegan._qt.layer_picture import LayerPicture
    from napari_slicegan.config import Kind, MicrographSettings
    from napari_slicegan.micrograph import Micrograph
    from napari_slicegan.volume import Volume

PHASES = "Phases"
PREVIEW = "Preview"
OVERLAY = 0.5
ANGLES = (5.0, 30.0, 55.0)
# A cube seen from a corner is wider than seen from a face.
DIAGONAL = 2.1


def add_micrograph(viewer: Viewer, micrograph: Micrograph) -> Layer:
    """Add an image: phases as labels in their colours, other kinds as they are."""
    labels = micrograph.labels if micrograph.kind == "phases" else ()
    grid = _grid(micrograph.pixel_size_nm, 3 if micrograph.is_volume else 2)
    name, kind = micrograph.name, micrograph.kind
    return _add(viewer, micrograph.values, kind, labels, name=name, **grid)


def show_segmentation(
    viewer: Viewer, micrographs: Sequence[Micrograph], settings: MicrographSettings
) -> None:
    """Lay phases over the images they were made of, in place of older ones.

    Parameters
    ----------
    micrographs
        Phases; none to take them away.
    settings
        How they were made: where the crop begins, and the scale.
    """
    wanted = {f"{PHASES} of {each.name}": each for each in micrographs}
    for layer in [*viewer.layers]:
        if layer.metadata.get(PHASES) and layer.name not in wanted:
            viewer.layers.remove(layer)
    for name, each in wanted.items():
        if name in viewer.layers:
            viewer.layers.remove(name)
        active = viewer.layers.selection.active
        layer = _add(
            viewer,
            each.values,
            each.kind,
            each.labels,
            name=name,
            metadata={PHASES: True},
            **_place(each, settings),
        )
        layer.opacity = OVERLAY
        # The image stays the one that buttons and tools are about.
        if active is not None:
            viewer.layers.selection.active = active


def add_or_update_preview(viewer: Viewer, volume: Volume) -> Layer:
    """Show how a run stands: one layer, whose voxels are replaced."""
    if PREVIEW in viewer.layers:
        layer = viewer.layers[PREVIEW]
        if layer.data.shape == volume.values.shape:
            layer.data = volume.values
            return layer
        viewer.layers.remove(layer)
    for other in viewer.layers:
        other.visible = False
    layer = add_volume(viewer, volume, PREVIEW)
    _turn_to_3d(viewer)
    return layer


def add_volume(viewer: Viewer, volume: Volume, name: str = "Volume") -> Layer:
    """Add a volume with its phase values, colours and scale."""
    grid = _grid(volume.voxel_size_nm, 3)
    return _add(viewer, volume.values, volume.kind, volume.labels, name=name, **grid)


def _add(
    viewer: Viewer,
    values: NDArray[Any],
    kind: Kind,
    labels: Sequence[int],
    **options: Any,
) -> Image | Labels:
    if kind != "phases":
        return viewer.add_image(values, rgb=kind == "colour", **options)
    from napari.utils import DirectLabelColormap

    colours: dict[int | None, Any] = {None: "transparent"}
    colours |= dict(phase_colours(labels).items())
    return viewer.add_labels(
        values,
        colormap=DirectLabelColormap(color_dict=colours),
        opacity=1,
        rendering="iso_categorical",
        **options,
    )


def _grid(edge_nm: float | None, ndim: int) -> dict[str, Any]:
    """Scale and unit of a layer."""
    if edge_nm is None:
        return {}
    return {"scale": np.full(ndim, edge_nm), "units": ("nm",) * ndim}


def _turn_to_3d(viewer: Viewer) -> None:
    """Look at all of it from a corner."""
    if viewer.dims.ndisplay != 3:
        viewer.dims.ndisplay = 3
        viewer.reset_view()
        # The scene holds the camera from napari 0.9 on.
        camera = getattr(viewer, "scene", viewer).camera
        camera.angles = ANGLES
        camera.zoom /= DIAGONAL


def _place(micrograph: Micrograph, settings: MicrographSettings) -> dict[str, Any]:
    """Grid of a cropped and rescaled image on top of the image it came from."""
    ndim = 3 if micrograph.is_volume else 2
    step = micrograph.pixel_size_nm or 1 / settings.rescale
    edge = step * settings.rescale
    begin = np.zeros(ndim)
    if settings.crop is not None:
        begin[-2:] = settings.crop[0], settings.crop[2]
    # The first pixels touch the same corner; their centres differ.
    origin = begin * edge + (step - edge) / 2
    grid: dict[str, Any] = {"scale": np.full(ndim, step), "translate": origin}
    if micrograph.pixel_size_nm is not None:
        grid["units"] = ("nm",) * ndim
    return grid


class CanvasView:
    """A volume in the 3-D canvas: as three planes, as a surface, or whole.

    Parameters
    ----------
    source
        Layer of the volume; it is hidden while planes or a surface are shown.
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
        self._surface: Layer | None = None
        self._grid = {
            name: getattr(source, name)
            for name in ("scale", "translate", "rotate", "shear", "units")
        }
        self._planes = [self._plane(number) for number in range(3)]
        viewer.layers.selection.active = source
        _turn_to_3d(viewer)

    def layers(self) -> list[Layer]:
        """Layers that this view made and that are still there."""
        return [x for x in (*self._planes, self._surface) if x and self._has(x)]

    def move(self, position: Sequence[int]) -> None:
        """Move the planes to a voxel (z, y, x)."""
        self._is_moving = True
        for plane in self._planes:
            plane.plane.position = tuple(float(place) for place in position)
        self._is_moving = False

    def show_planes(self) -> None:
        """Three planes alone."""
        self._show(planes=True)

    def show_surface(self, phase: int | None = None) -> None:
        """Surface of a phase by its label; of gray values, half-way."""
        if self._surface is not None and self._has(self._surface):
            self._viewer.layers.remove(self._surface)
        self._surface = self._make_surface(phase)
        self._viewer.layers.selection.active = self._source
        self._show(surface=True)

    def show_whole(self) -> None:
        """The layer itself."""
        self._show(whole=True)

    def remove(self) -> None:
        """Take the planes and the surface away and show the layer again."""
        for layer in self.layers():
            self._viewer.layers.remove(layer)
        self._source.visible = True

    def _has(self, layer: Layer) -> bool:
        return any(other is layer for other in self._viewer.layers)

    def _show(
        self, *, planes: bool = False, surface: bool = False, whole: bool = False
    ) -> None:
        for plane in self._planes:
            plane.visible = planes
        if self._surface is not None:
            self._surface.visible = surface
        self._source.visible = whole

    def _plane(self, number: int) -> Image:
        """One plane; all three share the numbers of the picture."""
        from napari.utils import Colormap

        picture = self._picture
        low, high = picture.limits
        options: dict[str, Any] = {"colormap": "gray"}
        # A value at the lower limit is drawn as a hole.
        limits = (
            min(low, float(picture.values.min())) - (high - low) / 255 - 1e-9,
            high,
        )
        if picture.colours is not None:
            count = len(picture.colours)
            steps = [0, *(np.arange(count) + 0.5) / count, 1]
            colours = np.vstack([picture.colours[:1], picture.colours])
            options["colormap"] = Colormap(
                colours, controls=steps, interpolation="zero", name="phases"
            )
            limits = (-1, count - 1)
        place = [(n - 1) / 2 for n in picture.shape]
        layer = self._viewer.add_image(
            picture.values,
            name=f"Plane along {AXES[number]}",
            rgb=False,
            depiction="plane",
            plane={"position": place, "normal": np.eye(3)[number], "thickness": 1},
            blending="translucent",
            contrast_limits=limits,
            interpolation3d="nearest",
            **options,
            **self._grid,
        )
        layer.plane.events.position.connect(lambda event=None: self._dragged(number))
        return layer

    def _dragged(self, number: int) -> None:
        """Tell where a plane was dragged to."""
        if self._is_moving or len(self.layers()) < 3:
            return
        places = [self._planes[i].plane.position[i] for i in range(3)]
        limits = np.asarray(self._picture.shape) - 1
        z, y, x = np.clip(np.rint(places), 0, limits).astype(int)
        self._moved((int(z), int(y), int(x)))

    def _make_surface(self, phase: int | None) -> Layer:
        from napari.utils import DirectLabelColormap

        picture = self._picture
        if picture.colours is None or phase is None:
            low, high = picture.limits
            return self._viewer.add_image(
                picture.values,
                name="Surface",
                rgb=False,
                rendering="iso",
                iso_threshold=(low + high) / 2,
                contrast_limits=(low, high),
                **self._grid,
            )
        number = picture.labels.index(phase)
        return self._viewer.add_labels(
            (picture.values == number).astype(np.uint8),
            name=f"Surface of phase {phase}",
            colormap=DirectLabelColormap(
                color_dict={1: picture.colours[number], None: "transparent"}
            ),
            opacity=1,
            rendering="iso_categorical",
            **self._grid,
        )
