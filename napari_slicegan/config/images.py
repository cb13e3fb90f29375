"""Settings of the images: how they are read, and of systems that make images."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from napari_slicegan.config.base import Settings


class MicrographSettings(Settings):
    """How image values are read from the files."""

    kind: Literal["auto", "phases", "grayscale", "colour", "objects"] = Field(
        "auto",
        title="Image kind",
        description="What the pixel values mean: phase labels, a gray value, a colour, "
        "or numbered objects (phase 1) on a background of 0. 'auto' decides from the "
        "data.",
    )
    channel: str = Field(
        "auto",
        pattern=r"^(auto|luminance|red|green|blue|[1-9]\d?)$",
        title="Channel",
        description="Gray values of a colour image or a file of several detectors: "
        "luminance, red, green, blue, or the number of a channel or page. 'auto' takes "
        "the luminance where gray values are needed.",
    )
    dataset: str = Field(
        "",
        title="Dataset",
        description="Name of the image in files with several (HDF5, MATLAB, microscope "
        "formats); the largest if empty.",
    )
    raw_shape: tuple[int, ...] = Field(
        (),
        title="Raw shape",
        description="Rows and columns, or planes, rows and columns, of a file of plain "
        "values without a header.",
    )
    raw_type: Literal[
        "uint8", "int8", "<u2", ">u2", "<i2", ">i2", "<i4", ">i4", "<f4", ">f4", "<f8"
    ] = Field(
        "uint8",
        title="Raw type",
        description="Number format of a file of plain values; < is little-endian.",
    )
    segmentation: Literal[
        "none", "otsu", "multi-otsu", "thresholds", "local", "classifier"
    ] = Field(
        "none",
        title="Segmentation",
        description="Method that turns gray values into phases before training.",
    )
    n_phases: int = Field(
        3,
        ge=2,
        le=16,
        title="Phases",
        description="Number of phases that multi-Otsu separates.",
    )
    # Judged with the image, whose name and gray values the sentence has.
    thresholds: tuple[Annotated[float, Field(allow_inf_nan=True)], ...] = Field(
        (),
        title="Thresholds",
        description="Gray values between neighbouring phases, in ascending order.",
    )
    local_window: int = Field(
        51,
        ge=3,
        le=1001,
        title="Local window",
        description="Window size of the local threshold, in pixels (odd).",
    )
    classifier: str = Field(
        "",
        title="Classifier",
        description="File of a pixel classifier (.npz) trained on brush strokes; "
        "kept in the run folder.",
    )
    smallest_object: int = Field(
        0,
        ge=0,
        title="Smallest object",
        description="Connected areas of fewer pixels are removed from all phases but "
        "the darkest.",
    )
    smallest_hole: int = Field(
        0,
        ge=0,
        title="Smallest hole",
        description="Connected areas of the darkest phase of fewer pixels are filled.",
    )
    destripe: Literal["none", "rows", "columns"] = Field(
        "none",
        title="Destriping",
        description="Equalises mean and contrast of all rows, or of all columns, "
        "before any other step: removes curtaining of milled surfaces (FIB-SEM), "
        "charging and drift. Not for structures as long as a line.",
    )
    denoise: Literal["none", "median", "gaussian"] = Field(
        "none",
        title="Denoising",
        description="Filter applied to gray values before segmentation.",
    )
    denoise_radius: float = Field(
        1.0,
        gt=0,
        le=20,
        title="Denoising radius",
        description="Radius of the median, or sigma of the Gaussian, in pixels.",
    )
    crop: tuple[int, int, int, int] | Literal["auto"] | None = Field(
        None,
        title="Crop",
        description="Part of the image to use: first row, row after the last, first "
        "column, column after the last; or auto, which leaves out data bars and "
        "borders without values.",
    )
    rescale: float = Field(
        1.0,
        ge=0.05,
        le=8,
        title="Rescale factor",
        description="Factor on the number of pixels per axis; below 1 a patch covers "
        "more of the material.",
    )
    pixel_size_nm: float | None = Field(
        None,
        gt=0,
        title="Pixel size",
        description="Pixel size in nanometres; read from the file if empty.",
    )
    z_step_nm: float | None = Field(
        None,
        gt=0,
        title="Plane distance",
        description="Distance of the planes of a volume in nanometres; read from the "
        "file if empty.",
    )


class ImageSettings(Settings):
    """How systems of 2-D images read and judge their images."""

    cut_axis: Literal["none", "z", "y", "x"] = Field(
        "none",
        title="Cut along",
        description="Axis along which a volume is cut into whole images, such as the "
        "slices of a brain scan; 'none': random crops of micrographs.",
    )
    max_images: int | None = Field(
        None,
        ge=1,
        title="Maximum images",
        description="Largest number of images used, evenly spaced over the set; empty "
        "for all.",
    )
    aligned: bool = Field(
        False,
        title="Aligned images",
        description="The images show the same object at the same place, such as "
        "brains or parts: their structural similarity (SSIM) is measured. Meaningless "
        "for micrographs.",
    )
    scaling: Literal["min-max", "rows", "columns"] = Field(
        "min-max",
        title="Scaling",
        description="'min-max': by minimum and maximum of the set. 'rows', 'columns': "
        "standardise each row or column by its mean and standard deviation over the "
        "set, which removes drift between lines and restores it in generated images.",
    )
    log_offset: float | None = Field(
        None,
        gt=0,
        title="Logarithm offset",
        description="Offset added to the values before taking the logarithm, with "
        "'rows' or 'columns'; empty for no logarithm.",
    )
    roll: int = Field(
        0,
        ge=0,
        le=4096,
        title="Roll",
        description="Data augmentation: largest number of columns by which an image "
        "is rolled at random; 0 for none.",
    )
    evaluation_images: int = Field(
        64,
        ge=16,
        le=4096,
        title="Evaluation images",
        description="Number of generated images that monitoring compares with as many "
        "real ones.",
    )


METHODS_OF: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "thresholds": ("segmentation", ("thresholds",)),
    "n_phases": ("segmentation", ("multi-otsu",)),
    "local_window": ("segmentation", ("local",)),
    "classifier": ("segmentation", ("classifier",)),
    "denoise_radius": ("denoise", ("median", "gaussian")),
    "log_offset": ("scaling", ("rows", "columns")),
}
"""Setting -> the switch, and the values of it that the setting belongs to."""
EMPTY = ((), "", None)
"""Values of settings that are left out."""
OF_ONE_FILE = ("dataset", "channel", "raw_shape", "raw_type", "z_step_nm")
"""Settings by which a file is read; another file has others."""


class NotApplicableError(ValueError):
    """A setting that has no effect on an image.

    Parameters
    ----------
    setting
        Its name.
    sentence
        Expected, got, what to do.
    """

    def __init__(self, setting: str, sentence: str) -> None:
        super().__init__(sentence)
        self.setting = setting


SettingsT = TypeVar("SettingsT", bound=Settings)


def check_micrograph(settings: MicrographSettings) -> None:
    """Refuse settings that contradict each other, or that would have no effect.

    Raises
    ------
    ValueError
        For the first of them: one sentence.
    """
    for _, sentence in _contradictions(settings, non_default(settings)):
        raise ValueError(sentence)


def settled(settings: SettingsT, named: Collection[str] | None = None) -> SettingsT:
    """The settings without contradictions.

    Parameters
    ----------
    named
        Settings that a person has named just now. Others that contradict them are
        inherited (from a preset, a file or a run) and reset to their defaults.
        None: all are inherited, as those of a run of an earlier release.

    Raises
    ------
    ValueError
        If named settings contradict each other: one sentence.
    """
    kept = frozenset(named or ())
    concerned = set(type(settings).model_fields if named is None else named)
    is_settled = False
    while not is_settled:
        is_settled = True
        changed = non_default(settings)
        given = changed | {n for n in kept if getattr(settings, n, None) not in EMPTY}
        for names, sentence in _contradictions(settings, given):
            if concerned.isdisjoint(names):
                continue
            inherited = [name for name in names if name in changed - kept]
            if not inherited:
                raise ValueError(sentence)
            settings = without(settings, inherited[:1])
            concerned.add(inherited[0])
            is_settled = False
            break
    return settings


def _contradictions(
    settings: Settings, given: Collection[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Settings that contradict each other, and the sentence that refuses them.

    The first of them is the one that has no effect beside the others.
    """
    for name, (switch, methods) in METHODS_OF.items():
        if name not in given or name not in type(settings).model_fields:
            continue
        method, kind = getattr(settings, switch), getattr(settings, "kind", "auto")
        if method not in methods:
            also = f" and {_titled('kind')} {kind}" if kind != "auto" else ""
            yield (
                (name, switch),
                f"{_titled(name)} belongs to {_titled(switch)} {' or '.join(methods)}, "
                f"got {method}{also}; leave it out or change that.",
            )
    if not isinstance(settings, MicrographSettings):
        return
    if "raw_type" in given and not settings.raw_shape:
        yield (
            ("raw_type", "raw_shape"),
            f"{_titled('raw_type')} is of a file of plain values, got no "
            f"{_titled('raw_shape')}; give both or neither.",
        )
    if settings.segmentation != "none" and settings.kind in ("colour", "objects"):
        yield (
            ("segmentation", "kind"),
            f"{_titled('segmentation')} {settings.segmentation} makes phases of gray "
            f"values, got {_titled('kind')} {settings.kind}; leave one of them out.",
        )
    if settings.channel != "auto" and settings.kind == "colour":
        yield (
            ("channel", "kind"),
            f"{_titled('kind')} colour keeps all channels, got {_titled('channel')} "
            f"{settings.channel}; leave one of them out.",
        )
    is_unlabelled = settings.segmentation == "none" and settings.kind in (
        "grayscale",
        "colour",
    )
    for name in ("smallest_object", "smallest_hole"):
        if is_unlabelled and getattr(settings, name):
            yield (
                (name, "kind", "segmentation"),
                f"{_titled(name)} applies to phases, got {_titled('kind')} "
                f"{settings.kind}; leave it out or choose a segmentation.",
            )


def without(settings: SettingsT, names: Iterable[str]) -> SettingsT:
    """The settings with the defaults of these."""
    default = type(settings)()
    return settings.model_copy(update={n: getattr(default, n) for n in names})


def non_default(settings: Settings) -> set[str]:
    """Names of the settings that differ from their defaults."""
    default = type(settings)()
    return {
        name
        for name in type(settings).model_fields
        if getattr(settings, name) != getattr(default, name)
    }


def _titled(name: str) -> str:
    fields = {**MicrographSettings.model_fields, **ImageSettings.model_fields}
    return f"'{fields[name].title}' ({name})"
