"""One layer alone in the canvas; afterwards the viewer is as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

# z, y, x: into the canvas, a bit downwards and to the left; three faces are seen.
DIRECTION, UP = (1.0, 0.55, -0.65), (0.0, -1.0, 0.0)
MARGIN = 0.08


@dataclass(frozen=True)
class FlatView:
    """Where a viewer looks in 2-D."""

    point: tuple[float, ...]
    center: tuple[float, ...]
    zoom: float


class Solo:
    """Hides the other layers and looks at a volume from a corner.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy of it: layers are compared.
    ndisplay
        3 for a volume; 2 for a picture, which is seen from above.
    """

    def __init__(self, viewer: Viewer, ndisplay: int = 3) -> None:
        self._viewer = viewer
        self._ndisplay = ndisplay
        self._hidden: list[Layer] = []
        self._flat: FlatView | None = None

    def begin(self, layer: Layer) -> None:
        """Show one layer, as large as the canvas allows."""
        viewer = self._viewer
        for other in viewer.layers:
            if other is not layer and other.visible:
                other.visible = False
                self._hidden.append(other)
        camera = camera_of(viewer)
        if viewer.dims.ndisplay != 3:
            self._flat = FlatView(viewer.dims.point, camera.center, camera.zoom)
        if viewer.dims.ndisplay != self._ndisplay:
            viewer.dims.ndisplay = self._ndisplay
            if self._ndisplay == 3:
                camera.set_view_direction(DIRECTION, UP)
        try:
            viewer.fit_to_view(layers=[layer], margin=MARGIN)
        except (AttributeError, TypeError, IndexError):
            # Older versions of napari fit all layers, hidden ones too; and none fits a
            # picture among volumes.
            viewer.reset_view(reset_camera_angle=False)

    def end(self) -> None:
        """Show what was hidden, and go back to 2-D if that was left."""
        viewer, flat = self._viewer, self._flat
        hidden, self._hidden, self._flat = self._hidden, [], None
        if flat is not None and viewer.dims.ndisplay == self._ndisplay:
            # First: in 3-D a large image would have to be made smaller.
            viewer.dims.ndisplay = 2
            camera = camera_of(viewer)
            camera.center, camera.zoom = flat.center, flat.zoom
            if len(flat.point) == viewer.dims.ndim:
                viewer.dims.set_point(range(viewer.dims.ndim), flat.point)
        for layer in hidden:
            if any(layer is other for other in viewer.layers):
                layer.visible = True


def camera_of(viewer: Viewer) -> Any:
    """The camera, which the scene holds from napari 0.9 on."""
    return getattr(viewer, "scene", viewer).camera
