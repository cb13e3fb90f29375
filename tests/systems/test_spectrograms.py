"""Sounds as images and back; tables of numbers as images."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import wavfile

from napari_slicegan.cli import parser as cli
from napari_slicegan.config import ImageSettings
from napari_slicegan.config.presets import preset
from napari_slicegan.data.patch_sampler import ImageSampler
from napari_slicegan.data.pixel_values import display_gray
from napari_slicegan.data.transforms import ScaleMinMax, transform_from_state
from napari_slicegan.generation.samples import generate_samples, sheet_of
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.systems.image_task import ImageTask
from napari_slicegan.systems.row_transform import RowStandardise
from napari_slicegan.systems.spectrograms import (
    SAMPLES,
    read_spectrograms,
    sound_of,
    spectrogram,
    write_sound,
)
from napari_slicegan.training.trainer import Trainer
from tests.refusals import Refusal, assert_all_refused
from tests.toys import train

DEFAULT = ImageSettings()
NARROW_SETTINGS = {
    "generator_widths": (8, 4, 4, 2, 2),
    "critic_widths": (2, 2, 4, 4, 8),
    "evaluation_images": 16,
}
NARROW = "--generator-widths 8 4 4 2 2 --critic-widths 2 2 4 4 8 --critic-volumes 4"


def tone(frequency: float = 1000, rate: int = 16_000, n: int = SAMPLES) -> NDArray[Any]:
    return np.sin(2 * np.pi * frequency * np.arange(n) / rate)


def test_a_tone_is_a_row() -> None:
    """1 kHz is bin 1000 / 62.5 = 16; its middle frames sum a Hann window, 128 / 2."""
    made = spectrogram(tone())
    assert made.shape == (128, 128)
    assert (made[:, 1:-1].argmax(axis=0) == 16).all()
    np.testing.assert_allclose(made[16, 1:-2], 64, rtol=1e-3)


def test_transform_agrees_with_torch() -> None:
    sound = np.random.default_rng(0).standard_normal(SAMPLES)
    window = torch.hann_window(256, dtype=torch.float64)
    padded = torch.from_numpy(np.pad(sound, (0, 128)))
    theirs = torch.stft(
        padded, 256, 128, window=window, center=False, return_complex=True
    )
    assert theirs.shape == (129, 128)
    np.testing.assert_allclose(spectrogram(sound), theirs.abs()[:128], atol=1e-9)


def test_a_sound_is_found_again() -> None:
    """The error of the spectrogram falls with the iterations, and the tone is right."""
    wanted = spectrogram(tone() + 0.5 * tone(2500))
    errors = []
    for iterations in (0, 4, 16):
        found = spectrogram(sound_of(wanted, iterations))
        errors.append(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    assert errors[0] > errors[1] > errors[2]
    peaks = np.abs(np.fft.rfft(sound_of(wanted)))
    assert peaks.argmax() * 16_000 / SAMPLES == pytest.approx(1000, abs=20)


def test_files_of_sounds(tmp_path: Path) -> None:
    """Two channels at 32 kHz, 1.5 s: two images, the second one half silent."""
    sound = tone(rate=32_000, n=48_000)
    stereo = np.stack([sound, sound], axis=1)
    wavfile.write(tmp_path / "tone.wav", 32_000, (20_000 * stereo).astype(np.int16))
    found = read_spectrograms(tmp_path / "tone.wav")
    assert found.shape == (2, 128, 128)
    assert (found[0, :, 2:-2].argmax(axis=0) == 16).all()
    assert found[1, :, -20:].max() < 1e-3
    write_sound(tmp_path / "again.wav", tone())
    again = read_spectrograms(tmp_path / "again.wav")
    np.testing.assert_allclose(again[0], spectrogram(tone()), atol=0.02)


def written_wav(path: Path, sound: NDArray[Any], bits: int) -> Path:
    """Integers of a bit depth, by the writer of the standard library."""
    # 8 bits are unsigned with 128 as zero; deeper ones are signed.
    numbers = np.rint(sound * (2 ** (bits - 1) - 1)).astype("<i4")
    if bits == 8:
        numbers += 128
    with wave.open(str(path), "wb") as file:
        file.setparams((1, bits // 8, 16_000, len(sound), "NONE", ""))
        file.writeframes(
            numbers.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
        )
    return path


def test_sounds_of_any_depth(tmp_path: Path) -> None:
    """Full scale is 1 and silence is 0: also at frequency 0 of unsigned 8 bits."""
    for bits, atol in [(8, 0.5), (16, 2e-3), (24, 1e-5), (32, 1e-5)]:
        sound = 0.5 * tone()
        found = read_spectrograms(written_wav(tmp_path / "tone.wav", sound, bits))
        np.testing.assert_allclose(found[0], spectrogram(sound), atol=atol, rtol=0.01)
    for dtype in [np.float32, np.float64]:
        sound = 0.5 * tone()
        wavfile.write(tmp_path / "tone.wav", 16_000, sound.astype(dtype))
        found = read_spectrograms(tmp_path / "tone.wav")
        np.testing.assert_allclose(found[0], spectrogram(sound), atol=1e-4)


def written_csv(path: Path, values: NDArray[Any]) -> Path:
    np.savetxt(path, values, delimiter=",")
    return path


def test_tables_of_numbers(tmp_path: Path) -> None:
    """One image per file, or one per row; never resized."""
    images = np.random.default_rng(0).random((5, 8, 8)).astype(np.float32)
    folder = tmp_path / "set"
    folder.mkdir()
    written_csv(folder / "a.csv", images[0])
    written_csv(folder / "b.csv", images[1:].reshape(4, 64))
    np.save(folder / "c.npy", images[0])
    found = ImageSet.open(folder, 8, DEFAULT).values
    np.testing.assert_array_equal(found, [*images, images[0]])
    alone = ImageSet.open(folder / "b.csv", 8, DEFAULT)
    np.testing.assert_array_equal(alone.values, images[1:])


def text_file(folder: Path, text: str, name: str = "bad.csv") -> ImageSet:
    """A set with one good file and one bad."""
    written_csv(folder / "good.csv", np.random.default_rng(0).random((8, 8)))
    (folder / name).write_text(text)
    return ImageSet.open(folder, 8, DEFAULT)


ROW = ",".join(["1"] * 8) + "\n"
CASES: list[Refusal] = [
    ("shape", lambda f: text_file(f, ROW * 7), r"bad\.csv: .* got 7 x 8;"),
    (
        "hole",
        lambda f: text_file(f, ROW * 7 + "1,2\n"),
        r"bad\.csv: expected rows of numbers",
    ),
    ("empty", lambda f: text_file(f, ""), r"bad\.csv: .* got 0 x"),
    (
        "not finite",
        lambda f: text_file(f, ROW * 7 + ROW.replace("1,", "nan,", 1)),
        r"bad\.csv: expected finite numbers",
    ),
    (
        "sound of another size",
        lambda f: text_file(f, "", "bad.wav"),
        r"bad\.wav: spectrograms have 128 x 128",
    ),
    (
        "no sound",
        lambda f: read_spectrograms(_no_sound(f)),
        r"bad\.wav: expected a WAV file",
    ),
    (
        "silence",
        lambda f: read_spectrograms(written_wav(f / "quiet.wav", np.zeros(100), 8)),
        r"quiet\.wav: expected a sound",
    ),
    (
        "sound that is not finite",
        lambda f: read_spectrograms(_not_finite(f)),
        r"bad\.wav: expected finite samples",
    ),
]


def _not_finite(folder: Path) -> Path:
    wavfile.write(folder / "bad.wav", 16_000, np.full(100, np.nan, np.float32))
    return folder / "bad.wav"


def _no_sound(folder: Path) -> Path:
    (folder / "bad.wav").write_bytes(b"RIFF no sound")
    return folder / "bad.wav"


def test_refused(tmp_path: Path) -> None:
    assert_all_refused(CASES, tmp_path)


def test_images_are_rolled() -> None:
    """Columns move by -2 ... 2, all equally often; rows stay."""
    image = np.arange(5.0)[np.newaxis] + np.zeros((3, 1))
    sampler = ImageSampler(image[np.newaxis], ScaleMinMax(0, 4, 1, "float64"), roll=2)
    drawn = 4 * sampler.sample(500, torch.Generator().manual_seed(0))
    steps = (-drawn[:, 0, 0, 0].round().int()) % 5
    for images, step in zip(drawn, steps.tolist(), strict=True):
        np.testing.assert_allclose(images[0], np.roll(image, step, axis=1), atol=1e-5)
    assert np.bincount(steps).min() > 60


def test_command_line(tmp_path: Path) -> None:
    """From sounds to sounds."""
    (tmp_path / "sounds").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        write_sound(tmp_path / "sounds" / f"{number}.wav", rng.standard_normal(20_000))
    run = tmp_path / "run"
    words = f"train {tmp_path}/sounds --preset specgan --out {run} --steps 1 {NARROW}"
    more = "--generator-volumes 4 --judged-images 16 --device cpu"
    assert cli.main(f"{words} {more}".split()) == 0
    assert cli.main(f"sample {run} --count 2 --sounds {tmp_path}/made".split()) == 0
    rate, sound = wavfile.read(tmp_path / "made" / "0001.wav")
    assert (rate, sound.shape) == (16_000, (SAMPLES,))
    assert sound.any()


def chirps(n: int = 6) -> NDArray[np.float32]:
    """Spectrograms of rising tones with a little noise."""
    time = np.arange(SAMPLES) / 16_000
    noise = 1e-3 * np.random.default_rng(0).standard_normal((n, SAMPLES))
    sounds = [
        0.1 * np.sin(2 * np.pi * (300 + 200 * k + 1500 * time) * time) + noise[k]
        for k in range(n)
    ]
    return np.stack([spectrogram(sound) for sound in sounds]).astype(np.float32)


def test_sounds_are_drawn_as_the_network_sees_them(tmp_path: Path) -> None:
    """In decibels and colour: linear magnitudes are nearly black."""
    values = chirps()
    images = ImageSet(values, "chirps", is_sound=True)
    images.save(tmp_path / "set")
    assert ImageSet.load(tmp_path / "set").is_sound
    task = ImageTask(preset("specgan").changed(**NARROW_SETTINGS), images)
    again = transform_from_state(json.loads(json.dumps(task.transform.state())))
    sheet = sheet_of(values, again)
    assert display_gray(values, sheet.low, sheet.high).mean() < 20
    shown, (low, high) = sheet.shown
    assert display_gray(shown, low, high).mean() > 50
    # 20 log10 of the loudest magnitude; the lowest frequency is the last row.
    assert shown.max() == pytest.approx(20 * np.log10(values.max()), abs=0.01)
    rows = np.arange(128)[::-1]
    np.testing.assert_array_equal(rows[shown.argmax(axis=1)], values.argmax(axis=1))
    with_axes, thumbnail = sheet.picture(), sheet.thumbnail()
    assert with_axes.ndim == thumbnail.ndim == 3
    assert with_axes[-5:].min() == 255  # the margin below the axes
    assert (thumbnail[..., 0] != thumbnail[..., 2]).any()


def test_images_of_logarithms_are_drawn_in_decibels_without_axes() -> None:
    transform = RowStandardise.fit(striped(8), log_offset=1e-6)
    assert transform.decibels is not None
    assert transform.decibels.hertz is None
    assert "is_sound" not in transform.state()
    assert sheet_of(striped(8), transform).picture().shape == (2 * 130, 4 * 130, 3)


def test_one_file_of_sounds_or_of_tables(tmp_path: Path) -> None:
    """A set of whole images each, without an axis to cut along."""
    sound = np.random.default_rng(0).standard_normal(4 * SAMPLES)
    write_sound(tmp_path / "a.wav", sound)
    written_csv(tmp_path / "b.csv", striped(4).reshape(4, -1))
    for name in ("a.wav", "b.csv"):
        run = tmp_path / f"run {name[0]}"
        words = ["train", str(tmp_path / name), "--preset", "specgan"]
        words += ["--out", str(run), "--steps", "1", *NARROW.split()]
        words += "--generator-volumes 4 --judged-images 16 --device cpu".split()
        assert cli.main(words) == 0
        assert (run / "image-set").is_dir()
        assert (run / "preview.png").is_file()


def test_rows_of_random_crops_are_refused(toy_images: Any) -> None:
    config = preset("specgan").changed(patch_size=32, device="cpu")
    with pytest.raises(ValueError, match="Random crops have no rows"):
        Trainer(config, toy_images)


def striped(n: int = 64) -> NDArray[np.float32]:
    """Positive values whose rows are differently bright, [n, 128, 128]."""
    rng = np.random.default_rng(0)
    profile = 1 + np.sin(np.arange(128) / 5)[:, np.newaxis]
    noise = 0.1 * rng.standard_normal((n, 128, 128))
    return np.exp(profile + noise).astype(np.float32)


@pytest.mark.slow
def test_rows_are_as_bright_as_those_of_the_data() -> None:
    """Stripes that the transform takes away come back: correlation above 0.9."""
    config = preset("specgan").changed(
        generator_widths=(128, 64, 32, 16, 8),
        critic_widths=(8, 16, 32, 64, 128),
        generator_batch_size=16,
        critic_batch_size=16,
        minutes=1,
        device="cpu",
        threads=1,
    )
    values = striped()
    trainer = Trainer(config, ImageSet(values, "stripes"))
    reports = train(trainer)
    assert all(np.isfinite(report.critic_loss) for report in reports)
    made = generate_samples(trainer.trained_generator(), 64, 1)
    of_data, of_fakes = values.mean(axis=(0, 2)), made.mean(axis=(0, 2))
    assert np.corrcoef(of_data, of_fakes)[0, 1] > 0.9
