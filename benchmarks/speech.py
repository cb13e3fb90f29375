"""Spoken digits by SpecGAN: how near the sounds come, and how many are recognised.

    python -m benchmarks.speech --minutes 20 --out build/speech

lets espeak-ng (`apt-get install espeak-ng`; the plugin does without it) say the ten
digits with many voices, pitches and speeds, trains `specgan-small` on half of the
voices and compares what it makes with the other half. The same command again trains as
long again. `speech.csv` gets a row at the start and at the end of each command: the
sliced Wasserstein distance, the correlation with the nearest training sound, and what a
small classifier hears. It knows the digits and, as an eleventh answer, what is none:
other words, digits backwards or in pieces, and noise. `classifier.txt` says how well it
does on voices and words that it has never heard. `samples.png` and `real.png` are
sheets, `samples` holds sounds.

`--tones` puts chords in place of the words, to try the script without espeak-ng.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import shutil
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.time_to_quality import parse_setting
from napari_slicegan.config.presets import preset
from napari_slicegan.generation.samples import generate_images, sheet_of
from napari_slicegan.metrics.sliced_wasserstein import RealPatches
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.systems.spectrograms import (
    RATE,
    SAMPLES,
    sound_of,
    spectrogram,
    write_sounds,
)
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.models.generator_file import TrainedNetwork

FILE, TABLE, SOUNDS, WEIGHTS = "speech.csv", "classifier.txt", "sounds", "classifier.pt"
SAMPLES_SHEET, REAL_SHEET = "samples.png", "real.png"
DIGITS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
)
# Other words of one or two syllables: for the classifier, and to try it.
OTHERS = ("apple", "water", "house", "green", "music", "paper", "cloud", "sister")
UNHEARD = ("window", "garden", "yellow", "bread", "table", "mountain", "chair", "dog")
ACCENTS = ("en-gb", "en-us")
LEARNED_VOICES = ("m1", "m3", "m5", "m7", "f1", "f3")
HELD_OUT_VOICES = ("m2", "m4", "m6", "m8", "f2", "f4")
PITCHES, SPEEDS = (35, 60), (140, 175)
# Background noise, over the loudest sample: -60 dB.
NOISE = 1e-3
# A sound begins and ends where it is louder than this, over the loudest sample.
AUDIBLE = 0.02
SEED, SAMPLES_SEED = 0, 1000
WRITTEN = 16
NO_DIGIT = len(DIGITS)
SURE = 0.9
BATCH, SHIFT = 32, 12

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Voice:
    """Who speaks: espeak-ng's accent and variant, pitch 0 to 99, words per minute."""

    accent: str
    variant: str
    pitch: int
    speed: int


Speaker = Callable[[str, Voice], NDArray[np.float64]]


@dataclass(frozen=True)
class Words:
    """Spectrograms of spoken words.

    Attributes
    ----------
    magnitudes
        ``[N, 128, 128]``.
    labels
        Index in `DIGITS`, or `NO_DIGIT`; ``[N]``.
    """

    magnitudes: Values
    labels: NDArray[np.int64]

    def of_digits(self) -> Words:
        """Without the other words."""
        chosen = self.labels != NO_DIGIT
        return Words(self.magnitudes[chosen], self.labels[chosen])

    def drawn(self, n: int) -> Values:
        """At most `n` of them, at random."""
        order = np.random.default_rng(SEED).permutation(len(self.labels))
        return self.magnitudes[np.sort(order[:n])]


@dataclass(frozen=True)
class Moment:
    """What was measured of the generator; a row of the CSV.

    Attributes
    ----------
    step, minutes
        Steps of the generator, and minutes of training by the clock.
    processor_minutes
        Of all threads, in this command.
    swd, swd_floor
        Sliced Wasserstein distance from digits of voices that were not learned, and
        that of the training sounds from them.
    nearest, nearest_real
        Median correlation with the nearest training spectrogram, in the values that the
        network sees: of generated ones, and of the voices that were not learned.
    copies
        Share of generated ones nearer to a training spectrogram than 99 % of the voices
        that were not learned are.
    recognised
        Share of sounds in which the classifier hears some digit with a probability
        above 0.9.
    digits
        Exponential of the entropy of the digits that it recognises: 10 if all are
        equally frequent, 1 if there is only one, 0 if there is none.
    """

    step: int
    minutes: float
    processor_minutes: float
    swd: float
    swd_floor: float
    nearest: float
    nearest_real: float
    copies: float
    recognised: float
    digits: float

    def line(self) -> str:
        """The same in a line of text."""
        return (
            f"step {self.step}, {self.minutes:.1f} min (processor "
            f"{self.processor_minutes:.1f}): SWD {self.swd:.1f} (real "
            f"{self.swd_floor:.1f}), nearest {self.nearest:.3f} (real "
            f"{self.nearest_real:.3f}), copies {self.copies:.1%}, recognised "
            f"{self.recognised:.1%}, effective number of digits {self.digits:.1f}\n"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, or train on, and print a line at the start and at the end."""
    options = parser().parse_args(arguments)
    speak: Speaker = tones if options.tones else espeak
    speak(DIGITS[0], Voice(ACCENTS[0], LEARNED_VOICES[0], PITCHES[0], SPEEDS[0]))
    options.out.mkdir(parents=True, exist_ok=True)
    learned, held_out = (
        words(options, speak, voices, others)
        for voices, others in ((LEARNED_VOICES, OTHERS), (HELD_OUT_VOICES, UNHEARD))
    )
    trainer = opened(options, learned.of_digits())
    classifier = Classifier.of(options, learned, trainer.transform)
    if trainer.step == 0:
        text = classifier.table(learned, held_out, options.count)
        (options.out / TABLE).write_text(text, encoding="utf-8")
        sys.stdout.write(text)
    judge = Judge(learned, held_out, trainer.transform, classifier, options.count)
    if trainer.step == 0:
        record(options.out, judge.moment(trainer, 0.0))
    begin = time.process_time()
    for _ in trainer.run():
        pass
    record(options.out, judge.moment(trainer, (time.process_time() - begin) / 60))
    made = judge.sheet(trainer)
    made.save_picture(options.out / SAMPLES_SHEET)
    real = sheet_of(held_out.of_digits().drawn(WRITTEN), trainer.transform)
    real.save_picture(options.out / REAL_SHEET)
    write_sounds(options.out / "samples", made.values[:WRITTEN])
    return 0


def opened(options: argparse.Namespace, digits: Words) -> Trainer:
    """A new run, or the one in the folder with as many minutes again."""
    run = options.out / "run"
    if run.exists():
        spent = Trainer.resume(run).elapsed_s / 60
        return Trainer.resume(run, minutes=spent + options.minutes)
    changes = dict(map(parse_setting, options.set))
    config = preset("specgan-small").changed(
        **{"minutes": options.minutes, "monitor_minutes": 5.0, "seed": SEED, **changes}
    )
    images = ImageSet(digits.magnitudes, "spoken digits", is_sound=True)
    return Trainer.start(config, images, run)


def espeak(word: str, voice: Voice) -> NDArray[np.float64]:
    """A word as espeak-ng says it, at 16 kHz.

    Raises
    ------
    ValueError
        If espeak-ng is missing.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise ValueError(
            "Expected the program espeak-ng to say the digits, found none; run "
            "'apt-get install espeak-ng', or try the script with '--tones'."
        )
    flags = ("-v", f"{voice.accent}+{voice.variant}", "-p", str(voice.pitch))
    spoken = subprocess.run(
        (program, *flags, "-s", str(voice.speed), "--stdout", word),
        check=True,
        capture_output=True,
    ).stdout
    with warnings.catch_warnings():
        # The header of a stream cannot tell its length.
        warnings.simplefilter("ignore", scipy.io.wavfile.WavFileWarning)
        rate, values = scipy.io.wavfile.read(io.BytesIO(spoken))
    divisor = int(np.gcd(rate, RATE))
    return np.asarray(
        scipy.signal.resample_poly(
            values.astype(np.float64), RATE // divisor, rate // divisor
        )
    )


def tones(word: str, voice: Voice) -> NDArray[np.float64]:
    """Three tones of a word, one after the other, higher or faster by the voice."""
    rng = np.random.default_rng(zlib.crc32(word.encode()))
    own = np.random.default_rng(zlib.crc32(repr(voice).encode()))
    length = 60 / voice.speed * RATE / 3
    seconds = np.arange(int(length)) / RATE
    factor = 0.9 + voice.pitch / 500 + 0.02 * own.random()
    parts = [
        np.sin(2 * np.pi * factor * hertz * seconds)
        for hertz in rng.uniform(400, 4_000, 3)
    ]
    return np.concatenate(parts)


def placed(sound: NDArray[np.float64], rng: np.random.Generator) -> Values:
    """Spectrogram of a sound in the middle of a second of faint noise, [128, 128]."""
    level = np.abs(sound) / np.abs(sound).max()
    audible = np.flatnonzero(level > AUDIBLE)
    kept = (sound / np.abs(sound).max())[audible[0] : audible[-1] + 1][:SAMPLES]
    second = NOISE * rng.standard_normal(SAMPLES)
    first = (SAMPLES - len(kept)) // 2
    second[first : first + len(kept)] += kept
    return spectrogram(second).astype(np.float32)


def words(
    options: argparse.Namespace,
    speak: Speaker,
    variants: Sequence[str],
    others: Sequence[str],
) -> Words:
    """All digits of these voices, and the other words at the first speed.

    They are said once, and kept in the folder.
    """
    file = options.out / f"{SOUNDS}-{variants[0]}.npz"
    if file.exists():
        with np.load(file, allow_pickle=False) as stored:
            return Words(stored["magnitudes"], stored["labels"])
    rng = np.random.default_rng(zlib.crc32(variants[0].encode()))
    found: list[Values] = []
    labels: list[int] = []
    voices = itertools.product(ACCENTS, variants[: options.voices], PITCHES, SPEEDS)
    for voice in itertools.starmap(Voice, voices):
        said = (*DIGITS, *(others if voice.speed == SPEEDS[0] else ()))
        found += [placed(speak(word, voice), rng) for word in said]
        labels += [min(number, NO_DIGIT) for number in range(len(said))]
    made = Words(np.stack(found), np.array(labels, np.int64))
    np.savez(file, magnitudes=made.magnitudes, labels=made.labels)
    return made


def no_digits(digits: torch.Tensor) -> torch.Tensor:
    """As many images that are no digits, in values of the network, [N, 1, 128, 128].

    A third each: digits backwards, their frames in another order, and even gray with
    noise, as of a generator that has learned nothing.
    """
    rng = torch.Generator().manual_seed(SEED)
    n = len(digits) // 3
    gray = torch.rand((n, 1, 1, 1), generator=rng) - 0.7
    noise = torch.rand((n, 1, 1, 1), generator=rng) * torch.randn(
        (n, *digits.shape[1:]), generator=rng
    )
    even = (gray + 0.3 * noise).clamp(-1, 1)
    chosen = digits[torch.randperm(len(digits), generator=rng)]
    mixed = [
        one[..., torch.randperm(one.shape[-1], generator=rng)]
        for one in chosen[n : 2 * n]
    ]
    return torch.cat([chosen[:n].flip(-1), torch.stack(mixed), even])


def backwards(magnitudes: Values) -> Values:
    """The sounds played from the end."""
    return magnitudes[:, :, ::-1]


def heard(magnitudes: NDArray[Any]) -> Values:
    """Spectrograms of the sounds that are made of spectrograms, [N, 128, 128]."""
    sounds = (sound_of(np.maximum(each, 0)) for each in magnitudes)
    return np.stack([spectrogram(sound) for sound in sounds]).astype(np.float32)


class Classifier:
    """Tells digits from each other and from other words, by their spectrograms."""

    def __init__(self, transform: Transform) -> None:
        torch.manual_seed(SEED)
        self._transform = transform
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise((1, 12, 24, 48, 96)):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        # [N, 96, 8, 8] -> [N, 11]
        head = (nn.Flatten(), nn.Dropout(0.5), nn.Linear(96 * 64, NO_DIGIT + 1))
        self._network = nn.Sequential(*layers, *head)

    @classmethod
    def of(
        cls, options: argparse.Namespace, learned: Words, transform: Transform
    ) -> Classifier:
        """The classifier of the folder, trained if it is not there yet."""
        made, file = cls(transform), options.out / WEIGHTS
        if file.exists():
            made._network.load_state_dict(torch.load(file, weights_only=True))
        else:
            made.fit(learned, options.classifier_steps)
            torch.save(made._network.state_dict(), file)
        return made

    def fit(self, learned: Words, n_steps: int) -> None:
        """Learn the words, and what is made of digits but none, by Adam."""
        values = self._transform.forward(learned.magnitudes)
        none = no_digits(self._transform.forward(learned.of_digits().magnitudes))
        values = torch.cat([values, none])
        labels = torch.full((len(values),), NO_DIGIT)
        labels[: len(learned.labels)] = torch.from_numpy(learned.labels)
        rng = torch.Generator().manual_seed(SEED)
        optimiser = torch.optim.AdamW(self._network.parameters(), 1e-3)
        self._network.train()
        for _ in range(n_steps):
            chosen = torch.randint(len(labels), (BATCH,), generator=rng)
            shift = int(torch.randint(-SHIFT, SHIFT + 1, (), generator=rng))
            shown = values[chosen].roll(shift, dims=-1)
            loss = nn.functional.cross_entropy(self._network(shown), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def probabilities(self, magnitudes: Values) -> Values:
        """Of each digit and of none, [N, 11]."""
        self._network.eval()
        with torch.no_grad():
            parts = self._transform.forward(magnitudes).split(BATCH)
            return torch.cat([self._network(part) for part in parts]).softmax(1).numpy()

    def recognised(self, magnitudes: Values) -> NDArray[np.int64]:
        """Digits that are heard with a probability above 0.9."""
        likely = self.probabilities(magnitudes)[:, :NO_DIGIT]
        return np.asarray(likely.argmax(axis=1)[likely.max(axis=1) > SURE])

    def table(self, learned: Words, held_out: Words, n: int) -> str:
        """How well it does, in words; on the sounds made of spectrograms too."""
        digits = held_out.of_digits()
        right = self.probabilities(digits.magnitudes).argmax(1) == digits.labels
        unheard = held_out.magnitudes[held_out.labels == NO_DIGIT][:n]
        shown = {
            "digits of these voices": digits.drawn(n),
            "the same backwards": backwards(digits.drawn(n)),
            "other words of these voices": unheard,
            "digits of the learned voices": learned.of_digits().drawn(n),
        }
        lines = []
        for name, values in shown.items():
            share = len(self.recognised(heard(values))) / len(values)
            lines.append(f"{name}: a digit in {share:.1%} of {len(values)}\n")
        return (
            f"{len(learned.of_digits().labels)} digits to learn; voices not learned: "
            f"{right.mean():.1%} of {len(right)} digits right\n{''.join(lines)}"
        )


class Judge:
    """Measures generated spectrograms, as many as real ones."""

    def __init__(
        self,
        learned: Words,
        held_out: Words,
        transform: Transform,
        classifier: Classifier,
        n: int,
    ) -> None:
        self._classifier, self._transform, self._n = classifier, transform, n
        self._learned = learned.of_digits()
        others = self._network_values(held_out.of_digits().drawn(n))
        self._patches = RealPatches(others)
        self._floor = self._patches.distance(
            self._network_values(self._learned.drawn(n))
        )
        self._known = _standardised(self._network_values(self._learned.magnitudes))
        self._nearest_real = self._nearest(others)

    def _network_values(self, magnitudes: NDArray[Any]) -> Values:
        return np.asarray(self._transform.forward(magnitudes).numpy())

    def _nearest(self, values: Values) -> Values:
        return np.asarray((_standardised(values) @ self._known.T).max(axis=1))

    def sheet(self, trainer: Trainer) -> Sheet:
        """Generated spectrograms, always from the same latents."""
        trained: TrainedNetwork = trainer.trained_generator()
        return generate_images(trained, self._n, SAMPLES_SEED)

    def moment(self, trainer: Trainer, processor_minutes: float) -> Moment:
        """Measure the averaged generator as it is now."""
        made = self.sheet(trainer).values
        values = self._network_values(made)
        nearest = self._nearest(values)
        found = self._classifier.recognised(heard(made))
        return Moment(
            trainer.step,
            round(trainer.elapsed_s / 60, 2),
            round(processor_minutes, 2),
            self._patches.distance(values),
            self._floor,
            float(np.median(nearest)),
            float(np.median(self._nearest_real)),
            float((nearest > np.quantile(self._nearest_real, 0.99)).mean()),
            len(found) / len(made),
            effective_number(found),
        )


def _standardised(values: Values) -> Values:
    """Images [N, 1, Y, X] as vectors of mean 0 and length 1, [N, Y * X]."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(lengths, 1e-12), np.float32)


def effective_number(found: NDArray[np.int64]) -> float:
    """Exponential of the entropy of digits [N], from 0 (none) to 10."""
    if not len(found):
        return 0.0
    shares = np.bincount(found) / len(found)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def record(folder: Path, moment: Moment) -> None:
    """Show a moment, and append it to the CSV."""
    sys.stdout.write(moment.line())
    sys.stdout.flush()
    file, row = folder / FILE, asdict(moment)
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def moments(folder: Path) -> Iterator[dict[str, float]]:
    """Rows of the CSV as numbers."""
    with (folder / FILE).open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield {name: float(value) for name, value in row.items()}


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument("--minutes", type=float, default=20.0, help="of training")
    made.add_argument("--count", type=int, default=256, help="sounds to measure")
    made.add_argument("--voices", type=int, default=len(LEARNED_VOICES), help="of each")
    made.add_argument("--classifier-steps", type=int, default=600)
    made.add_argument("--tones", action="store_true", help="chords in place of words")
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
