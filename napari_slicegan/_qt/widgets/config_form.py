"""Forms built from the settings: label, help text and bounds of each field.

Nothing about a setting is written here: a field that is added to ``config.py``
appears by itself.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_slicegan._qt.widgets.field_editors import (
    FieldEditor,
    OptionalEditor,
    field_editor,
)
from napari_slicegan._qt.widgets.messages import MessageLine
from napari_slicegan._qt.widgets.section import Section
from napari_slicegan.config import RunConfig, Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

GROUPS = ("architecture", "slices", "images", "objective", "optimiser", "training")


class FieldRows(QWidget):
    """Rows for some fields of one model.

    Parameters
    ----------
    fields
        Name of each setting and its description by pydantic.
    editors
        Inputs to use instead of those that follow from the type.
    """

    value_changed = Signal()

    def __init__(
        self,
        fields: Mapping[str, FieldInfo],
        editors: Mapping[str, FieldEditor] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        # children
        given = editors or {}
        self.editors = {
            name: given.get(name) or field_editor(facts)
            for name, facts in fields.items()
        }
        # layout
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setFieldGrowthPolicy(
            QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        )
        for name, facts in fields.items():
            self._add(name, facts)
        # signals
        for editor in self.editors.values():
            editor.value_changed.connect(self.value_changed)

    def _add(self, name: str, facts: FieldInfo) -> None:
        editor, label = self.editors[name], QLabel(str(facts.title))
        editor.setObjectName(f"{name}_row")
        editor.main.setObjectName(name)
        if isinstance(editor, OptionalEditor):
            editor.tick.setObjectName(f"{name}_on")
        for widget in (editor, label):
            # Rich text is wrapped; plain text would be one long line.
            widget.setToolTip(f"<qt>{facts.description}</qt>")
        self._rows.addRow(label, editor)

    def values(self) -> dict[str, Any]:
        """What is entered, by the names of the fields."""
        return {name: editor.value() for name, editor in self.editors.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values; names without a row are passed over, without a signal."""
        blocked = self.blockSignals(True)
        for name in self.editors.keys() & values.keys():
            self.editors[name].set_value(values[name])
        self.blockSignals(blocked)

    def set_row_visible(self, name: str, visible: bool) -> None:
        """Show or hide one row."""
        editor = self.editors[name]
        editor.setVisible(visible)
        label = self._rows.labelForField(editor)
        if label is not None:
            label.setVisible(visible)


class ConfigForm(QWidget):
    """Edits the settings of a run: some of them open, all others in sections.

    Parameters
    ----------
    first
        Settings that are always in sight, in this order.
    groups
        Groups of settings whose other fields go into a section each.
    editors
        Inputs to use instead of those that follow from the type.
    """

    value_changed = Signal(object)
    """The new settings; not sent while an input is not allowed."""

    def __init__(
        self,
        first: Sequence[str] = (),
        groups: Sequence[str] = GROUPS,
        editors: Mapping[str, FieldEditor] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._config = RunConfig()
        # children
        fields = _fields_of(groups)
        known = dict(ChainMap(*fields.values()))
        self.first = FieldRows({name: known[name] for name in first}, editors)
        self.parts = {
            group: FieldRows(
                {name: facts for name, facts in each.items() if name not in first},
                editors,
            )
            for group, each in fields.items()
        }
        self.sections: dict[str, Section] = {}
        self.message = MessageLine()
        # layout
        inner = QVBoxLayout()
        inner.setContentsMargins(12, 0, 0, 0)
        for group, rows in self.parts.items():
            content = QVBoxLayout()
            content.setContentsMargins(12, 0, 0, 0)
            content.addWidget(rows)
            self.sections[group] = Section(group.capitalize(), content)
            inner.addWidget(self.sections[group])
        self.section = Section("All settings", inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.first)
        layout.addWidget(self.section)
        layout.addWidget(self.message)
        layout.addStretch()
        self.set_value(self._config)
        # signals
        for rows in (self.first, *self.parts.values()):
            rows.value_changed.connect(self._check)

    def value(self) -> RunConfig:
        """The settings as entered.

        Raises
        ------
        ValueError
            If a value is not allowed; names the setting by its title.
        """
        entered = self.first.values()
        for rows in self.parts.values():
            entered |= rows.values()
        return self._config.changed(**entered)

    def set_value(self, config: RunConfig) -> None:
        """Show settings; those that have no row are kept as they are."""
        self._config = config
        for group in type(config).model_fields:
            settings = getattr(config, group)
            if isinstance(settings, Settings):
                for rows in (self.first, *self.parts.values()):
                    rows.set_values(dict(settings))
        self.message.clear()

    def _check(self) -> None:
        """Tell what is not allowed, or pass the settings on."""
        try:
            config = self.value()
        except ValueError as error:
            self.message.show_error(str(error))
            return
        self.message.clear()
        self.value_changed.emit(config)


def _fields_of(groups: Sequence[str]) -> dict[str, dict[str, FieldInfo]]:
    """Fields of some groups of the settings."""
    models = {name: RunConfig.model_fields[name].annotation for name in groups}
    return {
        name: model.model_fields
        for name, model in models.items()
        if isinstance(model, type) and issubclass(model, Settings)
    }
