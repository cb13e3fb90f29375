"""The generator file: weights, spec, transform and voxel size in one safetensors."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from napari_slicegan.config import parse_json
from napari_slicegan.config.migration import refuse_newer
from napari_slicegan.data.pixel_values import PhaseColours
from napari_slicegan.data.transforms import (
    OneHotPhases,
    Transform,
    transform_from_state,
)
from napari_slicegan.models import (
    ARCHITECTURES,
    GeneratorNetwork,
    VolumeGenerator,
    build_generator,
)
from napari_slicegan.runtime.atomic_files import replacing

if TYPE_CHECKING:
    import torch

FORMAT = "napari-slicegan generator 2"
FORMATS = ("napari-slicegan generator 1", FORMAT)
"""Release 0.1.0 reads the first, in which all its networks are written."""
COLOURS = TypeAdapter(PhaseColours)
# Raised for metadata that are incomplete or do not match the weights.
UNFIT = (ValidationError, json.JSONDecodeError, KeyError, RuntimeError, TypeError)


NOT_STORED: Mapping[str, object] = {
    "noise": False,
    "voxel_noise": False,
    "fields": 1,
    "stretch": (1, 1, 1),
    "initialisation": "glorot",
    "negative_slope": 0.0,
}
"""Values of a spec that files leave out."""


@dataclass(frozen=True)
class TrainedNetwork:
    """Network, transform to micrograph values, and voxel size.

    Attributes
    ----------
    network
        In evaluation mode, on the CPU.
    voxel_size_nm
        Edge of a voxel in nanometres, if the micrograph's pixel size was known.
    colours
        Colours of the phases, if those of the micrograph have some.
    lineage
        Identities of the run that trained it, last, and of those before it from whose
        weights that one started; empty where unknown.
    """

    network: GeneratorNetwork
    transform: Transform
    voxel_size_nm: float | None
    name: str = "generator"
    colours: Mapping[int, str] = field(default_factory=dict)
    lineage: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[int, ...]:
        """Labels of the phases; none for gray values and colours."""
        transform = self.transform
        return transform.labels if isinstance(transform, OneHotPhases) else ()

    def save(self, path: str | Path) -> None:
        """Write weights and metadata; the file is whole or not there."""
        facts = {
            **self._material(),
            "voxel_size_nm": self.voxel_size_nm,
            "name": self.name,
            "colours": dict(self.colours),
            "lineage": list(self.lineage),
        }
        spec = facts["spec"]
        is_new = spec["architecture"] == "slicegan-aa" or bool(spec.keys() & NOT_STORED)
        metadata = {"format": FORMATS[is_new], "facts": json.dumps(facts)}
        content = reproducible(save(self._weights(), metadata))
        # safetensors' own save_file ignores the umask: only the user could read it.
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(content)

    def weights_digest(self) -> str:
        """SHA-256 of the weights."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self._weights().items()):
            digest.update(name.encode())
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    def fingerprint(self) -> str:
        """SHA-256 of all that determines the output: weights, spec, transform."""
        digest = hashlib.sha256(json.dumps(self._material(), sort_keys=True).encode())
        for key, value in sorted(self._weights().items()):
            digest.update(key.encode())
            digest.update(value.numpy().tobytes())
        return digest.hexdigest()

    def _material(self) -> dict[str, Any]:
        spec = asdict(self.network.spec)
        for name, value in NOT_STORED.items():
            # As before they existed, so that files and fingerprints remain the same.
            if spec.get(name) == value:
                spec.pop(name)
        return {"spec": spec, "transform": self.transform.state()}

    def _weights(self) -> dict[str, torch.Tensor]:
        return {
            key: value.detach().cpu().contiguous()
            for key, value in self.network.state_dict().items()
        }


@dataclass(frozen=True)
class TrainedGenerator(TrainedNetwork):
    """A trained network that generates volumes."""

    network: VolumeGenerator


def trained_network(
    network: GeneratorNetwork,
    transform: Transform,
    voxel_size_nm: float | None,
    name: str,
    colours: Mapping[int, str] | None = None,
    lineage: tuple[str, ...] = (),
) -> TrainedNetwork:
    """`TrainedGenerator` for a network of volumes, else `TrainedNetwork`."""
    facts = (transform, voxel_size_nm, name, colours or {}, lineage)
    if isinstance(network, VolumeGenerator):
        return TrainedGenerator(network, *facts)
    return TrainedNetwork(network, *facts)


def load_generator(path: str | Path) -> TrainedGenerator:
    """Read a generator of volumes from its file or a run folder. Executes no code.

    Parameters
    ----------
    path
        ``.safetensors`` file, or the folder of a run.

    Raises
    ------
    ValueError
        If there is no file, or it is damaged, or not a generator of volumes.
    PermissionError
        If it may not be read.
    """
    trained = load_any_generator(path)
    if not isinstance(trained, TrainedGenerator):
        raise ValueError(
            f"Expected a generator of volumes, got one of images in {path}; draw its "
            "images with 'slicegan sample'."
        )
    return trained


def load_any_generator(path: str | Path) -> TrainedNetwork:
    """As `load_generator`, for a generator of any kind of sample.

    Raises
    ------
    ValueError
        If there is no file, or it is damaged, or not a generator of this program.
    PermissionError
        If it may not be read.
    """
    path = Path(path)
    file = path / "generator.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(
            f"Expected a run folder or a .safetensors generator, but there is no file "
            f"{file}; train first, or check the path."
        )
    metadata, weights = read_tensors(file, FORMATS, "a generator")
    try:
        facts = parse_json(metadata["facts"])
        kind = ARCHITECTURES[facts["spec"]["architecture"]].spec
        spec = TypeAdapter(kind).validate_python(facts["spec"])
        network: GeneratorNetwork = build_generator(spec)
        network.load_state_dict(weights)
        transform = transform_from_state(facts["transform"])
        size, name = facts["voxel_size_nm"], str(facts["name"])
        colours = COLOURS.validate_python(facts.get("colours", {}))
        lineage = tuple(map(str, facts.get("lineage", ())))
    except UNFIT as error:
        raise ValueError(
            f"{file.name} does not fit this version of napari-slicegan: its metadata "
            "and weights disagree; export the generator again."
        ) from error
    network.eval().requires_grad_(False)
    return trained_network(network, transform, size, name, colours, lineage)


def reproducible(content: bytes) -> bytes:
    """Content of a safetensors file with its metadata sorted by name.

    The library writes them in random order: equal generators would be other files.
    """
    start = 8  # the length of the header
    end = start + int.from_bytes(content[:start], "little")
    header = json.loads(content[start:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % start)
    return len(text).to_bytes(start, "little") + text + content[end:]


def read_tensors(
    file: Path, formats: Sequence[str], what: str, framework: str = "pt"
) -> tuple[dict[str, str], dict[str, Any]]:
    """Metadata and tensors of a safetensors file of this program.

    Parameters
    ----------
    formats
        Formats that the caller reads, the newest last.
    what
        Their content, for the message.
    framework
        ``"pt"`` for tensors of torch, ``"np"`` for arrays.

    Raises
    ------
    ValueError
        If the file is damaged or in another format.
    PermissionError
        If it may not be read.
    """
    try:
        # The library would call it missing.
        with (
            file.open("rb") as opened,
            safe_open(_utf8_path(file, opened), framework=framework) as content,
        ):
            metadata = content.metadata() or {}
            tensors = {key: content.get_tensor(key) for key in content.keys()}
    except PermissionError:
        raise
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{file.name}: expected a safetensors file, got one that cannot be read "
            f"({str(error).rstrip('.')}); copy it again or save it once more."
        ) from error
    found = metadata.get("format")
    refuse_newer(found, formats[-1], file.name)
    if found not in formats:
        raise ValueError(
            f"{file.name}: expected {what} in the format '{formats[-1]}', got "
            f"'{found}'; choose another file."
        )
    return metadata, tensors


def _utf8_path(file: Path, opened: BinaryIO) -> str:
    """Path of an open file for a library that takes only UTF-8."""
    try:
        os.fspath(file).encode()
    except UnicodeEncodeError:
        return f"/dev/fd/{opened.fileno()}"  # Only Linux has such names.
    return os.fspath(file)
