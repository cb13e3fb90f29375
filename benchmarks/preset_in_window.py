"""One preset, trained from the window as a user does it.

    xvfb-run -s "-screen 0 1280x800x24" \
        python -m benchmarks.preset_in_window specgan --minutes 1 --out build/presets

opens data that suit the preset, chooses it in the Train panel, reads the estimate, sets
the minutes, presses Start, waits for the end, and lets the third tab make a volume or
samples. A run whose estimate lacks memory is not started. The last line of the output
is what came of it, as JSON; `window_presets` makes a table of many.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from napari_slicegan.sample_data import path as sample_path

from benchmarks.time_to_quality import parse_setting
from docs.screenshots import HEIGHT, WIDTH, wait_for
from napari_slicegan._qt.application import WindowStart, open_window
from napari_slicegan._qt.volume.forms import GenerationRequest, SampleRequest
from napari_slicegan._qt.volume.panel import VOLUME
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.systems.spectrograms import RATE, SAMPLES, write_sound

if TYPE_CHECKING:
    from napari_slicegan._qt.main_widget import SliceGANWidget
    from napari_slicegan._qt.train.panel import TrainPanel
    from napari_slicegan._qt.volume.panel import VolumePanel
    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.clock import StepReport

N_SOUNDS = 64
# What the third tab is asked for: voxels per edge, or images.
EDGE, COUNT = 64, 16
OPENS_WITH, LACKS = "About", "too much"


@dataclass
class Outcome:
    """What became of a preset.

    Attributes
    ----------
    data
        Key of `DATA`.
    told
        What the panel said of time and memory before the start.
    step_s
        Seconds of a step, mean over the run, monitoring included.
    end
        Why the run ended, or why there was none.
    third_tab
        What the third tab made of the run, or the sentence that it said instead.
    faults
        Exceptions that nobody caught, and logged errors, a line each.
    """

    preset: str
    data: str = ""
    told: str = ""
    steps: int = 0
    step_s: float = 0.0
    end: str = ""
    third_tab: str = ""
    faults: list[str] = field(default_factory=list)


class Faults(logging.Handler):
    """Keeps every exception that nobody caught, and every logged error."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._lines = lines
        sys.excepthook = self._hook
        threading.excepthook = lambda of: self._hook(of.exc_type, of.exc_value, None)
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the last line, which names the exception."""
        self._lines.append(record.getMessage().strip().splitlines()[-1])

    def _hook(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.append(f"{kind.__name__}: {error}")
        sys.__excepthook__(kind, error or kind(), traceback)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the preset and print what came of it."""
    options = parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(options.preset)
    Faults(outcome.faults)
    viewer, widget = open_window(WindowStart(run_root=options.out / "runs"))
    viewer.window.resize(WIDTH, HEIGHT)
    outcome.data = data_for(preset(options.preset))
    DATA[outcome.data](widget, options.out)
    changes = {**dict(map(parse_setting, options.set)), "minutes": options.minutes}
    choose(widget.train, options.preset, outcome.data, changes)
    widget.show_panel("Train")
    if estimate_fits(widget.train, outcome):
        train(widget.train, outcome)
    if outcome.steps:
        widget.show_panel("Volume")
        outcome.third_tab = third_tab(widget.volume)
    viewer.close()
    # What the third tab refuses in words stands in the log too.
    said = outcome.third_tab
    outcome.faults = [one for one in outcome.faults if not said or said not in one]
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    return 0


# What the presets are trained on


def open_sample(name: str, widget: SliceGANWidget, folder: Path) -> None:
    """Open a sample in the first tab, and wait until it is understood."""
    widget.micrograph.open_files("z", [sample_path(name)])
    wait_for(lambda: widget.micrograph.images() is not None)


def choose_sounds(widget: SliceGANWidget, folder: Path) -> None:
    """Write sounds that rise or fall, and choose their folder in the Train panel."""
    sounds = folder / "sounds"
    sounds.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    times = np.arange(SAMPLES) / RATE
    for number in range(N_SOUNDS):
        first, last = rng.uniform(200, 6000, 2)
        phase = 2 * np.pi * (first * times + (last - first) * times**2 / 2)
        write_sound(sounds / f"{number:02}.wav", np.sin(phase))
    widget.train.data.folder.set_value(sounds)


DATA: Mapping[str, Callable[[SliceGANWidget, Path], None]] = MappingProxyType(
    {
        "micrograph": partial(open_sample, "bentheimer_slice"),
        "crops": partial(open_sample, "nanoporous_gold"),
        "planes": partial(open_sample, "bentheimer_truth_128"),
        "sounds": choose_sounds,
        "none": lambda widget, folder: None,
    }
)


def data_for(config: RunConfig) -> str:
    """Key of the data that suit a preset, so that every way into the panel is gone."""
    images = config.images
    of_images = "planes" if images.aligned else "crops"
    if images.scaling != "min-max":
        of_images = "sounds"
    return {3: "micrograph", 2: of_images, 1: "none"}[config.architecture.dimensions]


# What a user does


def choose(
    panel: TrainPanel, name: str, data: str, changes: Mapping[str, object]
) -> None:
    """Choose the preset, then other settings, each in its own input."""
    panel.settings.preset.set_value(name)
    wanted = {**({"cut_axis": "z"} if data == "planes" else {}), **changes}
    form = panel.settings.form
    rows = [form.first, *form.parts.values()]
    editors = {key: editor for each in rows for key, editor in each.editors.items()}
    for setting, value in wanted.items():
        if setting not in editors:
            raise ValueError(f"No setting is called '{setting}'; see --set.")
        editors[setting].set_value(value)


def estimate_fits(panel: TrainPanel, outcome: Outcome) -> bool:
    """Read what the panel says before the start; whether the memory suffices."""
    line = panel.forecast.line
    wait_for(lambda: bool(line.text()) and not line.text().startswith("Estimating"))
    outcome.told = line.text()
    fits = outcome.told.startswith(OPENS_WITH) and LACKS not in outcome.told
    outcome.end = "" if fits else "not started"
    return fits


def train(panel: TrainPanel, outcome: Outcome) -> None:
    """Press Start and wait for the end of the run."""
    ends: list[str] = []
    panel.run_finished.connect(lambda reason, path: ends.append(reason.value))
    panel.failed.connect(ends.append)

    def note(report: StepReport) -> None:
        outcome.steps = report.step
        outcome.step_s = report.elapsed_s / report.step

    panel.reported.connect(note)
    panel.controls.start.click()
    wait_for(lambda: bool(ends) and panel.worker is None)
    outcome.end = ends[0]


def third_tab(panel: VolumePanel) -> str:
    """Make a small volume or some samples of the run that has ended."""
    told: list[Any] = []
    for signal in (panel.volume_made, panel.samples_made, panel.failed):
        signal.connect(told.append)
    wait_for(lambda: panel.generate_button.isEnabled() or bool(told))
    is_volume = panel.product == VOLUME
    panel.set_value(
        GenerationRequest((EDGE,) * 3) if is_volume else SampleRequest(COUNT)
    )
    if not told:
        panel.generate_button.click()
    wait_for(lambda: bool(told) and not panel.task.is_busy)
    if isinstance(told[0], str):
        return told[0]
    return f"{panel.product} {' x '.join(map(str, told[0].values.shape))}"


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("preset", choices=PRESETS)
    made.add_argument("--out", type=Path, required=True, help="folder of the run")
    made.add_argument("--minutes", type=float, default=1.0)
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
