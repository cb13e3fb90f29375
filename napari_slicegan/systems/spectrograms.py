"""Sounds as images of 128 x 128 pixels, and back. Loads no torch.

Source: SpecGAN (Donahue et al. 2019): frames of 256 samples, 128 apart, so that 16,384
samples, about a second at 16 kHz, become 128 frames of 128 frequencies. The highest
frequency is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.generation.samples import generate_images
from napari_slicegan.runtime.atomic_files import replacing

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedNetwork
    from napari_slicegan.runtime.progress import Progress

RATE = 16_000
SAMPLES = 16_384
FRAME, HOP = 256, 128
BINS = 128
ITERATIONS = 16
# Periodic Hann window.
WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)


def spectrogram(sound: NDArray[Any]) -> NDArray[np.float64]:
    """Magnitudes of the short-time Fourier transform.

    Parameters
    ----------
    sound
        ``[16384]``.

    Returns
    -------
    ``[128 frequencies, 128 frames]``, 62.5 Hz and 8 ms apart.
    """
    return np.abs(_transform(np.asarray(sound, np.float64)))[:BINS]


def sound_of(
    magnitudes: NDArray[Any], iterations: int = ITERATIONS
) -> NDArray[np.float64]:
    """A sound with this spectrogram (Griffin & Lim 1984), from zero phase.

    Parameters
    ----------
    magnitudes
        ``[128, 128]`` as from `spectrogram`.

    Returns
    -------
    ``[16384]``.
    """
    wanted = np.zeros((BINS + 1, SAMPLES // HOP))
    wanted[:BINS] = magnitudes
    phase = np.ones_like(wanted, dtype=np.complex128)
    for _ in range(iterations):
        made = _transform(_back(wanted * phase))
        phase = made / np.maximum(1e-8, np.abs(made))
    return _back(wanted * phase)


def read_spectrograms(path: Path) -> NDArray[np.float32]:
    """Spectrograms of a WAV file, second by second; a rest is filled with silence.

    Returns
    -------
    ``[N, 128, 128]``.

    Raises
    ------
    ValueError
        If the file is no sound, silent or not finite; names it.
    """
    try:
        rate, values = scipy.io.wavfile.read(path)
    except (OSError, ValueError, EOFError, KeyError, IndexError) as error:
        raise ValueError(
            f"{path.name}: expected a WAV file, got one that cannot be read; save it "
            "again."
        ) from error
    sound = _amplitudes(values)
    if not np.isfinite(sound).all():
        raise ValueError(
            f"{path.name}: expected finite samples, got some that are infinite or not "
            "a number; save it again."
        )
    if sound.ndim > 1:
        sound = sound.mean(axis=1)
    if not sound.any():
        raise ValueError(f"{path.name}: expected a sound, got silence; leave it out.")
    if rate != RATE:
        divisor = int(np.gcd(rate, RATE))
        sound = scipy.signal.resample_poly(sound, RATE // divisor, rate // divisor)
    sound = np.pad(sound, (0, -len(sound) % SAMPLES))
    pieces = sound.reshape(-1, SAMPLES)
    return np.stack([spectrogram(piece) for piece in pieces]).astype(np.float32)


def write_sound(path: Path, sound: NDArray[Any]) -> None:
    """Write a WAV file of 16 kHz, as loud as it can be."""
    loudest = max(float(np.abs(sound).max()), 1e-12)
    with replacing(path) as temporary:
        scipy.io.wavfile.write(
            temporary, RATE, np.asarray(32767 * sound / loudest, np.int16)
        )


def check_sounds(trained: TrainedNetwork) -> None:
    """Refuse a generator whose images are no spectrograms, before it makes any.

    Raises
    ------
    ValueError
        As `write_sounds`.
    """
    _check_shape(generate_images(trained, 1, 0).values.shape[1:])


def _check_shape(shape: tuple[int, ...]) -> None:
    if shape != (BINS, BINS):
        raise ValueError(
            f"Sounds need grayscale spectrograms of {BINS} x {BINS} pixels, got images "
            f"of the shape {shape}; leave '--sounds' out."
        )


def write_sounds(folder: Path, magnitudes: NDArray[Any]) -> None:
    """Write the sounds of spectrograms [N, 128, 128] as 0000.wav and so on.

    Raises
    ------
    ValueError
        If these are no spectrograms.
    """
    _check_shape(magnitudes.shape[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(magnitudes):
        write_sound(folder / f"{number:04d}.wav", sound_of(np.maximum(each, 0)))


def write_one_sound(path: Path, magnitudes: NDArray[Any], progress: Progress) -> Path:
    """Write the sounds of spectrograms [N, 128, 128], one after the other, as one file.

    Raises
    ------
    ValueError
        If these are no spectrograms.
    """
    _check_shape(magnitudes.shape[1:])
    sounds = []
    for number, each in enumerate(magnitudes, start=1):
        sounds.append(sound_of(np.maximum(each, 0)))
        progress(number / len(magnitudes))
    write_sound(path, np.concatenate(sounds))
    return path


def _amplitudes(values: NDArray[Any]) -> NDArray[np.float64]:
    """Samples of a WAV file with full scale 1 and silence 0.

    Samples of up to 8 bits are unsigned with 128 as zero, deeper ones are signed. Those
    of 24 bits arrive as the upper bytes of 32. Floating-point samples stay as they are.
    """
    amplitudes = np.asarray(values, np.float64)
    if values.dtype.kind not in "iu":
        return amplitudes
    full_scale = 2.0 ** (8 * values.dtype.itemsize - 1)
    zero = full_scale if values.dtype.kind == "u" else 0.0
    return (amplitudes - zero) / full_scale


def _transform(sound: NDArray[np.float64]) -> NDArray[np.complex128]:
    """[16384] -> [129 frequencies, 128 frames]; zeros follow the sound."""
    padded = np.pad(sound, (0, FRAME))
    starts = HOP * np.arange(SAMPLES // HOP)
    frames = padded[starts[:, np.newaxis] + np.arange(FRAME)]
    return np.asarray(np.fft.rfft(frames * WINDOW, axis=1).T)


def _back(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Sound whose transform is nearest to a spectrum, by overlapping frames."""
    frames = np.fft.irfft(spectrum.T, n=FRAME, axis=1) * WINDOW
    sound, weight = np.zeros(SAMPLES + FRAME), np.zeros(SAMPLES + FRAME)
    for number, frame in enumerate(frames):
        here = slice(number * HOP, number * HOP + FRAME)
        sound[here] += frame
        weight[here] += WINDOW**2
    return np.asarray((sound / np.maximum(weight, 1e-8))[:SAMPLES])
