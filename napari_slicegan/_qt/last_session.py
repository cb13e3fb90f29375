"""Pictures and settings of the last session, kept over restarts of napari."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_config_path

from napari_slicegan.config import AXES
from napari_slicegan.config.migration import FORMAT, migrate
from napari_slicegan.config.run import parse_config
from napari_slicegan.runtime.atomic_files import replacing

if TYPE_CHECKING:
    from napari_slicegan.config import Axis, RunConfig

logger = logging.getLogger(__name__)

FILE = "napari-slicegan-last-session.json"


@dataclass(frozen=True)
class LastSession:
    """What was open last.

    Attributes
    ----------
    pictures
        Files by viewing direction; z alone is an isotropic material.
    config
        Settings of the next run.
    """

    pictures: Mapping[Axis, Sequence[Path]]
    config: RunConfig

    @property
    def name(self) -> str:
        """Name of the picture, or of the first of several."""
        names = [path.name for paths in self.pictures.values() for path in paths]
        more = "" if len(names) == 1 else f" and {len(names) - 1} more"
        return f"{names[0]}{more}"


def session_file() -> Path:
    """File of the last session, beside napari's settings where these are moved."""
    moved = os.environ.get("NAPARI_CONFIG")
    if moved:
        return Path(moved).parent / FILE
    return user_config_path("napari-slicegan", appauthor=False) / FILE


def remember(session: LastSession) -> None:
    """Write the file; a folder that cannot be written causes a log line only."""
    facts = {
        "format": FORMAT,
        "pictures": {
            axis: [str(path.absolute()) for path in paths]
            for axis, paths in session.pictures.items()
        },
        "settings": session.config.model_dump(mode="json"),
    }
    path = session_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    except OSError as error:
        logger.warning("The last session is not kept in %s: %s", path, error)


def recall() -> LastSession | None:
    """The last session, if its pictures still exist; a damaged file is ignored."""
    path = session_file()
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        pictures = _pictures(facts["pictures"])
        config = parse_config(migrate(facts["settings"], facts["format"]))
        exist = all(one.exists() for paths in pictures.values() for one in paths)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        logger.warning("The last session in %s is ignored: %s", path, error)
        return None
    return LastSession(pictures, config) if pictures and exist else None


def _pictures(facts: Any) -> dict[Axis, tuple[Path, ...]]:
    """Paths by viewing direction."""
    return {axis: tuple(map(Path, facts[axis])) for axis in AXES if facts.get(axis)}
