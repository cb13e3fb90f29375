"""The Micrograph panel: images, pixel size and segmentation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QGroupBox, QRadioButton, QVBoxLayout, QWidget

from napari_slicegan._qt.micrograph.controls import SegmentationControls
from napari_slicegan._qt.micrograph.image_facts import ImageFacts
from napari_slicegan._qt.micrograph.image_source import (
    Outcome,
    PreparedImages,
    ReadFile,
    attempt,
    learn,
    prepare_images,
    read_files,
)
from napari_slicegan._qt.micrograph.view_slots import MODEL, ViewSlots
from napari_slicegan._qt.viewer import layer_inputs, layers
from napari_slicegan._qt.viewer.layer_picture import Colour, layer_colours
from napari_slicegan._qt.widgets.basics import (
    DropTarget,
    MessageLine,
    button,
    content_above,
)
from napari_slicegan._qt.widgets.run_menu import offer
from napari_slicegan._qt.worker import ImageWorker
from napari_slicegan.config import ArchitectureSettings, Axis, MicrographSettings
from napari_slicegan.config.images import OF_ONE_FILE
from napari_slicegan.sample_data import image_samples
from napari_slicegan.sample_data import path as sample_path

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QMenu

    from napari_slicegan._qt.viewer.layer_inputs import Crop
    from napari_slicegan.data.image_files import SourceImage
    from napari_slicegan.data.micrograph import Micrograph
    from napari_slicegan.data.training_images import TrainingImages

EDITS = ("data", "paint", "labels_update")
"""Events of a layer whose pixels have changed."""
MOST_PAINTED = 2**27
"""Pixels of the largest image to paint strokes on."""
STROKES = (
    "Press 'Paint strokes' and mark some of each phase with a label of its own, or "
    "enter the file of a classifier."
)
# Topics of the work in threads; that of reading ends with the axis of the slot.
PREPARE, LEARN, READ = "prepare", "learn", "read "
RAW = (".raw", ".bin", ".dat", ".vol")
OF_SETS = (".csv", ".wav")
SETS = (
    " A set of images, as a folder, a table or sounds, is entered as 'Images' in the "
    "Train tab, with a preset that makes images."
)
# A classifier is fitted when the strokes have been unchanged for this long.
LEARN_MS = 500
# Preparations at a time: an outdated one still holds an image and a core.
MOST_AT_ONCE = 2
# Work that takes longer is shown.
PATIENCE_MS = 400
# Images are prepared when the settings have been unchanged for this long.
REST_MS = 200


class MicrographPanel(DropTarget, QWidget):
    """Turns layers and files into training images and segments them.

    Images are prepared in a worker thread; only the newest request counts.
    """

    images_changed = Signal(object, object)
    """The TrainingImages, or None without usable ones, and the MicrographSettings."""
    images_pending = Signal()
    """The images passed on last are outdated; `images_changed` follows."""
    failed = Signal(str)
    train_requested = Signal()
    """The images are as they should be; the user wants to train on them."""
    model_requested = Signal()
    """The user wants to generate without training."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self._viewer = viewer
        self._patch_size: int = ArchitectureSettings().patch_size
        self._numbers: dict[str, int] = {}
        self._workers: dict[str, ImageWorker] = {}
        # Outdated preparations whose threads still run.
        self._outdated: list[ImageWorker] = []
        self._replaced: dict[Axis, tuple[Layer, ...]] = {}
        self._may_be_raw = self._may_be_set = False
        # Settings were set for files that are yet to be read.
        self._is_set = False
        self._prepared: PreparedImages | None = None
        # Names of the images that the crop was set for.
        self._cropped: frozenset[str] = frozenset()
        self._followed: list[Layer] = []
        # children
        self.isotropic = QRadioButton("Isotropic: one image serves all directions")
        self.isotropic.setObjectName("isotropic")
        self.isotropic.setChecked(True)
        self.anisotropic = QRadioButton("Anisotropic: an image for each direction")
        self.anisotropic.setObjectName("anisotropic")
        self.slots = ViewSlots()
        self.message = MessageLine("micrograph_message")
        self.next = button("to_train", "Next: Train", "Open the Train tab.")
        self.facts = ImageFacts()
        self.controls = SegmentationControls()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._learning = QTimer(self)
        self._learning.setSingleShot(True)
        self._learning.setInterval(LEARN_MS)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._strokes: tuple[SourceImage, NDArray[Any]] | None = None
        # layout
        self._lay_out()
        # signals
        self.anisotropic.toggled.connect(self.slots.set_anisotropic)
        self.slots.layer_requested.connect(self.use_selected_layers)
        self.slots.files_requested.connect(self.open_files)
        self.slots.link_activated.connect(self._follow_link)
        self.slots.changed.connect(self._slots_changed)
        self.slots.changed.connect(self._changed)
        self.facts.crop_accepted.connect(self.controls.set_crop)
        self.facts.rescale_accepted.connect(self.controls.set_rescale)
        self.controls.reading_changed.connect(self._read_again)
        self.facts.pixel_size_changed.connect(self._changed)
        self.controls.value_changed.connect(self._update_crop)
        self.controls.value_changed.connect(self._changed)
        self.controls.preview_toggled.connect(self._show_phases)
        self.controls.crop_requested.connect(self._draw_crop)
        self.controls.strokes_requested.connect(self._draw_strokes)
        self.next.clicked.connect(lambda checked: self.train_requested.emit())
        self._learning.timeout.connect(self._learn)
        self._rest.timeout.connect(self._prepare)
        self.controls.set_has_image(False)
        self.next.setEnabled(False)
        self._patience.timeout.connect(self._show_busy)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._show_layers)
        viewer.dims.events.point.connect(self._on_moved)
        self._use_open_image()
        self._show_layers()

    def _lay_out(self) -> None:
        # The message is pinned: where it stood, it would move the buttons below.
        layout = content_above(self, self.message, self.next)
        layout.setContentsMargins(4, 4, 4, 4)
        for title, widgets in (
            ("Material", (self.isotropic, self.anisotropic, self.slots)),
            ("Image", (self.facts,)),
            ("Phases", (self.controls,)),
        ):
            layout.addWidget(_group(title, widgets))
        layout.addStretch()

    def value(self) -> MicrographSettings:
        """The settings as entered.

        Raises
        ------
        ValueError
            If an input is not allowed.
        """
        typed = {"pixel_size_nm": self.facts.pixel_size.value()}
        return self.controls.value().model_copy(update=typed)

    def set_value(self, settings: MicrographSettings, *, must_fit: bool = True) -> None:
        """Show settings and prepare the images with them.

        Parameters
        ----------
        must_fit
            Whether the next files must fit them: their channel, dataset and raw shape
            are not choices made for former files.
        """
        self._is_set = must_fit
        self._cropped = frozenset()
        self.controls.set_value(settings)
        self.facts.pixel_size.set_value(settings.pixel_size_nm)
        self._changed()

    def images(self) -> TrainingImages | None:
        """The prepared images; None if there are none."""
        return None if self._prepared is None else self._prepared.images

    def set_patch_size(self, patch_size: int) -> None:
        """Check the images against another patch size."""
        if patch_size != self._patch_size:
            self._patch_size = patch_size
            self._changed()

    def use_selected_layers(self, axis: Axis = "z") -> None:
        """Put the selected Image and Labels layers into a slot."""
        try:
            self.slots.put(axis, layer_inputs.selected_sources(self._viewer))
        except ValueError as error:
            self._show_failure(str(error))

    def open_files(self, axis: Axis, paths: Sequence[Path]) -> None:
        """Read files in a thread, add them as layers and put them into a slot."""
        self._read_files(axis, paths, not self._is_set)

    def _read_files(
        self,
        axis: Axis,
        paths: Sequence[Path],
        may_drop: bool,
        replaced: Sequence[Layer] = (),
    ) -> None:
        """Read files in a thread.

        Parameters
        ----------
        may_drop
            See `read_files`.
        replaced
            Layers that are removed when the files have been read.
        """
        settings = self._entered()
        if settings is None:
            return
        self._replaced[axis] = tuple(replaced)
        self._may_be_raw = any(path.suffix.lower() in RAW for path in paths)
        self._may_be_set = any(
            path.suffix.lower() in OF_SETS or path.is_dir() for path in paths
        )
        self.message.clear()
        self._invalidate()
        self.slots.begin_reading(axis, [path.name for path in paths])
        # Images of other directions may need what does not fit this one.
        optional = OF_ONE_FILE if self.anisotropic.isChecked() else ()
        self._run(READ + axis, read_files, tuple(paths), settings, may_drop, optional)

    def _on_read(self, axis: Axis, outcome: Outcome) -> None:
        """Show what was read; the slot may have other images by now."""
        if not self.slots.is_reading(axis):
            return
        if outcome.fault:
            self.slots.cancel_reading(axis)
            self._rest.start()
            self._show_failure(outcome.fault + (SETS if self._may_be_set else ""))
            if self._may_be_raw:
                self.controls.offer_raw()
            return
        for layer in self._replaced.pop(axis, ()):
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        found: tuple[ReadFile, ...]
        found, settings = outcome.result
        self._is_set = False
        if not self.anisotropic.isChecked():
            self.controls.show_read(settings)
        self.slots.put(
            axis,
            [
                replace(
                    each.source,
                    origin=layers.add_source(self._viewer, each.source, each.labels),
                )
                for each in found
            ],
        )

    def take_files(self, paths: list[Path]) -> None:
        """Open files in the slots given by their names, or in the first free ones.

        Files of an isotropic material belong together.
        """
        if not self.anisotropic.isChecked():
            self.open_files("z", paths)
            return
        for path in paths:
            self.open_files(self.slots.axis_for(path.name) or "z", [path])

    def _on_inserted(self, event: Event) -> None:
        """Use an image that was opened in napari if a slot is free."""
        layer = event.value
        self._show_layers()
        axis = self.slots.axis_for(layer.name)
        if layer_inputs.is_new_micrograph(layer):
            if axis is not None:
                self.slots.put(axis, [layer_inputs.shown_source(self._viewer, layer)])
            else:
                self.message.show_text(
                    f"{layer.name} is not used: there is an image already. Press "
                    "'From layer' to use the selected layers."
                )
        elif axis is not None and layer_inputs.is_opened_stack(layer):
            self.message.show_text(
                f"{layer.name} has more than two axes. Press 'From layer' to train on "
                "its slices, or on the channel or time that the viewer shows."
            )

    def _show_layers(self, event: Event | None = None) -> None:
        """There must be an image to take from the viewer."""
        self.slots.set_has_layers(any(map(layer_inputs.is_image, self._viewer.layers)))

    def _follow_link(self, link: str) -> None:
        if link == MODEL:
            self.model_requested.emit()
        else:
            self.offer_samples()

    def offer_samples(self) -> QMenu:
        """Open the menu of the images of the package."""
        choices = {
            f"{title}, three views" if len(names) > 1 else title: names
            for title, names in image_samples().items()
        }
        return offer(self.slots.single, choices, self._open_sample)

    def _open_sample(self, names: Sequence[str]) -> None:
        """Open an image, or the three views of a material."""
        self.anisotropic.setChecked(len(names) > 1)
        self.isotropic.setChecked(len(names) == 1)
        self.take_files([sample_path(name) for name in names])

    def _use_open_image(self) -> None:
        """Use the active image that is already open, or the only one."""
        found = [
            layer
            for layer in self._viewer.layers
            if layer_inputs.is_new_micrograph(layer)
            or layers.MICROGRAPH in layer.metadata
        ]
        active = self._viewer.layers.selection.active
        # Layers behind napari's proxy are not equal to themselves.
        is_active = [x for x in found if active and x.unique_id == active.unique_id]
        found = is_active or found
        if len(found) == 1:
            self.slots.put("z", [layer_inputs.source_of(found[0])])

    def _slots_changed(self) -> None:
        self.controls.set_has_image(not self.slots.is_empty())
        if not self.slots.is_empty():
            self.controls.offer(self.slots.value())
            self._keep_or_drop_crop()
        self._follow_layers()

    def _keep_or_drop_crop(self) -> None:
        """A crop is of the images that it was set for."""
        names = self._names()
        if self._cropped.isdisjoint(names) and self._cropped:
            self.controls.set_crop(None)
        self._cropped = names

    def _names(self) -> frozenset[str]:
        """Names of the images in the slots."""
        sources = self.slots.value().values()
        return frozenset(source.name for of_axis in sources for source in of_axis)

    def _follow_layers(self) -> None:
        """Prepare the images again when one of their layers is edited."""
        self._unfollow_layers()
        for sources in self.slots.value().values():
            for source in sources:
                layer = layer_inputs.layer_of(self._viewer, source)
                if layer is not None and layer not in self._followed:
                    self._followed.append(layer)
                    for name in EDITS:
                        if hasattr(layer.events, name):
                            getattr(layer.events, name).connect(self._on_edited)
                    if layer_inputs.is_labels(layer):
                        layer.events.colormap.connect(self._on_recoloured)

    def _unfollow_layers(self) -> None:
        for layer in self._followed:
            for name in EDITS:
                if hasattr(layer.events, name):
                    getattr(layer.events, name).disconnect(self._on_edited)
            if layer_inputs.is_labels(layer):
                layer.events.colormap.disconnect(self._on_recoloured)
        self._followed = []

    def _on_recoloured(self, event: Event) -> None:
        """Phases have the colours of their layer."""
        if event.source in self._followed:
            self._changed()

    def _on_edited(self, event: Event) -> None:
        """Take the pixels as they are now; nothing can start with the former ones."""
        layer = event.source
        if layer not in self._followed:
            return
        if event.type == "data":
            self._take_again(layer)
        self._invalidate()
        self._changed()

    def _take_again(self, layer: Layer) -> None:
        """Take the pixels of a layer again."""
        new = layer_inputs.shown_source(self._viewer, layer)
        for axis, sources in self.slots.value().items():
            if self.slots.is_reading(axis):
                continue
            places = [layer_inputs.layer_of(self._viewer, s) for s in sources]
            if layer in places:
                pairs = zip(sources, places, strict=True)
                taken = [new if place is layer else s for s, place in pairs]
                self.slots.put(axis, taken)

    def _on_moved(self, event: Event) -> None:
        """Use the shown frame of a time series."""
        for sources in self.slots.value().values():
            for source in sources:
                layer = layer_inputs.layer_of(self._viewer, source)
                is_series = source.size_source == "layer" and bool(source.notes)
                if layer is None or not is_series:
                    continue
                if layer_inputs.shown_source(self._viewer, layer).notes != source.notes:
                    self._take_again(layer)

    def _invalidate(self) -> None:
        """Images were replaced or edited: nothing can start with the former ones."""
        self._cancel(PREPARE)
        if self._prepared is not None:
            self._prepared = None
            self.next.setEnabled(False)
            self.images_changed.emit(None, MicrographSettings())

    def _changed(self) -> None:
        """Prepare the images anew, soon."""
        self.message.clear()
        self._rest.start()
        self._announce()

    def _announce(self) -> None:
        """Announce that the images passed on are outdated."""
        if self._prepared is not None:
            self.images_pending.emit()

    def _read_again(self) -> None:
        """Read files with several images or channels anew, with the chosen one."""
        settings = self._entered()
        if settings is None:
            return
        for axis, sources in self.slots.value().items():
            if not any(s.path and _has_choice(s, settings) for s in sources):
                continue
            paths = [source.path for source in sources if source.path]
            if len(paths) == len(sources):
                shown = [layer_inputs.layer_of(self._viewer, x) for x in sources]
                former = [x for x in shown if x is not None and x.source.path is None]
                self._read_files(axis, paths, False, former)

    def _prepare(self) -> None:
        """Prepare the images in a thread."""
        self._cancel(PREPARE)
        if self.slots.is_reading():
            return
        self._outdated = [worker for worker in self._outdated if not worker.is_over]
        if len(self._outdated) >= MOST_AT_ONCE:
            self._rest.start()
            return
        if self.slots.is_empty() or not self.slots.is_complete():
            self._finish(None)
            if not self.slots.is_empty():
                self.message.show_text("Add an image for each of z, y and x.")
            return
        settings = self._entered()
        if settings is None:
            self._finish(None)
            return
        if settings.segmentation == "classifier" and not settings.classifier:
            self._finish(None)
            self.message.show_text(STROKES)
        else:
            sources = {
                axis: tuple(layer_inputs.coloured(self._viewer, s) for s in of_axis)
                for axis, of_axis in self.slots.value().items()
            }
            self._run(PREPARE, prepare_images, sources, settings, self._patch_size)

    def _on_prepared(self, outcome: Outcome) -> None:
        self._finish(outcome.result)
        if outcome.fault:
            self.facts.accept_crop.setVisible(outcome.is_crop_needed)
            self._show_failure(outcome.fault)

    # Work in threads

    def _entered(self) -> MicrographSettings | None:
        """The settings; None if one is not allowed, which is shown."""
        try:
            return self.value()
        except ValueError as error:
            self._show_failure(str(error))
            return None

    def _run(self, topic: str, work: Callable[..., Any], *args: Any) -> None:
        """Call a function in a thread; only the newest call of a topic is shown."""
        self._cancel(topic)
        worker = ImageWorker(attempt, topic, self._numbers[topic], work, *args)
        worker.returned.connect(self._on_outcome)
        self._workers[topic] = worker
        self._patience.start()
        worker.start()

    def _cancel(self, topic: str) -> None:
        """Abandon the work on a topic; its thread may end later."""
        self._numbers[topic] = self._numbers.get(topic, 0) + 1
        worker = self._workers.pop(topic, None)
        if worker is not None:
            worker.quit()
            worker.abandon()
            if topic == PREPARE:
                self._outdated.append(worker)

    def _on_outcome(self, outcome: Outcome) -> None:
        """Show an outcome unless it is outdated."""
        if outcome.number != self._numbers[outcome.topic]:
            return
        self._workers.pop(outcome.topic, None)
        if not self._workers:
            self._patience.stop()
        if outcome.topic == PREPARE:
            self._on_prepared(outcome)
        elif outcome.topic == LEARN:
            self._on_learned(outcome)
        else:
            axis: Axis = outcome.topic.removeprefix(READ)  # type: ignore[assignment]
            self._on_read(axis, outcome)

    def end_work(self) -> None:
        """Drop all work, for good; nothing is lost, so closing does not wait for it."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._show_layers)
        self._viewer.dims.events.point.disconnect(self._on_moved)
        self._unfollow_layers()
        for timer in (self._rest, self._learning, self._patience):
            timer.stop()
        for topic in [*self._workers]:
            self._cancel(topic)

    # What is shown

    def _show_busy(self) -> None:
        if PREPARE in self._workers:
            self.facts.show_busy("Preparing the image ...")
        elif LEARN in self._workers:
            self.facts.show_busy("Learning from the strokes ...")

    def _finish(self, prepared: PreparedImages | None) -> None:
        """Show the result, and pass it on unless a newer one will follow."""
        self._prepared = prepared
        self.next.setEnabled(prepared is not None)
        self.facts.show_facts(prepared, self._layer_colours())
        if prepared is not None:
            for source in prepared.sources:
                layer_inputs.show_pixel_size(self._viewer, source, prepared.settings)
            is_plain = prepared.settings.segmentation == "none"
            if is_plain and prepared.settings.kind == "auto":
                self.controls.set_found(prepared.images.kind)
        self._show_phases()
        self._show_automatic_crop()
        is_learning = self._learning.isActive() or LEARN in self._workers
        if is_learning or self._rest.isActive():
            return
        images = None if prepared is None else prepared.images
        settings = MicrographSettings() if prepared is None else prepared.settings
        self.images_changed.emit(images, settings)

    def _layer_colours(self) -> dict[int, Colour]:
        """Colours of the phases in a layer that shows them as they are."""
        made = self._prepared
        if made is None or made.segmented or made.images.kind != "phases":
            return {}
        layer = layer_inputs.layer_of(self._viewer, made.sources[0])
        return {} if layer is None else layer_colours(layer, made.images.labels)

    def _show_phases(self) -> None:
        """Show phases over their images, unless those are labels as they are."""
        made = self._prepared
        shown: list[tuple[Micrograph, SourceImage, Layer | None]] = []
        is_wanted = self.controls.preview.isChecked()
        if made is not None and made.images.kind == "phases" and is_wanted:
            shown = [
                (image, source, layer)
                for image, source in zip(made.unique, made.sources, strict=True)
                for layer in [layer_inputs.layer_of(self._viewer, source)]
                if not layer_inputs.is_labels(layer) or id(image) in made.segmented
            ]
        is_plain = made is not None and made.settings.segmentation == "none"
        layers.show_segmentation(self._viewer, shown, opaque=is_plain)

    def _show_automatic_crop(self) -> None:
        """Outline the used part of the first image; moving it sets a crop by hand."""
        source, made = self._first_source(), self._prepared
        if self.controls.crop() != "auto" or source is None or made is None:
            return
        crop = made.unique[0].facts.crop
        if crop is None:
            layer_inputs.remove_crop(self._viewer, source)
        else:
            layer_inputs.show_crop(self._viewer, source, crop, self._take_crop)

    def _draw_crop(self) -> None:
        source = self._first_source()
        if source is not None:
            self.message.show_text("Drag a rectangle over the image.")
            layer_inputs.draw_crop(self._viewer, source, self._take_crop)

    def _take_crop(self, crop: Crop | None) -> None:
        """Use the drawn crop."""
        if crop is not None:
            self.controls.set_crop(crop)
        else:
            self.message.show_error(
                "Expected a rectangle over the image, got one outside of it; move it, "
                "or draw another."
            )

    def _first_source(self) -> SourceImage | None:
        """The image to draw on; the buttons are disabled without one."""
        return next((s[0] for s in self.slots.value().values() if s), None)

    def _draw_strokes(self) -> None:
        source = self._first_source()
        if source is None:
            return
        n_pixels = math.prod(source.shape)
        if n_pixels > MOST_PAINTED:
            self._show_failure(
                f"Expected an image of at most {MOST_PAINTED:,} pixels to paint on, "
                f"got {n_pixels:,}; paint on a part of it and use the classifier for "
                "the whole."
            )
            return

        def changed(strokes: NDArray[Any]) -> None:
            self._strokes = (source, strokes)
            self._learning.start()
            self._announce()

        layer_inputs.draw_strokes(self._viewer, source, changed)

    def _learn(self) -> None:
        """Fit the classifier to the strokes in a thread."""
        if self._strokes is None:
            return
        source, strokes = self._strokes
        settings = self._entered()
        if len(np.unique(strokes[strokes != 0])) < 2:
            self._finish(self._prepared)
            self.message.show_text("Paint strokes in at least two phases.")
        elif settings is None:
            self._finish(self._prepared)
        else:
            self._run(LEARN, learn, source, strokes.copy(), settings)

    def _on_learned(self, outcome: Outcome) -> None:
        if outcome.fault:
            self._finish(self._prepared)
            self._show_failure(outcome.fault)
        else:
            self.controls.set_classifier(str(outcome.result))

    def _update_crop(self) -> None:
        """Remove the rectangle when the whole image is used."""
        self._cropped = self._names()
        if self.controls.crop() is None:
            layer_inputs.remove_crop(self._viewer, self._first_source())

    def _show_failure(self, sentence: str) -> None:
        self.message.show_error(sentence)
        self.failed.emit(sentence)


def _has_choice(source: SourceImage, settings: MicrographSettings) -> bool:
    """Whether the chosen image or channel is one of several in a file."""
    is_channel = settings.channel in ("auto", *source.channels)
    is_dataset = settings.dataset in ("", *source.datasets)
    return bool((source.channels and is_channel) or (source.datasets and is_dataset))


def _group(title: str, widgets: Sequence[QWidget]) -> QGroupBox:
    group = QGroupBox(title)
    layout = QVBoxLayout(group)
    layout.setContentsMargins(6, 10, 6, 6)
    for widget in widgets:
        layout.addWidget(widget)
    return group
