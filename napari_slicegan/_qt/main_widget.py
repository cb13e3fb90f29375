"""The dock widget: one tab per panel, and the connections between them."""

from __future__ import annotations

import contextlib
import html
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import qtpy
from napari.utils.notifications import show_info
from qtpy.QtCore import QEvent, QObject, QSize, QTimer, Signal
from qtpy.QtWidgets import (
    QApplication,
    QMainWindow,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.closing import confirm_closing, wait_for_end
from napari_slicegan._qt.explore.panel import ExplorePanel
from napari_slicegan._qt.last_session import LastSession, recall, remember
from napari_slicegan._qt.measure.panel import MeasurePanel
from napari_slicegan._qt.micrograph.panel import MicrographPanel
from napari_slicegan._qt.preferences import read_preferences
from napari_slicegan._qt.train.panel import TrainPanel
from napari_slicegan._qt.viewer import layers
from napari_slicegan._qt.volume.panel import VolumePanel
from napari_slicegan._qt.widgets.basics import (
    LOOKS,
    STYLE,
    TYPED,
    FaultGuard,
    LinkLabel,
    MessageLine,
    breakable,
    chain_inputs,
    finish_typing,
    guard_wheel,
    parent_of,
)
from napari_slicegan._qt.widgets.help_button import HelpButton
from napari_slicegan._qt.widgets.small_plot import label_points
from napari_slicegan._qt.worker import other_work
from napari_slicegan.config import AXES
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan._qt.train.run_view import RunState
    from napari_slicegan.config import MicrographSettings, RunConfig
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.systems.point_task import Scatter
    from napari_slicegan.training.clock import FinishReason
    from napari_slicegan.training.trainer import Trainer

DOCK = "Volumes from micrographs (SliceGAN)"
"""Name of the dock; that of napari's menu, which shows and hides it."""
ROOM = (1280, 800)
TABS = ("Micrograph", "Train", "Volume", "Explore", "Measure")
"""Titles, from left to right."""
WIDTH = 400
BINDING_FAULT = (
    "PySide6 6.12 crashes on this Python after about 25,000 signals (15 minutes of "
    "training); run: pip install 'PySide6!=6.12.*'"
)
# Ctrl+Alt+P is napari's own.
PAUSE_KEY, GENERATE_KEY = "Control-Alt-Shift-P", "Control-Alt-G"


class SliceGANWidget(QWidget):
    """Dock with five tabs: from a micrograph to a measured volume.

    Closing the dock, the viewer or the program stops a run after the current step and
    saves it; if that takes long, the user can choose not to wait.

    Parameters
    ----------
    napari_viewer
        The viewer, or napari's proxy of it.
    """

    closed = Signal()

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.setObjectName("slicegan")
        self._viewer = napari_viewer
        self._is_closed = self._is_closing_window = False
        self._last: LastSession | None = None
        self._waits_for_images = False
        self._window: QMainWindow | None = None
        self._other = open_widget(napari_viewer)
        self._guard = FaultGuard(self)
        # children
        self.tabs = QTabWidget()
        self.tabs.setObjectName("slicegan_tabs")
        self.message = MessageLine("slicegan_message")
        self.reopen = LinkLabel()
        self.reopen.setObjectName("reopen")
        # In line with the content of the tabs.
        self.reopen.setContentsMargins(11, 4, 11, 4)
        self.reopen.hide()
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.message)
        layout.addWidget(self.reopen)
        layout.addWidget(self.tabs)
        self._follow_font()
        if self._other is not None:
            # One widget per viewer, since it trains one run at a time.
            self.tabs.hide()
            self.message.show_text(
                "SliceGAN is already open in this viewer; close this dock."
            )
            return
        self.micrograph = MicrographPanel(napari_viewer)
        self.train = TrainPanel()
        self.volume = VolumePanel(napari_viewer)
        self.explore = ExplorePanel(napari_viewer)
        self.measure = MeasurePanel(napari_viewer)
        panels = self.micrograph, self.train, self.volume, self.explore, self.measure
        for title, panel in zip(TABS, panels, strict=True):
            guard_wheel(panel)
            chain_inputs(panel)
            panel.setAccessibleName(title)
            self.tabs.addTab(panel, title)
        self.help = HelpButton(self.tabs)
        self._use_preferences()
        self._use_left()
        self._offer_last()
        fault = binding_fault()
        if fault is not None:
            self.message.show_warning(fault)
        # signals
        self._connect()
        app = QApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.shut_down)
        _OPEN[id(layers.unwrapped(napari_viewer))] = self

    @property
    def main_window(self) -> QMainWindow | None:
        """The window that holds the dock, which may float; None before that."""
        return self._window

    def show_panel(self, title: str) -> None:
        """Select a tab."""
        self.tabs.setCurrentIndex(TABS.index(title))

    def train_when_ready(self) -> None:
        """Start training once its images are prepared; show their tab if they fail."""
        self.show_panel("Train")
        finish_typing()
        if self.train.data.can_train:
            self.train.start()
        else:
            self._waits_for_images = True

    def shut_down(self) -> None:
        """Stop and save what is running, and release the viewer."""
        if self._is_closed or self._other is not None:
            return
        self._is_closed = True
        self._remember()
        self.micrograph.end_work()
        panels = (self.train, self.volume, self.explore, self.measure)
        # Cancel all before waiting for any.
        wait_for_end([worker for panel in panels for worker in panel.end_work()])
        layers.end_preview(self._viewer)
        self._bind_keys(bound=False)
        app = QApplication.instance()
        if app is not None:
            app.aboutToQuit.disconnect(self.shut_down)
        if _OPEN.get(id(layers.unwrapped(self._viewer))) is self:
            del _OPEN[id(layers.unwrapped(self._viewer))]
        if self._window is not None:
            self._window.removeEventFilter(self)
            self._window = None
        self.closed.emit()

    def event(self, event: QEvent) -> bool:
        """Detect closing: napari removes a closed dock from the window."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self._dock_closed()
            else:
                # The window is known only once the dock is in it.
                QTimer.singleShot(0, self._watch_window)
        return super().event(event)

    def minimumSizeHint(self) -> QSize:
        """Width of the widest panel; large fonts need more."""
        return super().minimumSizeHint().expandedTo(QSize(WIDTH, 0))

    def changeEvent(self, event: QEvent) -> None:
        """Follow napari's font size."""
        super().changeEvent(event)
        if event.type() in LOOKS and hasattr(self, "message"):
            self._follow_font()

    def _follow_font(self) -> None:
        """Set the style, and in it the font of inputs that napari leaves as it is."""
        sheet = f"{STYLE}{TYPED} {{ font-size: {label_points(self.message)}pt; }}"
        # Setting a sheet is a change of style itself.
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

    def _dock_closed(self) -> None:
        """Stop; the panel is gone, so napari shows where its run is."""
        if self._is_closed or self._other is not None:
            return
        was_training = self.train.state.is_active
        lost = self._running_tasks()
        self.shut_down()
        self._leave()
        notices = [f"Cancelled: {name}." for name in lost]
        if was_training:
            run = self.train.last_run
            where = "no run was saved" if run is None else f"saved in {run}"
            notices.insert(0, f"Training was stopped; {where}.")
        if notices:
            show_info(" ".join(notices))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Watch the window. The user can still cancel a close."""
        if event is not None and event.type() == QEvent.Type.Close:
            if event.spontaneous():
                self._is_closing_window = True
            else:
                self.shut_down()
        if event is not None and event.type() == QEvent.Type.Hide:
            # Not cancelled; the window is about to be deleted.
            if self._is_closing_window and not event.spontaneous():
                self.shut_down()
        return False

    def closing_text(self) -> str:
        """What is running and what closing does to it; empty if nothing is."""
        if self._is_closed or self._other is not None:
            return ""
        lost = map(lost_text, self._running_tasks())
        return "\n\n".join(filter(None, [self.train.closing_text, *lost]))

    def _running_tasks(self) -> list[str]:
        """Descriptions of the tasks of all panels."""
        panels = (self.volume, self.volume.orthogonal, self.explore, self.measure)
        tasks = (self.train.task, *(panel.task for panel in panels))
        return [task.name for task in tasks if task.name]

    def _watch_window(self) -> None:
        parent = parent_of(self, QMainWindow)
        if parent is not None and parent is not self._window:
            self._window = parent
            parent.installEventFilter(self)
            ask_before_closing(parent)
            _make_room(parent)

    def _use_preferences(self) -> None:
        """Apply the plugin's page of napari's Preferences."""
        preferences, fault = read_preferences()
        self.train.set_value(preferences.config())
        if preferences.run_folder is not None:
            self.train.location.set_value(preferences.run_folder)
        if fault:
            self.message.show_warning(fault)

    def _use_left(self) -> None:
        """Show the settings and offer the run of a dock that was closed before."""
        viewer = layers.unwrapped(self._viewer)
        left = _LEFT.pop(id(viewer), None)
        if left is not None and left.viewer() is viewer:
            self.train.set_value(left.config)
            self.train.location.set_value(left.run_root)
            self.train.set_last_run(left.run)
            micrograph = left.config.micrograph
            self.micrograph.set_value(micrograph, must_fit=False)
            if left.run is not None:
                self.volume.set_run(left.run)

    def _leave(self) -> None:
        """Store the state of this dock for the next dock of this viewer."""
        viewer = layers.unwrapped(self._viewer)
        # An input with an invalid setting is forgotten.
        with contextlib.suppress(ValueError):
            _LEFT[id(viewer)] = Left(
                weakref.ref(viewer),
                self.train.value(),
                self.train.location.value(),
                self.train.last_run,
            )

    def _offer_last(self) -> None:
        """Offer the picture and the settings of the last session in an empty dock."""
        self._last = recall() if self.micrograph.slots.is_empty() else None
        if self._last is not None:
            name = html.escape(breakable(self._last.name))
            self.reopen.set_links(f"Open the last picture: <a href='last'>{name}</a>")
            tips = [f"{p}" for paths in self._last.pictures.values() for p in paths]
            self.reopen.setToolTip(f"<qt>{html.escape('; '.join(tips))}</qt>")
            self.reopen.show()

    def open_last(self) -> None:
        """Open the picture of the last session, with its settings."""
        last = self._last
        self._withdraw_last()
        if last is None:
            return
        self.train.set_value(last.config)
        self.micrograph.set_value(last.config.micrograph, must_fit=False)
        self.micrograph.anisotropic.setChecked(len(last.pictures) > 1)
        for axis, paths in last.pictures.items():
            self.micrograph.open_files(axis, paths)

    def _slots_changed(self) -> None:
        if not self.micrograph.slots.is_empty():
            self._withdraw_last()

    def _withdraw_last(self) -> None:
        self._last = None
        self.reopen.hide()

    def _remember(self) -> None:
        """Keep the pictures, if all are files, and the settings for a later session."""
        pictures = {
            axis: [source.path for source in sources if source.path]
            for axis, sources in self.micrograph.slots.value().items()
        }
        n_sources = sum(map(len, self.micrograph.slots.value().values()))
        if n_sources and n_sources == sum(map(len, pictures.values())):
            # An input with an invalid setting is forgotten.
            with contextlib.suppress(ValueError):
                micrograph = self.micrograph.value()
                config = self.train.value().model_copy(
                    update={"micrograph": micrograph}
                )
                remember(LastSession(pictures, config))

    def _connect(self) -> None:
        self.reopen.linkActivated.connect(lambda link: self.open_last())
        self.micrograph.slots.changed.connect(self._slots_changed)
        self.micrograph.images_changed.connect(self._take_images)
        self.micrograph.images_pending.connect(self.train.await_images)
        self.micrograph.failed.connect(self._images_failed)
        self.micrograph.train_requested.connect(lambda: self.show_panel("Train"))
        self.micrograph.model_requested.connect(self._offer_models)
        self.train.settings.value_changed.connect(self._set_patch_size)
        self._guard.failed.connect(self.train.message.show_warning)
        self.train.preview_made.connect(self._show_preview)
        self.train.state_changed.connect(self._state_changed)
        self.train.gaussian_made.connect(self._show_gaussian)
        self.train.run_finished.connect(self._offer_volume)
        self.train.failed.connect(
            lambda fault: self._notify(f"Training has failed. {fault}")
        )
        self.train.run_started.connect(self._offer_to_explore)
        self.train.generation_requested.connect(lambda: self.show_panel("Volume"))
        self.train.location.value_changed.connect(self._set_run_root)
        self._set_run_root()
        self.volume.product_changed.connect(self._rename_volume_tab)
        self.volume.measure_requested.connect(lambda: self.show_panel("Measure"))
        self.measure.training_requested.connect(lambda: self.show_panel("Train"))
        self._bind_keys(bound=True)

    def _take_images(
        self, images: TrainingImages | None, settings: MicrographSettings
    ) -> None:
        self.train.set_images(images, settings)
        self.measure.set_views(self.micrograph.slots.value())
        if self._waits_for_images and images is not None:
            self._waits_for_images = False
            self.train.start()

    def _offer_models(self) -> None:
        self.show_panel("Volume")
        self.volume.source.offer_models()

    def _images_failed(self) -> None:
        if self._waits_for_images:
            self._waits_for_images = False
            self.show_panel("Micrograph")

    def _set_patch_size(self, config: RunConfig) -> None:
        self.micrograph.set_patch_size(config.architecture.patch_size)

    def _show_preview(self, made: Volume | Sheet | Scatter) -> None:
        if self._is_closed:
            return
        with self._guard("The layer of the preview"):
            shown = made if isinstance(made, Volume) else made.picture()
            layers.add_or_update_preview(self._viewer, shown)

    def _show_gaussian(self, volume: Volume) -> None:
        if not self._is_closed:
            layers.add_gaussian(self._viewer, volume)

    def _state_changed(self, state: RunState) -> None:
        if not state.is_active:
            layers.end_preview(self._viewer)

    def _set_run_root(self) -> None:
        """Offer the newest runs where they are saved."""
        for panel in (self.volume, self.explore):
            panel.source.set_run_root(self.train.location.value())

    def _rename_volume_tab(self, product: str) -> None:
        """Name the tab after the product of its generator."""
        self.tabs.setTabText(TABS.index("Volume"), product)

    def _offer_volume(self, reason: FinishReason, path: Path) -> None:
        """Load the finished run into the Volume panel, if it saved a generator."""
        self._notify(f"Training has ended. {reason.value}")
        if not self._is_closed and (path / "generator.safetensors").is_file():
            self.volume.set_run(path)

    def _notify(self, sentence: str) -> None:
        """Call a user who looks elsewhere: at another tab or another program."""
        window = self._window
        if self._is_closed or window is None or not window.isVisible():
            return
        QApplication.alert(window)
        if not (self.train.isVisible() and window.isActiveWindow()):
            show_info(sentence)

    def _offer_to_explore(self, trainer: Trainer) -> None:
        """Offer the run to the Explore panel."""
        self._guard.reset()
        self._remember()
        is_volume = trainer.config.architecture.dimensions == len(AXES)
        if trainer.folder is not None and is_volume:
            self.explore.source.offer(trainer.folder.path)

    def _bind_keys(self, *, bound: bool) -> None:
        """Bind or unbind keys of the viewer; they must not outlive this widget."""
        keys = {PAUSE_KEY: self._toggle_pause, GENERATE_KEY: self._generate}
        for key, action in keys.items():
            self._viewer.bind_key(key, action if bound else None, overwrite=True)

    def _toggle_pause(self, viewer: Viewer) -> None:
        """SliceGAN: pause or resume training."""
        self.train.toggle_pause()

    def _generate(self, viewer: Viewer) -> None:
        """SliceGAN: generate a volume."""
        finish_typing()
        self.volume.generate()


@dataclass(frozen=True)
class Left:
    """What a closed dock leaves to the next one in its viewer."""

    viewer: weakref.ref[Viewer]
    config: RunConfig
    run_root: Path
    run: Path | None


_LEFT: dict[int, Left] = {}


def binding_fault() -> str | None:
    """Warning about Qt bindings that crash, with the remedy; None if unaffected.

    See "Interpreter settings" in docs/window-cost.md.
    """
    version = getattr(qtpy, "PYSIDE_VERSION", None) or ""
    is_faulty = version.startswith("6.12.") and sys.version_info < (3, 12)
    return BINDING_FAULT if is_faulty else None


def _make_room(window: QMainWindow) -> None:
    """Enlarge a small window, for the dock beside the canvas, within the screen."""
    screen = window.screen()
    if screen is not None:
        wanted = QSize(*ROOM).boundedTo(screen.availableSize())
        larger = window.size().expandedTo(wanted)
        if larger != window.size():
            window.resize(larger)


class ClosingWatch(QObject):
    """Asks before the user closes a window in which something would be lost."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask once; then end all work and close without further questions."""
        if event is None or event.type() != QEvent.Type.Close:
            return False
        if not event.spontaneous():
            return False
        window: Any = watched
        docks, others = _docks_in(window), other_work(window)
        if not (_ASKED or _closing_text(docks, others)):
            return False
        # napari would ask once for its tasks and once more for its layers.
        event.ignore()
        if _is_confirmed(window, docks, others):
            # After this event, while which Qt ignores another close.
            QTimer.singleShot(0, window.close)
        return True


def ask_before_closing(window: QMainWindow) -> None:
    """Ask before a window is closed in which something would be lost.

    Also at commands of napari, such as Ctrl+W and Ctrl+Q, which do not reach a window
    as the user's. The question takes the place of napari's, which can be switched off.
    Ctrl+Q closes all windows, also from one without a dock, so it is asked in all.
    """
    watch = window.findChild(QObject, WATCH)
    if watch is None:
        watch = ClosingWatch(window)
        watch.setObjectName(WATCH)
    # Before all other filters: they see only what was not refused.
    window.installEventFilter(watch)
    kind: Any = type(window)
    # Not the window of another program.
    if not hasattr(kind, "close_window") or hasattr(kind.close, "of_napari"):
        return
    of_napari = kind.close

    def close(
        window: QMainWindow, quit_app: bool = False, confirm_need: bool = False
    ) -> bool:
        of = None if quit_app else window
        docks, others = _docks_in(of), other_work(of)
        if confirm_need and _closing_text(docks, others):
            if not _is_confirmed(window, docks, others):
                return False
            confirm_need = False
        return bool(of_napari(window, quit_app, confirm_need))

    close.of_napari = of_napari  # type: ignore[attr-defined]
    kind.close = close


def _docks_in(window: QMainWindow | None) -> list[SliceGANWidget]:
    """Docks of a window; None for those of all."""
    return [x for x in _OPEN.values() if window is None or x.main_window is window]


def _closing_text(docks: Sequence[SliceGANWidget], others: Sequence[str]) -> str:
    """What closing does to the work of docks, and to other work."""
    texts = [dock.closing_text() for dock in docks]
    return "\n\n".join(filter(None, [*texts, *map(lost_text, others)]))


def _is_confirmed(
    window: QMainWindow, docks: Sequence[SliceGANWidget], others: Sequence[str]
) -> bool:
    """Ask once; whether the docks are closed, with all their work ended."""
    if _ASKED:
        return False
    text = _closing_text(docks, others)
    _ASKED.append(text)
    try:
        is_confirmed = confirm_closing(window, text)
    finally:
        _ASKED.clear()
    if is_confirmed:
        for dock in docks:
            dock.shut_down()
    return is_confirmed


def lost_text(name: str) -> str:
    """What closing does to a task."""
    return f"{name}: cancelled, without a result."


def open_widget(viewer: Viewer) -> SliceGANWidget | None:
    """Return the open widget of a viewer, or None."""
    return _OPEN.get(id(layers.unwrapped(viewer)))


WATCH = "slicegan_closing"
_ASKED: list[str] = []
"""The question that is open."""
# Weak: the window owns its widgets.
_OPEN: WeakValueDictionary[int, SliceGANWidget] = WeakValueDictionary()
