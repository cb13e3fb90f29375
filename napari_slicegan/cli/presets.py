"""The command ``slicegan presets``; loads no torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import DONE, say
from napari_slicegan.config import FORMAT
from napari_slicegan.config.presets import PRESETS, preset

if TYPE_CHECKING:
    from argparse import Namespace


def presets(options: Namespace) -> int:
    """List the presets, or the settings of one."""
    if options.name:
        settings = preset(options.name).model_dump(mode="json")
        say(json.dumps({"format": FORMAT, **settings}, indent=2))
        return DONE
    for name in PRESETS:
        say(f"{name:16} {PRESETS.summary(name)}")
    return DONE
