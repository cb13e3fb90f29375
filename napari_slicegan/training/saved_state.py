"""Parts of a run take over what a checkpoint kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Part(Protocol):
    """What gives its state and takes it over again."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Take over a state."""


def load_parts(parts: Mapping[str, Part], state: Mapping[str, Any]) -> None:
    """Give each part its own state.

    Raises
    ------
    ValueError
        If a state is missing or does not fit its part, as after a change of the
        program: the parts that came before have their state then, so that whoever
        owns them must not go on.
    """
    for name, part in parts.items():
        try:
            part.load_state_dict(state[name])
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            found = "one that does not fit" if name in state else "none"
            raise ValueError(
                f"The checkpoint is of another version of napari-slicegan: expected a "
                f"state of '{name.replace('_', ' ')}', got {found}. Resume the run "
                "with the version in its config.json, or start a new one; its "
                "generator can still be used."
            ) from error
