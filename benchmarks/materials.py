"""The materials of the benchmarks: images, their 3-D truth, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_slicegan.cli.demo import MATERIALS as DEMO_MATERIALS
from napari_slicegan.cli.demo import Material

if TYPE_CHECKING:
    from napari_slicegan.config import MicrographSettings
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.volumes.volume import Volume


@dataclass(frozen=True)
class Limits:
    """What a volume must reach.

    Attributes
    ----------
    fraction
        Largest difference of a phase fraction from the images' own.
    correlation
        Mean difference of the two-point correlations; None is 1.5 noise floors.
    face
        Relative difference of the interface density, along any axis.
    percolating
        Difference of the percolating fraction from the truth's, along any axis.
    transport
        Relative difference of the effective diffusivity, along any axis.
    """

    fraction: float = 0.01
    correlation: float | None = None
    face: float = 0.05
    percolating: float = 0.03
    transport: float = 0.2


@dataclass(frozen=True)
class Case:
    """One material of the benchmark.

    Attributes
    ----------
    material
        Its samples, and the settings it needs.
    conducting
        Label of the phase whose percolation and diffusivity are looked at.
    """

    material: Material
    conducting: int = 255
    limits: Limits = field(default_factory=Limits)


THREE_PHASE = Material(("spheres_slice",), {})

CASES: Mapping[str, Case] = MappingProxyType(
    {
        "bentheimer": Case(
            DEMO_MATERIALS["bentheimer"], limits=Limits(correlation=0.0066)
        ),
        "nanoporous-gold": Case(DEMO_MATERIALS["nanoporous-gold"], conducting=1),
        "fibres": Case(DEMO_MATERIALS["fibres"], conducting=0),
        "three-phase": Case(THREE_PHASE, conducting=0),
    }
)


def settings_of(name: str) -> Mapping[str, Any]:
    """Settings that the images of a material need."""
    return CASES[name].material.settings


@cache
def images_of(name: str, settings: MicrographSettings) -> TrainingImages:
    """Images that a generator is trained on."""
    return CASES[name].material.images(settings)


@cache
def truth_of(name: str) -> Volume | None:
    """Volume that the images were cut from, where there is one."""
    return CASES[name].material.truth()
