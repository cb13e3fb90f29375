"""The command ``slicegan baseline``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import DONE, config_from, say, volume_size
from napari_slicegan.cli.train import micrographs
from napari_slicegan.generation.gaussian_field import gaussian_volume
from napari_slicegan.runtime.atomic_files import safe_name
from napari_slicegan.volumes.files import check_can_write_volume

if TYPE_CHECKING:
    from argparse import Namespace


def baseline(options: Namespace) -> int:
    """Write a Gaussian random field with the statistics of images."""
    if options.out:
        check_can_write_volume(options.out)
    size = volume_size(options.size)
    images = micrographs(options, config_from(options))
    shape = "x".join(map(str, size))
    name = (
        f"{safe_name(Path(images.name).stem)}-gaussian-{shape}-seed{options.seed}.tif"
    )
    out: Path = options.out or Path(name)
    check_can_write_volume(out)
    volume = gaussian_volume(images, size, options.seed, options.periodic)
    fractions = dict(zip(images.labels, images.phase_fractions, strict=True))
    for label, real in fractions.items():
        made = float((volume.values == label).mean())
        say(f"Phase {label}: fraction {made:.4f}, in the images {real:.4f}")
    volume.save(out)
    say(f"Saved {out}")
    return DONE
