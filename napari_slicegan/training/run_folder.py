"""The run folder: the complete state of a run on disk, consistent at any time.

config.json             settings, program versions
micrographs/            the prepared images; image-set/ in runs that make images
history.csv             losses of every step, and the quality where measured
checkpoint-0000123.pt   state to resume from; the newest ones are kept
generator.safetensors   averaged weights, usable on its own
preview.png             the last preview beside the real material
pixel_classifier.npz    of runs whose images were segmented by one
sheets/0012.png         images from fixed noise after epoch 12, in runs that make images
"""

from __future__ import annotations

import contextlib
import csv
import errno
import filecmp
import io
import json
import logging
import os
import pickle
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from safetensors import SafetensorError

from napari_slicegan.config import (
    FORMAT,
    RunConfig,
    migrate,
    parse_config,
    parse_json,
)
from napari_slicegan.config.migration import FIRST_FORMAT
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.models.generator_file import (
    TrainedGenerator,
    TrainedNetwork,
    load_generator,
)
from napari_slicegan.runtime.atomic_files import (
    creating_folder,
    flush,
    lock,
    make_folder,
    remove_partial_files,
    replacing,
)
from napari_slicegan.runtime.memory import in_words, lacks_memory, reason_of
from napari_slicegan.training.tasks import DATA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_slicegan.training.tasks import TrainingData

logger = logging.getLogger(__name__)

PREVIEW = "preview.png"
CLASSIFIER = "pixel_classifier.npz"
LOCK = ".training.lock"
"""Held while a run is trained; harmless where a killed process left it."""
CONFIG, HISTORY, GENERATOR = "config.json", "history.csv", "generator.safetensors"
RUN_FILES = (
    CONFIG,
    HISTORY,
    GENERATOR,
    PREVIEW,
    CLASSIFIER,
    "checkpoint-*.pt",
    "sheets",
)
"""What a run writes besides its data; other files in its folder are left alone."""
# Columns of earlier versions -> names.
RENAMED_COLUMNS = {"roughness": "interface_density_error"}
CHECKPOINT = re.compile(r"checkpoint-(\d{7,})\.pt")
# Raised by zipfile and torch for truncated, corrupted or malicious files.
UNREADABLE = (
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    OverflowError,
    EOFError,
    TypeError,
    ValueError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)
# Folder flag in an archive: torch would read such a tensor from random memory.
FOLDER = 0x10
VERSIONED = ("napari-slicegan", "torch", "numpy")


class RunFolder:
    """A folder that holds one training run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls, path: str | Path, config: RunConfig, images: TrainingData
    ) -> RunFolder:
        """Start a run in a folder without one; the settings are written last.

        Other files in it, such as a log, stay. So do the same images, which a start
        leaves that was killed before it wrote the settings.

        Raises
        ------
        ValueError
            If another run is in the folder, or is being started there, or it cannot be
            written.
        """
        folder = cls(path)
        if folder.path.exists() and not folder.path.is_dir():
            raise ValueError(f"Expected a folder for the run; {path} is a file.")
        try:
            make_folder(folder.path)
            with folder.lock():
                folder._begin(config, images)
        except OSError as error:
            raise ValueError(
                f"The run folder {path} cannot be written ({error.strerror}); choose "
                "another folder."
            ) from error
        return folder

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open the folder of an earlier run.

        Raises
        ------
        ValueError
            If the folder holds no run.
        """
        folder = cls(path)
        if not (folder.path / CONFIG).is_file():
            raise ValueError(
                f"{path} is not a run folder (it has no {CONFIG}); give the folder "
                "that training wrote."
            )
        return folder

    def _begin(self, config: RunConfig, images: TrainingData) -> None:
        names = (*RUN_FILES, *DATA)
        found = [path.name for name in names for path in self.path.glob(name)]
        data = next(name for name, kind in DATA.items() if isinstance(images, kind))
        is_begun = found in ([data], [CLASSIFIER, data])
        is_begun = is_begun and _holds(self.path / data, images)
        if found and not is_begun:
            raise ValueError(
                f"The folder {self.path} is not empty: it holds a run ({found[0]}); "
                "resume the run in it, or choose another folder."
            )
        if not is_begun:
            with creating_folder(self.path / data) as temporary:
                images.save(temporary)
        if config.micrograph.classifier:
            # For more images of the same kind.
            with replacing(self.path / CLASSIFIER) as copy:
                shutil.copyfile(config.micrograph.classifier, copy)
        self.write_config(config)

    def holds(self, images: TrainingData) -> bool:
        """Whether these are the training data of the run."""
        kinds = (name for name, kind in DATA.items() if isinstance(images, kind))
        return _holds(self.path / next(kinds), images)

    def lock(self) -> contextlib.ExitStack:
        """Keep others from training in the folder until the context ends.

        Raises
        ------
        ValueError
            If another one trains in it; names its process and machine.
        """
        return lock(self.path / LOCK, f"The run {self.path} is being trained")

    def write_config(self, config: RunConfig) -> None:
        """Write ``config.json``: format, settings, and the versions that ran them."""
        versions = {name: version(name) for name in VERSIONED}
        text = json.dumps(
            {
                "format": FORMAT,
                "settings": config.model_dump(mode="json"),
                "versions": versions,
                "written": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            indent=2,
        )
        with replacing(self.path / CONFIG) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def config(self) -> RunConfig:
        """Settings of the run.

        Raises
        ------
        ValueError
            If the file is damaged or a setting is outside its bounds.
        """
        return read_config(self.path / CONFIG)

    def images(self) -> TrainingImages:
        """The prepared micrographs; a ValueError if they are missing or damaged."""
        return TrainingImages.load(self.path / "micrographs")

    def data(self) -> TrainingData:
        """Training data of the run; a ValueError if they are missing or damaged."""
        found = (name for name in DATA if (self.path / name).is_dir())
        name = next(found, "micrographs")
        data: TrainingData = DATA[name].load(self.path / name)
        return data

    def generator(self) -> TrainedGenerator:
        """The averaged generator of the last save."""
        return load_generator(self.path / GENERATOR)

    def save(
        self,
        step: int,
        state: Mapping[str, Any],
        generator: TrainedNetwork,
        keep: int,
        spared: int | None = None,
    ) -> Path:
        """Write a checkpoint and the generator, then drop other checkpoints.

        Keeps the newest ``keep`` up to this step, and that of the step ``spared``.
        Later ones are damaged: the resumed run skipped them.
        """
        path = self.path / f"checkpoint-{step:07d}.pt"
        # A run resumed from this checkpoint must find the rows of its steps.
        if (history := self.path / HISTORY).exists():
            flush(history)
        with _write_errors():
            with replacing(path) as temporary:
                torch.save(dict(state), temporary)
            generator.save(self.path / GENERATOR)
        others = [other for other in self.checkpoints() if _step_of(other) <= step]
        kept = {*others[:keep], *(o for o in others if _step_of(o) == spared)}
        for other in set(self.checkpoints()) - kept:
            # One that another program has open on Windows goes with the next save.
            with contextlib.suppress(OSError):
                other.unlink()
        remove_partial_files(self.path)
        return path

    def write_preview(
        self, pixels: NDArray[np.uint8], epoch: int | None = None
    ) -> None:
        """Write ``preview.png``; at the end of an epoch also ``sheets/0012.png``.

        Parameters
        ----------
        pixels
            [rows, columns] or [rows, columns, 3].
        """
        paths = [self.path / PREVIEW]
        if epoch is not None:
            paths.append(self.path / "sheets" / f"{epoch:04d}.png")
            # Only this one: a run folder that is gone is not begun anew without a run.
            paths[-1].parent.mkdir(exist_ok=True)
        for path in paths:
            with replacing(path) as temporary:
                Image.fromarray(pixels).save(temporary, format="PNG")

    def checkpoints(self) -> list[Path]:
        """Checkpoints, newest first."""
        found = [p for p in self.path.iterdir() if CHECKPOINT.fullmatch(p.name)]
        return sorted(found, key=_step_of, reverse=True)

    def saved_steps(self) -> list[int]:
        """Steps with a checkpoint, newest first; the generator is of the first."""
        return [_step_of(path) for path in self.checkpoints()]

    def load_checkpoint(self) -> dict[str, Any]:
        """State of the newest intact checkpoint. Executes no code.

        Damaged checkpoints are skipped with a warning in the log.

        Raises
        ------
        ValueError
            If no checkpoint can be read.
        """
        for path in self.checkpoints():
            state = _read_checkpoint(path)
            if state is not None:
                return state
            logger.warning(
                "%s is damaged; falling back to the checkpoint before it.", path.name
            )
        raise ValueError(
            f"{self.path} has no checkpoint that can be read; start the run again "
            "in a new folder."
        )

    def append_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows to ``history.csv``, all or none; the first call adds a header.

        The history of an earlier release, which measured less, keeps its columns.
        """
        if not rows:
            return
        path = self.path / HISTORY
        size = _whole_size(path) if path.exists() else 0
        columns = [*rows[0]]
        if size:
            with path.open(encoding="utf-8", newline="") as file:
                columns = next(csv.reader(file))
        text = _csv(rows, columns, header=not size)
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(path, size)
            raise

    def history(self) -> list[dict[str, str]]:
        """Rows of ``history.csv`` without damaged ones, such as a truncated last line.

        Each has an integer ``step``; ``elapsed_s``, if there, is a number.

        Raises
        ------
        ValueError
            If the file is no table.
        """
        path = self.path / HISTORY
        if not path.exists():
            return []
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        try:
            rows = list(csv.DictReader(io.StringIO(whole)))
        except csv.Error as error:
            raise ValueError(
                f"{path}: expected a table of steps, got a damaged file ({error}); "
                "remove it, or use a copy."
            ) from error
        return [
            {RENAMED_COLUMNS.get(name, name): value for name, value in row.items()}
            for row in rows
            if None not in row.values() and _is_step(row)
        ]

    def trained(self) -> tuple[int, float]:
        """Steps and seconds of training, from the last row of the history."""
        last: dict[str, str] = (self.history() or [{}])[-1]
        return int(last.get("step", 0)), float(last.get("elapsed_s") or 0)

    def truncate_history(self, last_step: int) -> None:
        """Drop the rows of steps that a resumed run will repeat."""
        rows = [row for row in self.history() if int(row["step"]) <= last_step]
        path = self.path / HISTORY
        if not rows:
            path.unlink(missing_ok=True)
            return
        with replacing(path) as temporary:
            text = _csv(rows, [*rows[0]], header=True)
            temporary.write_text(text, encoding="utf-8")


def _is_step(row: Mapping[str, str]) -> bool:
    """Whether a row of the history says of which step it is."""
    try:
        return int(row["step"]) >= 0 and float(row.get("elapsed_s") or 0) >= 0
    except (KeyError, ValueError):
        return False


def _holds(folder: Path, images: TrainingData) -> bool:
    """Whether a folder holds these training data, byte for byte."""
    with tempfile.TemporaryDirectory() as copy:
        images.save(Path(copy))
        names = [path.name for path in Path(copy).iterdir()]
        same, *_ = filecmp.cmpfiles(folder, copy, names, shallow=False)
    return len(same) == len(names)


@contextlib.contextmanager
def _write_errors() -> Iterator[None]:
    """Raise the errors of torch's and safetensors' writers as `OSError`.

    Both report a full disk by exceptions of their own.
    """
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        if "unexpected pos" in reason:  # of torch, whose file was cut short
            reason = "the disk took only a part of the file and may be full"
        raise OSError(errno.EIO, f"writing failed: {reason}") from error


def read_config(path: Path) -> RunConfig:
    """Settings from a ``config.json``, or from a file with the settings alone.

    Formats of earlier releases are migrated. Runs of earlier releases also hold what
    was typed for a method that is off; it is dropped.

    Raises
    ------
    ValueError
        If the file is missing, no JSON, of a newer format, or holds unknown or
        impossible settings.
    """
    try:
        data = parse_json(path.read_text(encoding="utf-8"), once=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The settings file {path} cannot be read ({reason_of(error)}); check its "
            "name and permissions."
        ) from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}; remove one of the two.") from error
    if not isinstance(data, dict):
        raise ValueError(f"Expected settings as a JSON object in {path}.")
    number = data.pop("format", FIRST_FORMAT)
    settings = data.get("settings", data)
    if not isinstance(settings, dict):
        raise ValueError(
            f"Expected 'settings' in {path} to be a JSON object, got {settings!r}; "
            "correct the file."
        )
    config = parse_config(migrate(settings, number))
    if "settings" not in data:
        return config  # written by hand: what has no effect is refused
    return config.settled()


def _whole_size(path: Path) -> int:
    """Size of a table of lines without a last one that was cut short; it is removed."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read() not in (b"", b"\n"):
            file.seek(0)
            size = file.truncate(file.read().rfind(b"\n") + 1)
    return size


def _step_of(path: Path) -> int:
    match = CHECKPOINT.fullmatch(path.name)
    return int(match.group(1)) if match else -1


def _csv(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, header: bool
) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _read_checkpoint(path: Path) -> dict[str, Any] | None:
    """State in a checkpoint; None if its checksums are wrong, or if it holds code."""
    try:
        with zipfile.ZipFile(path) as archive:
            folders = [m for m in archive.infolist() if m.external_attr & FOLDER]
            if archive.testzip() is not None or folders:
                return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        if lacks_memory(error):
            raise
        if isinstance(error, PermissionError):
            # It may be whole: an older one would be resumed, and the next save would
            # delete it.
            raise ValueError(in_words(error)) from error
        return None
    return state
