"""The Volume panel: generate, view and save volumes or images."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QLabel, QVBoxLayout

from napari_slicegan._qt.jobs import sentence_of
from napari_slicegan._qt.viewer import layers
from napari_slicegan._qt.viewer.endless_layer import add_endless
from napari_slicegan._qt.viewer.layer_choice import MADE_BY
from napari_slicegan._qt.volume.forms import (
    GenerationForm,
    GenerationRequest,
    SampleForm,
    SampleRequest,
)
from napari_slicegan._qt.volume.orthogonal_panel import OrthogonalPanel
from napari_slicegan._qt.volume.through_form import GivenSection, ThroughForm
from napari_slicegan._qt.widgets.basics import DropTarget, button, row
from napari_slicegan._qt.widgets.forecast import Forecast
from napari_slicegan._qt.widgets.generator_source import (
    MISSING,
    GeneratorSource,
)
from napari_slicegan._qt.widgets.progress import TaskPanel
from napari_slicegan.config import dimensions_of
from napari_slicegan.generation.sheet import Sheet
from napari_slicegan.runtime.memory import lacks_memory
from napari_slicegan.runtime.progress import subrange
from napari_slicegan.runtime.quantities import (
    bytes_in_words,
    voxels_in_words,
)
from napari_slicegan.volumes.files import files_of_volume
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtGui import QShowEvent

    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.generation.generate import VolumePlan
    from napari_slicegan.generation.lazy import EndlessVolume
    from napari_slicegan.generation.through import Section
    from napari_slicegan.runtime.progress import Progress

FILES = (
    "OME-TIFF (*.tif *.tiff);;NumPy array (*.npy);;VTK ImageData for ParaView (*.vti);;"
    "NRRD (*.nrrd);;MRC (*.mrc);;MetaImage (*.mha);;MetaImage header and raw (*.mhd)"
)
MESHES = (".stl", ".ply", ".obj")
PHASE_FILES = f"{FILES};;Mesh, a file for each phase (*{' *'.join(MESHES)})"
SAMPLE_FILES = "TIFF stack (*.tif *.tiff);;NumPy array (*.npy)"
SOUND_FILES = f"{SAMPLE_FILES};;Sounds, one after the other (*.wav)"
VOLUME, SAMPLES = "Volume", "Samples"
POINTS = (
    "This generator makes points, not images: 'slicegan evaluate mixture RUN' plots "
    "and judges them."
)
# Smaller than the engine's default: Cancel takes effect after a tile.
TILE_STEPS = 3
# Voxels per axis that any graphics hardware shows in 3-D (OpenGL 4).
LARGEST_TEXTURE = 2048
COARSER = (
    f"With more than {LARGEST_TEXTURE:,} voxels along an axis, napari may show it "
    "coarser in 3-D."
)
# Fraction of the time in which a section is fitted.
FIT_SHARE = 0.9
Request = GenerationRequest | SampleRequest


def generate(
    trained: Any, request: Request, given: GivenSection | None, progress: Progress
) -> Volume | EndlessVolume | Sheet:
    """Generate what is requested, in the thread of a worker.

    An endless volume is returned at once, with nothing generated, unless it has to pass
    through a section.

    Raises
    ------
    ValueError
        If the generator makes something else, the result does not fit into the memory,
        or it cannot be periodic.
    """
    from napari_slicegan.generation.generate import VolumePlan
    from napari_slicegan.generation.lazy import EndlessVolume
    from napari_slicegan.generation.samples import generate_images
    from napari_slicegan.runtime.limits import available_memory

    if isinstance(request, SampleRequest):
        with _on_device(trained, f"{request.count:,} images; draw fewer"):
            return generate_images(trained, request.count, request.seed, progress)
    if request.endless:
        sample = (request.size, request.seed, request.periodic)
        plan = VolumePlan(_copy_on_device(trained), *sample)
        return EndlessVolume(_through(plan, given, progress))
    plan = _plan(trained, request)
    free = available_memory()
    if plan.n_bytes > free:
        raise ValueError(
            "Expected a volume that fits into the free memory of "
            f"{bytes_in_words(free)}, got {voxels_in_words(math.prod(request.size))}, "
            f"which take {bytes_in_words(plan.n_bytes)}; lower the size or tick "
            "'Endless'."
        )
    with _on_device(trained, f"{request.shape} voxels; lower the size of the volume"):
        if given is None:
            return plan.generate(progress)
        plan = _through(plan, given, subrange(progress, 0, FIT_SHARE))
        return plan.generate(subrange(progress, FIT_SHARE, 1))


def _through(
    plan: VolumePlan, given: GivenSection | None, progress: Progress
) -> VolumePlan:
    """The plan of a volume that passes through a section, if one is given."""
    from napari_slicegan.generation.through import pass_through

    if given is None:
        return plan
    return pass_through(plan, [_section(given)], progress=progress)


def _section(given: GivenSection) -> Section:
    from napari_slicegan.data.micrograph import Micrograph
    from napari_slicegan.generation.through import Section

    image = Micrograph.of(given.source.with_header())
    return Section.of(image, given.axis, given.position)


def time_ahead(
    trained: Any,
    request: GenerationRequest,
    speed: Callable[[], float],
    fit_speed: Callable[[], float],
    given: Sequence[GivenSection],
) -> Generator[str, None, None]:
    """Yield how long a volume will take, its size, and whether it is shown coarser.

    Of an endless volume the time until it is shown.

    Parameters
    ----------
    speed, fit_speed
        Measure operations per second, once.
    given
        Images that it passes through.
    """
    from napari_slicegan.generation.estimates import fit_costs, time_sentence

    plan, fit = _plan(trained, request), None
    if given:
        fit = fit_costs(plan, fit_speed(), [_section(each) for each in given])
    if request.endless:
        if fit is not None:
            yield fit.sentence()
        return
    sentence = time_sentence(plan, speed(), fit)
    large = max(request.size) > LARGEST_TEXTURE
    yield f"{sentence} {COARSER}" if large else sentence


def _speed(trained: Any) -> float:
    """Operations per second of a generator on this machine."""
    from napari_slicegan.generation.estimates import operations_per_second

    return operations_per_second(_plan(_copy_on_device(trained), GenerationRequest()))


def _fit_speed(trained: Any) -> float:
    """Operations per second of a generator that is fitted to an image."""
    from napari_slicegan.generation.estimates import fit_operations_per_second

    return fit_operations_per_second(_copy_on_device(trained))


def _plan(trained: Any, request: GenerationRequest) -> VolumePlan:
    """The volume that is generated for a request."""
    from napari_slicegan.generation.generate import VolumePlan

    tile_latents = trained.network.size_rule.overlap + TILE_STEPS
    return VolumePlan(
        trained, request.size, request.seed, request.periodic, tile_latents
    )


def _copy_on_device(trained: Any) -> Any:
    """A copy of a generator: the panel's own network is moved between devices."""
    from napari_slicegan.runtime.devices import choose_device

    network = copy.deepcopy(trained.network).to(choose_device("auto"))
    return dataclasses.replace(trained, network=network)


def _voxel_bytes(trained: Any) -> int:
    """Bytes of a voxel of a generator's volumes."""
    from napari_slicegan.generation.generate import VolumePlan

    return VolumePlan(trained, (1, 1, 1)).n_bytes


@contextlib.contextmanager
def _on_device(trained: Any, what: str) -> Iterator[None]:
    """Put a network on the fastest device; explain a lack of memory."""
    from napari_slicegan.runtime.devices import choose_device

    try:
        trained.network.to(choose_device("auto"))
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise ValueError(
            f"The memory does not suffice for {what} or close other programs."
        ) from None
    finally:
        # The panel keeps the network; GPU memory is released.
        trained.network.to("cpu")


def save_made(made: Volume | Sheet, path: Path, progress: Progress) -> list[Path]:
    """Write a result in the format of the ending; the files.

    Raises
    ------
    ValueError
        If the format cannot hold the values, or a package for it is missing.
    OSError
        If a file cannot be written.
    """
    progress(0.0)
    ending = path.suffix.lower()
    if isinstance(made, Sheet):
        if _is_sound(made) and ending == ".wav":
            from napari_slicegan.systems.spectrograms import write_one_sound

            return [write_one_sound(path, made.values, progress)]
        made.save(path)
        return [path]
    if ending in MESHES:
        from napari_slicegan.volumes.mesh_files import check_mesh_file, write_mesh
        from napari_slicegan.volumes.meshes import surface_mesh

        check_mesh_file(path, has_volume=False)
        mesh = surface_mesh(made)
        progress(0.5)
        return write_mesh(mesh, path)
    made.save(path, progress)
    return files_of_volume(path)


def files_of_made(made: Volume | Sheet | None, path: Path) -> Collection[Path]:
    """Files that `save_made` writes."""
    if not isinstance(made, Volume):
        return [path]
    if path.suffix.lower() in MESHES:
        from napari_slicegan.volumes.mesh_files import files_of

        return files_of(made.labels, path)
    return files_of_volume(path)


class VolumePanel(DropTarget, TaskPanel):
    """Generates volumes of any size, or images, from a trained generator."""

    volume_made = Signal(object)
    samples_made = Signal(object)
    """Sheet, of a generator of images."""
    product_changed = Signal(str)
    """`VOLUME` or `SAMPLES`: output of the generator."""
    measure_requested = Signal()
    """The user wants to measure the volume."""

    def __init__(self, viewer: Viewer) -> None:
        self.next = button("to_measure", "Next: Measure", "Open the Measure tab.")
        super().__init__("volume", self.next)
        self.setAcceptDrops(True)
        self._viewer = viewer
        self._made: Volume | Sheet | None = None
        self._request: Request = GenerationRequest()
        # What it is generated with, for the layer.
        self._made_by: dict[str, Any] = {}
        # Proposed for the file of the last result.
        self._name = VOLUME
        self._speed: Callable[[], float] | None = None
        self._fit_speed: Callable[[], float] | None = None
        # children
        self.source = GeneratorSource()
        self.box = QGroupBox(VOLUME)
        self.form = GenerationForm()
        self.samples = SampleForm()
        self.points = QLabel(POINTS)
        self.points.setObjectName("points_note")
        self.points.setWordWrap(True)
        self.through = ThroughForm(viewer)
        self.forecast = Forecast(time_ahead, "time")
        self.generate_button = button(
            "generate",
            "Generate",
            "Generate and show as a layer; Ctrl+Alt+G in the viewer.",
        )
        self.save_button = button("save_volume", "Save...", "Save the last result.")
        self.orthogonal = OrthogonalPanel(viewer)
        # layout
        column = QVBoxLayout(self.box)
        column.addWidget(self.form)
        column.addWidget(self.through)
        column.addWidget(self.samples)
        column.addWidget(self.points)
        column.addWidget(self.forecast)
        column.addLayout(row(self.generate_button, self.save_button))
        layout = self.content
        layout.addWidget(self.source)
        layout.addWidget(self.box)
        layout.addWidget(self.orthogonal)
        layout.addStretch(1)
        # signals
        self.source.changed.connect(self._generator_changed)
        self.source.requested.connect(self.message.clear)
        self.source.failed.connect(self.fail)
        self.form.value_changed.connect(lambda request: self._estimate())
        self.through.value_changed.connect(self._estimate)
        self.generate_button.clicked.connect(lambda checked: self.generate())
        self.task.state_changed.connect(self._show_state)
        self.save_button.clicked.connect(lambda checked: self._browse_save())
        self.next.clicked.connect(lambda checked: self.measure_requested.emit())
        self._show_product(3)
        self._show_state()

    @property
    def product(self) -> str:
        """Output of the generator; volumes before one is loaded."""
        return self.box.title()

    def value(self) -> Request:
        """The request."""
        form = self.form if self.product == VOLUME else self.samples
        return form.value()

    def set_value(self, request: Request) -> None:
        """Show a request for a volume or images."""
        if isinstance(request, GenerationRequest):
            self.form.set_value(request)
        else:
            self.samples.set_value(request)

    def set_run(self, path: str | Path) -> None:
        """Load a generator from a run folder or generator file, in a thread."""
        self.source.load(path)

    def generate(self) -> None:
        """Generate in a thread and show the result as a layer."""
        if self.task.is_busy:
            return
        self.message.clear()
        trained = self.source.value()
        if self.source.is_loading:
            self.fail("The generator is still being loaded; try again in a moment.")
            return
        if trained is None:
            self.fail(MISSING)
            return
        given = None
        if self.product == VOLUME:
            try:
                given = self.through.value()
            except ValueError as error:
                self.fail(sentence_of(error))
                return
        self._request, loaded = self.value(), self.source.loaded
        self._made_by = {} if loaded is None else loaded.metadata
        words = "a volume" if self.product == VOLUME else "images"
        self.task.run(
            f"Generating {words}",
            self._show_result,
            generate,
            trained,
            self._request,
            given,
        )

    def end_work(self) -> list[SteeredWorker]:
        """Cancel all work; return the workers that are still running."""
        self.through.layer_choice.release()
        parts = (self.task, self.source, self.orthogonal, self.forecast)
        return [worker for part in parts for worker in part.end_work()]

    def save(self, path: str | Path) -> None:
        """Save the last result in a thread; the file extension sets the format."""
        self.message.clear()
        if self._made is None:
            self.fail("Expected a result to save, got none; generate one first.")
            return
        self.task.run("Saving", self._show_saved, save_made, self._made, Path(path))

    def _show_saved(self, files: Sequence[Path]) -> None:
        if len(files) == 1:
            self.message.show_text(f"Saved {files[0]}")
            return
        names = " and ".join(file.name for file in files)
        self.message.show_text(f"Saved {names} in {files[0].parent}")

    def take_files(self, paths: list[Path]) -> None:
        """Load a dropped run folder or generator file."""
        self.set_run(paths[0])

    def showEvent(self, event: QShowEvent) -> None:
        """Estimate when the panel is shown."""
        super().showEvent(event)
        self._estimate()

    def _generator_changed(self) -> None:
        trained: Any = self.source.value()
        if trained is not None:
            self._speed = functools.cache(functools.partial(_speed, trained))
            self._fit_speed = functools.cache(functools.partial(_fit_speed, trained))
            dimensions = dimensions_of(trained.network.spec.architecture)
            if dimensions == 3:
                from napari_slicegan.generation.generate import latent_steps

                scale = max(latent_steps(trained.network))
                n_bytes = _voxel_bytes(trained)
                self.form.set_generator(trained.voxel_size_nm, scale, n_bytes)
            self._show_product(dimensions)
        self._show_state()

    def _show_product(self, dimensions: int) -> None:
        """Show the form for samples of so many dimensions; of points there is none."""
        product = VOLUME if dimensions == 3 else SAMPLES
        self.box.setTitle(product)
        self.samples.setVisible(dimensions == 2)
        self.points.setVisible(dimensions == 1)
        for each in (self.generate_button, self.save_button):
            each.setVisible(dimensions > 1)
        for widget in (self.form, self.through, self.orthogonal, self.next):
            widget.setVisible(dimensions == 3)
        self.product_changed.emit(product)

    def _show_result(self, made: Any) -> None:
        """Show the result as a layer."""
        request, step = self._request, self._made_by.get("step")
        name = request.name if step is None else f"{request.name}, step {step}"
        if self._made_by:
            name = f"{self._made_by['name']}: {name}"
        about = {MADE_BY: {**self._made_by, "seed": request.seed}}
        if not (isinstance(request, GenerationRequest) and request.endless):
            self._name = f"{self._made_by.get('name', VOLUME)}, seed {request.seed}"
        if isinstance(request, SampleRequest):
            self._made = made
            layers.add_samples(self._viewer, made, name, request.as_sheet, about)
            self.samples_made.emit(made)
        elif request.endless:
            add_endless(self._viewer, made, name, about)
        else:
            self._made = made
            layer = layers.add_volume(self._viewer, made, name, about)
            self.orthogonal.show_slices(layer)
            self.volume_made.emit(made)

    def _show_state(self) -> None:
        ready = self.source.value() is not None and not self.source.is_loading
        self.generate_button.setEnabled(ready and not self.task.is_busy)
        self.save_button.setEnabled(self._made is not None and not self.task.is_busy)
        self.next.setEnabled(self._made is not None)
        self._estimate()

    def _estimate(self) -> None:
        """Estimate the time of the volume, unless something else needs the cores."""
        if self.task.is_busy:
            self.forecast.hold()
            return
        request, given, is_slow = self.value(), None, False
        if isinstance(request, GenerationRequest):
            # Without an image an error says so, once Generate is pressed.
            with contextlib.suppress(ValueError):
                given = self.through.value()
            is_slow = given is not None or not request.endless
        if is_slow and self.generate_button.isEnabled() and self.isVisible():
            sections = () if given is None else (given,)
            speeds = self._speed, self._fit_speed
            self.forecast.request(self.source.value(), request, *speeds, sections)
        else:
            self.forecast.cancel()

    def _browse_save(self) -> None:
        made = self._made
        files = SAMPLE_FILES if isinstance(made, Sheet) else FILES
        if _is_sound(made):
            files = SOUND_FILES
        elif isinstance(made, Volume) and made.kind == "phases":
            files = PHASE_FILES
        name, written = self._name, functools.partial(files_of_made, made)
        path = self.ask_file("Save", files, name, written)
        if path is not None:
            self.save(path)


def _is_sound(made: Volume | Sheet | None) -> bool:
    """Whether these are spectrograms of sounds."""
    decibels = made.decibels if isinstance(made, Sheet) else None
    return decibels is not None and decibels.hertz is not None
