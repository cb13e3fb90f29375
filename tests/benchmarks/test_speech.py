"""Spoken digits, by chords in place of espeak-ng; hardly anything is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from benchmarks import speech

TOY = (
    "generator_widths=(8,8,4,4,2) critic_widths=(2,4,4,8,8) generator_batch_size=4 "
    "critic_batch_size=4 critic_steps=1 evaluation_images=16 device=cpu steps=2"
).split()


def test_chords_are_learned_and_measured(tmp_path: Path) -> None:
    """The classifier has to tell chords; the second command trains the same run on."""
    out = tmp_path / "out"
    words = ["--out", str(out), "--tones", "--count", "16", "--classifier-steps", "40"]
    words += ["--voices", "1"]
    words += [word for each in TOY for word in ("--set", each)]
    assert speech.main([*words, "--minutes", "5"]) == 0
    start, end = speech.moments(out)
    assert (start["step"], end["step"]) == (0, 2)
    # Chords of other voices are nearer than anything that has learned nothing.
    assert 0 < start["swd_floor"] < start["swd"]
    assert start["nearest"] < start["nearest_real"] <= 1
    assert start["recognised"] <= 0.1
    table = (out / speech.TABLE).read_text(encoding="utf-8").splitlines()
    n_digits = 10 * 2 * 4
    assert table[0].startswith(f"{n_digits} digits to learn; ")
    right = float(table[0].split(": ")[1].split("%")[0])
    assert right > 90
    for name in (speech.SAMPLES_SHEET, speech.REAL_SHEET):
        assert (out / name).is_file()
    rate, sound = wavfile.read(out / "samples" / "0015.wav")
    assert (rate, sound.shape) == (16_000, (16_384,))


def test_without_espeak_it_is_said_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="apt-get install espeak-ng"):
        speech.main(["--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_words_stand_in_the_middle_of_a_second() -> None:
    """300 ms with silence around: the loud frames are those from 354 to 654 ms."""
    sound = np.zeros(12_000)
    sound[5_000:9_800] = np.sin(2 * np.pi * 1_000 / 16_000 * np.arange(4_800))
    loud = speech.placed(sound, np.random.default_rng(0)).sum(axis=0)
    frames = np.flatnonzero(loud > 0.5 * loud.max())
    # Frames of 256 samples, 128 apart: half of one is loud from the one at 5,664.
    assert abs(frames[0] * 128 - 5_664) <= 128
    assert abs(frames[-1] * 128 - 10_464) <= 128


def test_effective_number_of_digits() -> None:
    assert speech.effective_number(np.arange(10).repeat(3)) == pytest.approx(10)
    assert speech.effective_number(np.array([4, 4])) == 1
    assert speech.effective_number(np.array([], np.int64)) == 0
