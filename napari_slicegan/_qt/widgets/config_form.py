"""Forms built from the settings: one input per field."""

from __future__ import annotations

import re
import types
import typing
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QLargeIntSpinBox
from superqt.utils import signals_blocked

from napari_slicegan._qt.widgets.basics import (
    DECIMALS,
    ERROR,
    ChoiceBox,
    DecimalBox,
    MessageLine,
    Section,
    is_dark,
    set_row_visible,
    show_limit,
)
from napari_slicegan.config import RunConfig, Settings, choices_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from qtpy.QtCore import SignalInstance

MAX_INT = 2**31 - 1
MAX_FLOAT = 1e9


class FieldEditor(QWidget):
    """Base class of the inputs: a row of widgets with one value."""

    value_changed = Signal()

    def __init__(self, *inputs: QWidget) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for each in inputs:
            layout.addWidget(each)
        self.main: QWidget = inputs[-1]
        """Widget that receives the focus and the name of the field."""
        self.setFocusProxy(self.main)

    def value(self) -> Any:
        """The entered value, validated by the settings."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Set the value."""
        raise NotImplementedError


class InputEditor(FieldEditor):
    """One Qt input with its signal, getter and setter."""

    def __init__(
        self,
        widget: QWidget,
        changed: SignalInstance,
        read: Callable[[], Any],
        write: Callable[[Any], Any],
    ) -> None:
        super().__init__(widget)
        self._read, self._write = read, write
        changed.connect(self.value_changed)

    def value(self) -> Any:
        """The entered value."""
        return self._read()

    def set_value(self, value: Any) -> None:
        """Set the value."""
        self._write(value)


def text_editor() -> FieldEditor:
    """Return an input for a text."""
    line = QLineEdit()
    return InputEditor(
        line, line.editingFinished, lambda: line.text().strip(), line.setText
    )


def switch_editor() -> FieldEditor:
    """Return a check box."""
    box = QCheckBox()
    return InputEditor(box, box.toggled, box.isChecked, box.setChecked)


class ChoiceEditor(FieldEditor):
    """One of several values.

    Parameters
    ----------
    choices
        Value -> displayed text.
    text
        Displayed text of a value that is added later.
    """

    def __init__(
        self, choices: Mapping[Any, str], text: Callable[[Any], str] = str
    ) -> None:
        self._text = text
        # children
        self.box = ChoiceBox()
        for value, shown in choices.items():
            self.box.addItem(shown, value)
        # layout
        super().__init__(self.box)
        # signals
        self.box.currentIndexChanged.connect(self.value_changed)

    def value(self) -> Any:
        """The chosen value."""
        return self.box.currentData()

    def set_value(self, value: Any) -> None:
        """Choose; a value that is not in the list is added to it."""
        if self.box.findData(value) < 0:
            self.box.addItem(self._text(value), value)
        self.box.setCurrentIndex(self.box.findData(value))


class WholeBox(QLargeIntSpinBox):
    """Whole numbers of any size; one beyond a limit becomes that, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self._typed = ""
        line = self.lineEdit()
        if line is not None:
            line.textEdited.connect(self._remember)
        self.editingFinished.connect(self._compare)

    def _remember(self, text: str) -> None:
        self._typed = text

    def _compare(self) -> None:
        """The base class has replaced what was typed by a number that is allowed."""
        typed, self._typed = self._typed, ""
        value: int = self.value()  # type: ignore[no-untyped-call]
        if typed.lstrip("-").isdigit() and int(typed) != value:
            show_limit(self, value)


def adaptive_box() -> DecimalBox:
    """Return an input for decimal numbers, whose step is a tenth of their size."""
    box = DecimalBox()
    box.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
    return box


def number_editor(facts: FieldInfo, *, whole: bool) -> FieldEditor:
    """Return an input for an integer or decimal number within its bounds."""
    box = WholeBox() if whole else adaptive_box()
    low, high = bounds_of(facts, step=1 if whole else 10**-DECIMALS)
    largest = MAX_INT if whole else MAX_FLOAT
    box.setRange(-MAX_INT if low is None else low, largest if high is None else high)
    box.setKeyboardTracking(False)
    return InputEditor(box, box.valueChanged, box.value, box.setValue)


class OptionalEditor(FieldEditor):
    """Number with a check box; unchecked is None."""

    def __init__(self, editor: FieldEditor) -> None:
        # children
        self.tick = QCheckBox()
        self.editor = editor
        # layout
        self.tick.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        super().__init__(self.tick, editor)
        self.main = editor.main
        editor.setEnabled(False)
        # signals
        self.tick.toggled.connect(editor.setEnabled)
        self.tick.toggled.connect(self.value_changed)
        editor.value_changed.connect(self.value_changed)

    def value(self) -> Any:
        """The number, or None."""
        return self.editor.value() if self.tick.isChecked() else None

    def set_value(self, value: Any) -> None:
        """Set the number, or uncheck for None."""
        if value is not None:
            self.editor.set_value(value)
        self.tick.setChecked(value is not None)


class NumbersEditor(FieldEditor):
    """Numbers separated by commas; nested groups separated by semicolons."""

    def __init__(self, *, nested: bool, optional: bool) -> None:
        # children
        self.line = QLineEdit()
        self.line.setPlaceholderText("4, 2, 2; 4, 2, 3" if nested else "none")
        # layout
        super().__init__(self.line)
        self._nested = nested
        self._empty: tuple[()] | None = None if optional else ()
        # signals
        self.line.editingFinished.connect(self.value_changed)

    def value(self) -> Any:
        """Tuple of strings, converted and validated by the settings."""
        text = self.line.text().strip(" ;,")
        if not text:
            return self._empty
        if self._nested:
            return tuple(_words(group) for group in text.split(";"))
        return _words(text)

    def set_value(self, value: Any) -> None:
        """Set the tuple."""
        if self._nested:
            groups = (", ".join(map(str, group)) for group in value or ())
            self.line.setText("; ".join(groups))
        else:
            self.line.setText(", ".join(f"{number:.10g}" for number in value or ()))


def field_editor(facts: FieldInfo) -> FieldEditor:
    """Return the input for a field of the settings, by its type."""
    parts = _members(facts.annotation)
    optional = type(None) in parts
    kind = next(part for part in parts if part is not type(None))
    if choices := choices_of(facts):
        return ChoiceEditor({choice: choice for choice in choices})
    if typing.get_origin(kind) is tuple:
        nested = "tuple" in str(typing.get_args(kind)[0])
        return NumbersEditor(nested=nested, optional=optional)
    if kind is bool:
        return switch_editor()
    if kind in (int, float):
        number = number_editor(facts, whole=kind is int)
        # The smallest number above zero would be no proposal.
        number.set_value(1)
        return OptionalEditor(number) if optional else number
    return text_editor()


def bounds_of(facts: FieldInfo, step: float) -> tuple[Any, Any]:
    """Return the limits of a field; exclusive bounds are shifted by a step."""
    limits = {
        name: getattr(rule, name)
        for rule in facts.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(rule, name, None) is not None
    }
    low = limits["gt"] + step if "gt" in limits else limits.get("ge")
    high = limits["lt"] - step if "lt" in limits else limits.get("le")
    return low, high


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _members(kind: Any) -> list[Any]:
    """Members of a union, or the type alone, without their annotations."""
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return [
        typing.get_args(part)[0]
        if typing.get_origin(part) is typing.Annotated
        else part
        for part in (typing.get_args(kind) if is_union else (kind,))
    ]


EMPTY = re.compile(r"\b(e|E)mpty (?=for|to)")
"""In the descriptions of optional settings, which have a check box here."""
GROUPS = ("architecture", "slices", "images", "objective", "optimiser", "training")


def _untick(empty: re.Match[str]) -> str:
    return "Untick " if empty[1] == "E" else "untick "


class FieldRows(QWidget):
    """Form rows for some fields of one model.

    Parameters
    ----------
    fields
        Fields by name, as described by pydantic.
    editors
        Inputs that replace those chosen by type.
    """

    value_changed = Signal()
    typed = Signal()
    """A text is being typed; `value_changed` follows when editing ends."""

    def __init__(
        self,
        fields: Mapping[str, FieldInfo],
        editors: Mapping[str, FieldEditor] | None = None,
    ) -> None:
        super().__init__()
        self._faulty: list[str] = []
        # children
        self.message = MessageLine()
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
            editor, label = self.editors[name], QLabel(str(facts.title))
            editor.setObjectName(f"{name}_row")
            editor.main.setObjectName(name)
            if isinstance(editor, OptionalEditor):
                editor.tick.setObjectName(f"{name}_on")
            tip = str(facts.description)
            if isinstance(editor, OptionalEditor):
                tip = EMPTY.sub(_untick, tip)
            for widget in (editor, label):
                # Rich text is wrapped; plain text would be one long line.
                widget.setToolTip(f"<qt>{tip}</qt>")
            self._rows.addRow(label, editor)
        # signals
        for editor in self.editors.values():
            editor.value_changed.connect(self.value_changed)
            if isinstance(editor.main, QLineEdit):
                editor.main.textEdited.connect(lambda text: self.typed.emit())

    def add_above(self, title: str, editor: FieldEditor, *below: QWidget) -> None:
        """Add a row at the top, and widgets across the form below it."""
        for number, widget in enumerate(below):
            self._rows.insertRow(number, widget)
        self._rows.insertRow(0, title, editor)

    def show_fault(self, sentence: str, *, marks_only: bool = False) -> bool:
        """Mark the inputs that a sentence names, and show it below the last of them.

        Parameters
        ----------
        sentence
            Empty to remove the marks.
        marks_only
            Do not show the sentence.

        Returns
        -------
        bool
            Whether it names any.
        """
        self._faulty = [name for name in self.editors if f"({name})" in sentence]
        self._mark()
        if self.message.text():
            self._rows.takeRow(self.message)
            self.message.clear()
        if self._faulty and not marks_only:
            last = self._rows.indexOf(self.editors[self._faulty[-1]])
            number = self._rows.getItemPosition(last)[0]  # type: ignore[index]
            self._rows.insertRow(number + 1, self.message)
            for name in self._faulty:
                sentence = sentence.replace(f" ({name})", "")
            self.message.show_error(sentence)
        return bool(self._faulty)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self._faulty:
            self._mark()

    def _mark(self) -> None:
        colour = ERROR[0 if is_dark(self) else 1]
        for name, editor in self.editors.items():
            sheet = ""
            if name in self._faulty:
                # Not of its children, such as the list of a box.
                kind = editor.main.metaObject().className()
                sheet = f"{kind} {{ border: 1px solid {colour}; }}"
            # Setting a sheet lays the input out anew.
            if sheet != editor.main.styleSheet():
                editor.main.setStyleSheet(sheet)

    def values(self) -> dict[str, Any]:
        """Entered values by field name."""
        return {name: editor.value() for name, editor in self.editors.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set values without a signal; names without a row are ignored."""
        with signals_blocked(self):
            for name in self.editors.keys() & values.keys():
                self.editors[name].set_value(values[name])

    def set_row_visible(self, name: str, visible: bool) -> None:
        """Show or hide one row."""
        set_row_visible(self._rows, self.editors[name], visible)


class ConfigForm(QWidget):
    """Edits the settings of a run: some always visible, the others in sections.

    Parameters
    ----------
    first
        Settings that are always visible, in this order.
    editors
        Inputs that replace those chosen by type.
    unused
        Names of the settings without an effect beside the entered values, which are
        given by name. They are hidden and do not count.
    """

    value_changed = Signal(object)
    """The new settings; not emitted while an input is invalid."""
    refused = Signal(str)
    """One sentence about an invalid input, which is also shown."""

    def __init__(
        self,
        first: Sequence[str] = (),
        editors: Mapping[str, FieldEditor] | None = None,
        unused: Callable[[Mapping[str, Any]], Collection[str]] = lambda entered: (),
    ) -> None:
        super().__init__()
        self._config = RunConfig()
        self._unused = unused
        # About the entered values; empty if they are allowed.
        self._fault = ""
        # children
        fields: dict[str, dict[str, FieldInfo]] = {
            group: type(getattr(self._config, group)).model_fields for group in GROUPS
        }
        known = dict(ChainMap(*fields.values()))
        self.first = FieldRows({name: known[name] for name in first}, editors)
        self.parts = {
            group: FieldRows(
                {name: facts for name, facts in each.items() if name not in first},
                editors,
            )
            for group, each in fields.items()
        }
        self._rows = (self.first, *self.parts.values())
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
        for rows in self._rows:
            rows.value_changed.connect(self._check)
            rows.typed.connect(self._check_again)

    def value(self) -> RunConfig:
        """The settings as entered.

        Raises
        ------
        ValueError
            If a value is invalid; names the setting by its title.
        """
        known = ChainMap(*(dict(getattr(self._config, group)) for group in GROUPS))
        entered = self._entered()
        unused = self._unused(entered)
        # What is not touched is not named: it may belong to a method that is off.
        return self._config.changed(
            **{
                name: value
                for name, value in entered.items()
                if value != known[name] and name not in unused
            }
        )

    def set_value(self, config: RunConfig) -> None:
        """Set the settings; fields without a row are kept."""
        self._config = config
        for group in type(config).model_fields:
            settings = getattr(config, group)
            if isinstance(settings, Settings):
                for rows in self._rows:
                    rows.set_values(dict(settings))
        self._hide_unused()
        self._show_fault("")

    @property
    def fault(self) -> str:
        """One sentence about an invalid input; empty if there is none."""
        return self._fault

    def _entered(self) -> Mapping[str, Any]:
        return ChainMap(*(rows.values() for rows in self._rows))

    def _hide_unused(self) -> None:
        unused = self._unused(self._entered())
        for rows in self._rows:
            for name in rows.editors:
                rows.set_row_visible(name, name not in unused)

    def _show_fault(self, sentence: str) -> None:
        """Show a sentence once: by the inputs that it names, or else at the end."""
        self._fault = sentence
        self.message.show_error(sentence)
        for group, rows in (("", self.first), *self.parts.items()):
            if rows.show_fault(sentence, marks_only=not self.message.text()):
                self.message.clear()
                if group:
                    self.section.set_open(True)
                    self.sections[group].set_open(True)

    def _check_again(self) -> None:
        """While something is typed, a fault is gone as soon as it is corrected."""
        if self._fault:
            self._check()

    def _check(self) -> None:
        """Show an invalid value, or emit the settings."""
        self._hide_unused()
        try:
            config = self.value()
        except ValueError as error:
            self._show_fault(str(error))
            self.refused.emit(str(error))
            return
        self._show_fault("")
        self.value_changed.emit(config)
