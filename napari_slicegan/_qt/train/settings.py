"""Settings of a run: a preset, the most important settings, and the others folded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_slicegan._qt.widgets.basics import number_box
from napari_slicegan._qt.widgets.config_form import (
    MAX_INT,
    ChoiceEditor,
    ConfigForm,
    FieldEditor,
    InputEditor,
)
from napari_slicegan.config import MicrographSettings, RunConfig, dimensions_of
from napari_slicegan.config.presets import DEFAULT_PRESET, PRESETS, preset
from napari_slicegan.config.run import USERS_OF

if TYPE_CHECKING:
    from napari_slicegan._qt.jobs import Machine

KINDS = {3: "Volumes from micrographs", 2: "Images", 1: "Points"}
"""Titles of the groups of presets, by output dimension."""
ONLY_FOR = {"slices": 3, "images": 2}
"""Groups of settings that apply to one output dimension only."""
OF_VOLUMES = (
    "latent_size",
    "generator_kernels",
    "critic_heads",
    "condition",
    "update_per_axis",
    "match_phase_fractions",
)
OF_SPECGAN = (
    "critic_normalisation",
    "image_kernel",
    "image_padding",
    "initialisation",
    "latent_distribution",
)
OF_SETS = ("epochs", "monitor_minutes")
OF_IMAGES = ("patch_size", "epochs")
OF_PENALTY = ("penalty_weight", "penalty_interval")
FIRST = ("minutes", "device", "patch_size", "monitor_interval", "seed")


def unused_settings(entered: Mapping[str, Any]) -> set[str]:
    """Settings without an effect beside the entered ones, which are given by name."""
    architecture, objective = entered["architecture"], entered["objective"]
    unused = set() if architecture == "specgan" else {*OF_SPECGAN}
    dimensions = dimensions_of(architecture)
    unused |= {*OF_SETS} if dimensions == 3 else {*OF_VOLUMES}
    unused |= {*OF_IMAGES} if dimensions == 1 else set()
    for name, (switch, uses, _) in USERS_OF.items():
        unused |= set() if uses(entered[switch]) else {name}
    if objective == "realness":
        unused |= {"weight_clip"}
    if objective in ("wgan", "realness"):
        unused |= {*OF_PENALTY}
    if entered["anchors"] != "custom":
        unused |= {"real_anchor", "generated_anchor"}
    return unused


def preset_box() -> ChoiceEditor:
    """List of presets, grouped under titles that cannot be chosen."""
    editor = ChoiceEditor({})
    box = editor.box
    model = box.model()
    for dimensions, title in KINDS.items():
        box.addItem(title)
        if isinstance(model, QStandardItemModel):
            model.item(box.count() - 1).setEnabled(False)
        for name, config in PRESETS.items():
            if config.architecture.dimensions == dimensions:
                box.addItem(PRESETS.title(name), name)
                tip = f"<qt>{PRESETS.summary(name)}</qt>"
                box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    editor.setToolTip("Bundle of settings to begin with; all can be changed below.")
    return editor


def steps_editor() -> InputEditor:
    """Return an input for a number of steps, with the unit."""
    box = number_box("", 1, MAX_INT)
    box.setSuffix(" steps")
    return InputEditor(box, box.valueChanged, box.value, box.setValue)


class TrainSettings(QWidget):
    """Edits a `RunConfig`; the settings of the micrograph come from its own panel."""

    value_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._micrograph = MicrographSettings()
        self._knows_torch = False
        self._machine: Machine | None = None
        self._latent_size = 0
        # children
        self.preset = preset_box()
        self.preset.main.setObjectName("preset")
        self.summary = QLabel("")
        self.summary.setWordWrap(True)
        self.device = ChoiceEditor({"auto": "Automatic"})
        self.patch = ChoiceEditor({}, "{} pixels".format)
        # Connected before the form, so that the form reads the matching latent size.
        self.patch.value_changed.connect(self._fit_latent)
        self.patch.blockSignals(True)
        editors: dict[str, FieldEditor] = {
            "device": self.device,
            "patch_size": self.patch,
            "monitor_interval": steps_editor(),
        }
        self.form = ConfigForm(FIRST, editors, unused_settings)
        self.torch_build = QLabel("")
        self.torch_build.setObjectName("torch_build")
        self.torch_build.hide()
        # layout
        title = str(RunConfig.model_fields["preset"].title)
        self.form.first.add_above(title, self.preset, self.summary)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        layout.addWidget(self.torch_build)
        self.patch.blockSignals(False)
        self.set_value(preset(DEFAULT_PRESET))
        # signals
        self.preset.value_changed.connect(self._use_preset)
        self.form.value_changed.connect(self._edited)

    def value(self) -> RunConfig:
        """The settings as entered.

        Raises
        ------
        ValueError
            If a value is not allowed; names the setting by its title.
        """
        return self.form.value().model_copy(update={"micrograph": self._micrograph})

    def set_value(self, config: RunConfig) -> None:
        """Show settings."""
        self._micrograph = config.micrograph
        with signals_blocked(self.preset):
            self.preset.set_value(config.preset)
        self.summary.setText(
            PRESETS.summary(config.preset) if config.preset in PRESETS else ""
        )
        self._show(config)

    @property
    def dimensions(self) -> int:
        """Dimensions of the output: 3 for volumes, 2 for images, 1 for points."""
        rows = self.form.parts["architecture"]
        return dimensions_of(str(rows.editors["architecture"].value()))

    def set_micrograph(self, settings: MicrographSettings) -> None:
        """Set how the images were prepared; part of the settings of the run."""
        self._micrograph = settings

    def set_machine(self, machine: Machine) -> None:
        """Offer the devices of this machine; called when torch is loaded."""
        best = next(iter(machine.devices.values()))
        names = {"auto": f"Automatic: {best}", **machine.devices}
        for value, name in names.items():
            index = self.device.box.findData(value)
            if index < 0:
                self.device.box.addItem(name, value)
            else:
                self.device.box.setItemText(index, name)
        self._machine = machine
        self._show_machine()
        config = self._valid()
        if config is not None and not self._knows_torch:
            self._knows_torch = True
            self._show(config)

    def _show_machine(self) -> None:
        """Show what the run is computed on."""
        machine = self._machine
        if machine is not None:
            chosen = self.device.value()
            name = next(iter(machine.devices)) if chosen == "auto" else chosen
            what = "the CPU" if name == "cpu" else machine.devices.get(name, name)
            self.torch_build.setText(f"Running on {what} ({machine.torch_build})")
            self.torch_build.show()

    def _use_preset(self) -> None:
        """Apply a preset; keep the micrograph, the device and the monitor interval.

        A preset with another output dimension also sets the monitor interval.
        """
        entered, chosen = self.form.first.values(), preset(self.preset.value())
        same = chosen.architecture.dimensions == self.dimensions
        kept = ("device", "monitor_interval") if same else ("device",)
        chosen = chosen.changed(**{name: entered[name] for name in kept})
        self.set_value(chosen.model_copy(update={"micrograph": self._micrograph}))
        self.value_changed.emit(self.value())

    def _edited(self, config: RunConfig) -> None:
        if self._knows_torch and self._fitted(config) != config:
            config = self._fitted(config)
            self._show(config)
        self._latent_size = config.architecture.latent_size
        self._show_groups()
        self._show_machine()
        self.value_changed.emit(self.value())

    def _show_groups(self) -> None:
        """Hide the groups of other output dimensions."""
        for group, dimensions in ONLY_FOR.items():
            self.form.sections[group].setVisible(self.dimensions == dimensions)

    def _show(self, config: RunConfig) -> None:
        with signals_blocked(self.patch):
            self.patch.box.clear()
            for size in self._sizes(config):
                self.patch.box.addItem(f"{size} pixels", size)
            self.form.set_value(config)
        self._show_machine()
        self._latent_size = config.architecture.latent_size
        self._show_groups()

    def _sizes(self, config: RunConfig) -> dict[int, int]:
        """Possible patch sizes of the networks, with their latent sizes."""
        if not self._knows_torch:
            return {}
        from napari_slicegan.training.estimates import patch_sizes

        return patch_sizes(config)

    def _fitted(self, config: RunConfig) -> RunConfig:
        """The settings with matching patch and latent size."""
        sizes = self._sizes(config)
        architecture = config.architecture
        wanted, latent = architecture.patch_size, architecture.latent_size
        if not sizes or sizes.get(wanted) == latent:
            return config
        by_latent = {made: size for size, made in sizes.items()}
        # The latent size was changed: the patch follows. After other changes, such as
        # another architecture, the patch stays where that is possible.
        is_latent = latent != self._latent_size and latent in by_latent
        nearest = min(sizes, key=lambda n: abs(n - wanted))
        patch = by_latent[latent] if is_latent else nearest
        return config.changed(patch_size=patch, latent_size=sizes[patch])

    def _valid(self) -> RunConfig | None:
        """The settings as entered; None while the form reports an invalid one."""
        try:
            return self.form.value()
        except ValueError:
            return None

    def _fit_latent(self) -> None:
        """Set the latent size of the chosen patch size."""
        config = self._valid()
        sizes = {} if config is None else self._sizes(config)
        latent = sizes.get(self.patch.value())
        if latent is not None:
            self.form.parts["architecture"].set_values({"latent_size": latent})
