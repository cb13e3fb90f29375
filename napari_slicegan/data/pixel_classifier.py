"""Phases from a few brush strokes: a classifier of pixels.

Features of each pixel and a random forest, as in scikit-image's example "Trainable
segmentation using local features and random forests". Needs scikit-learn (the extra
``segmentation``).

A stored classifier holds the features under the strokes, not the forest: forests are
stored as pickles, which execute code when loaded. Fitting anew gives the same forest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from numpy.typing import NDArray

from napari_slicegan.data.pixel_values import MAX_PHASES
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.runtime.optional_packages import optional_package

FORMAT = 1
N_TREES = 50
MAX_DEPTH = 10
MAX_SAMPLES = 20_000
"""Pixels under strokes that are kept; more make the forest no better."""
SIGMAS = (1.0, 16.0)
"""Smallest and largest scale of the features, in pixels."""
REACH = 72
"""Pixels that a feature looks at on each side: four largest scales and derivatives."""
PREDICTED_AT_ONCE = 2**18
ADVICE = "draw strokes in each phase and fit the classifier again"


@dataclass(frozen=True, eq=False)
class PixelClassifier:
    """Labels pixels by their surroundings. Make one with `fit` or `load`.

    Attributes
    ----------
    features
        ``[N, F]`` float32, of the pixels under the strokes.
    phases
        ``[N]`` uint8, the phase of each; from 0 without gaps.
    dtype
        Type of the gray values, ``"uint8"`` for example: others have other gray values.
    """

    features: NDArray[np.float32]
    phases: NDArray[np.uint8]
    dtype: str

    @classmethod
    def fit(
        cls, gray: NDArray[Any], strokes: NDArray[Any], name: str = "micrograph"
    ) -> PixelClassifier:
        """Learn from strokes.

        Parameters
        ----------
        gray
            Gray values ``[Y, X]`` or ``[Z, Y, X]``.
        strokes
            Of the same shape, of integers: 0 where nothing is drawn, else the number of
            the phase, from 1; the phases become 0, 1, ... in the order of the numbers.
        name
            Used in the messages.

        Raises
        ------
        ValueError
            If the shapes differ, or fewer than two phases are marked.
        """
        if gray.shape != strokes.shape:
            raise ValueError(
                f"{name}: expected strokes of the image's shape {gray.shape}, got "
                f"{strokes.shape}; draw them on this image."
            )
        drawn = strokes != 0
        numbers, phases = np.unique(strokes[drawn], return_inverse=True)
        if not 2 <= len(numbers) <= MAX_PHASES:
            raise ValueError(
                f"{name}: expected strokes in 2 to {MAX_PHASES} phases, got "
                f"{len(numbers)}; {ADVICE}."
            )
        planes, marked = (a.reshape(-1, *gray.shape[-2:]) for a in (gray, drawn))
        features = np.concatenate(
            [pixel_features(planes[n])[marked[n]] for n in _indices_with(marked)]
        )
        if len(features) > MAX_SAMPLES:
            kept = np.random.default_rng(0).permutation(len(features))[:MAX_SAMPLES]
            features, phases = features[kept], phases[kept]
        return cls(features, phases.astype(np.uint8), gray.dtype.name)

    @property
    def n_phases(self) -> int:
        """Number of phases that strokes were drawn in."""
        return int(self.phases.max()) + 1

    @cached_property
    def _forest(self) -> Any:
        ensemble = optional_package("sklearn.ensemble", "classifies", "segmentation")
        forest = ensemble.RandomForestClassifier(
            n_estimators=N_TREES, max_depth=MAX_DEPTH, random_state=0, n_jobs=1
        )
        return forest.fit(self.features, self.phases)

    def predict(
        self, gray: NDArray[Any], name: str = "micrograph"
    ) -> NDArray[np.uint8]:
        """Phase of each pixel.

        Parameters
        ----------
        gray
            Gray values ``[Y, X]`` or ``[Z, Y, X]``, of the same type as those that the
            strokes were drawn on; volumes are classified plane by plane.
        name
            Used in the messages.

        Raises
        ------
        ValueError
            If the type is another, or scikit-learn is not installed.
        """
        if gray.dtype.name != self.dtype:
            raise ValueError(
                f"{name}: expected gray values of type {self.dtype}, like the image "
                f"that the classifier was fitted to, got {gray.dtype.name}; convert "
                "the image, or fit a classifier to it."
            )
        planes = gray if gray.ndim == 3 else gray[np.newaxis]
        phases = np.stack([self._plane(plane) for plane in planes])
        return phases.reshape(gray.shape)

    def _plane(self, gray: NDArray[Any]) -> NDArray[np.uint8]:
        """Band by band: the features take 80 bytes a pixel."""
        phases = np.empty(gray.shape, np.uint8)
        rows = max(1, PREDICTED_AT_ONCE // gray.shape[1])
        for first in range(0, len(gray), rows):
            start = max(0, first - REACH)
            features = pixel_features(gray[start : first + rows + REACH])
            band = features[first - start :][:rows]
            found = self._forest.predict(band.reshape(-1, band.shape[-1]))
            phases[first : first + rows] = found.reshape(band.shape[:2])
        return phases

    def save(self, path: str | Path) -> None:
        """Write the classifier as ``.npz``; whole or not at all."""
        with replacing(Path(path)) as file, file.open("wb") as stream:
            np.savez_compressed(
                stream,
                format=np.array(FORMAT),
                features=self.features,
                phases=self.phases,
                dtype=np.array(self.dtype),
            )

    @classmethod
    def load(cls, path: str | Path) -> PixelClassifier:
        """Read a classifier; executes no code.

        Raises
        ------
        ValueError
            If the file is none, or of a later format.
        """
        path = Path(path)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                version = int(stored["format"])
                features = np.asarray(stored["features"], np.float32)
                phases = np.asarray(stored["phases"], np.uint8)
                dtype = str(stored["dtype"])
        except FileNotFoundError:
            raise ValueError(
                f"{path}: expected a pixel classifier, got no such file; check the "
                "path."
            ) from None
        except Exception as error:  # of numpy, zipfile, zlib and struct, among others
            raise ValueError(
                f"{path.name}: expected a pixel classifier (.npz), got another or a "
                f"damaged file; {ADVICE}."
            ) from error
        if version > FORMAT:
            raise ValueError(
                f"{path.name}: expected a pixel classifier of format {FORMAT}, got "
                f"{version}; update napari-slicegan."
            )
        fits = features.ndim == 2 and phases.shape == features.shape[:1]
        if not fits or not np.isfinite(features).all() or len(np.unique(phases)) < 2:
            raise ValueError(
                f"{path.name}: expected features and phases of the same pixels, got "
                f"shapes {features.shape} and {phases.shape}; {ADVICE}."
            )
        return cls(features, phases, dtype)


def _indices_with(marked: NDArray[np.bool_]) -> list[int]:
    """Planes in which something is marked."""
    return [int(n) for n in np.flatnonzero(marked.any(axis=(1, 2)))]


def pixel_features(gray: NDArray[Any]) -> NDArray[np.float32]:
    """Intensity, gradient and eigenvalues of the Hessian at several scales.

    Parameters
    ----------
    gray
        ``[Y, X]``.

    Returns
    -------
    ``[Y, X, F]``.
    """
    features = skimage.feature.multiscale_basic_features(  # type: ignore[no-untyped-call]
        gray.astype(np.float32),
        sigma_min=SIGMAS[0],
        sigma_max=SIGMAS[1],
    )
    return np.asarray(features, np.float32)
