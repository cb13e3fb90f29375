"""Runs over a table of images, one after the other or several at a time, and a page.

Each row of the table is trained and measured by programs of its own, so that one that
fails does not stop the others. ``batch.csv`` in the folder of the batch holds the state
of every row, ``batch.html`` compares them, and each row has a run folder and a log.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel

from napari_slicegan.config import parse_json
from napari_slicegan.config.migration import FORMER_NAMES
from napari_slicegan.metrics.judgement import FAR_FLOORS
from napari_slicegan.report.page import (
    GRADE_WORDS,
    SIGNS,
    TEMPLATES,
    page_figure,
)
from napari_slicegan.report.proof import ProofSettings
from napari_slicegan.report.text import MetricVerdict, Verdict
from napari_slicegan.runtime.atomic_files import (
    check_can_write_into,
    lock,
    make_folder,
    replacing,
    safe_name,
)
from napari_slicegan.runtime.launcher import PARENT
from napari_slicegan.runtime.limits import (
    SHARE,
    SWAP_SHARE,
    available_cpus,
    available_memory,
    available_swap,
    check_memory,
)
from napari_slicegan.runtime.memory import in_words, reason_of
from napari_slicegan.runtime.optional_packages import optional_package
from napari_slicegan.training.run_folder import CONFIG, PREVIEW, RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

IMAGES = ("image", "z", "y", "x")
"""Columns with image files, relative to the table; several in a cell by ``;``."""
SEPARATOR = ";"
KILLED = -9
"""Exit status of a program that Linux or macOS killed."""
TABLE_ENDINGS = (".csv", ".yaml", ".yml")
STATE, PAGE, REPORT = "batch.csv", "batch.html", "report.json"
DONE, DIVERGED, STOPPED = 0, 1, 130
"""Exit statuses of the program."""
WAITING_S = 60
"""How long a row waits for the program of a killed batch, which saves and ends."""
# Distances in noise floors at which the colours of the figure end.
MOST_FLOORS = 10.0

Status = Literal["waiting", "finished", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class BatchRow:
    """A row of the table.

    Attributes
    ----------
    name
        Of its run folder in the folder of the batch.
    words
        Of ``slicegan train``, without ``--out``.
    """

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """A row and how far it is.

    Attributes
    ----------
    name, words
        See `BatchRow`.
    status
        "waiting", "finished", "stopped", "diverged" or "failed".
    detail
        A verdict, or the reason of a failure.
    """

    name: str
    words: tuple[str, ...]
    status: Status = "waiting"
    detail: str = ""


# --- Tables ---------------------------------------------------------------------------


def read_table(path: str | Path) -> list[BatchRow]:
    """Rows of a CSV or YAML table.

    A column or key is ``image`` (or ``z``, ``y`` and ``x``), ``name``, or an option of
    ``slicegan train`` such as ``segmentation`` or ``minutes``. Empty cells are left
    out; a cell may hold several values, such as ``120 180``. ``true`` and ``false``
    turn an option on and off.

    Parameters
    ----------
    path
        File that ends in ``.csv``, ``.yaml`` or ``.yml``.

    Raises
    ------
    ValueError
        If the table cannot be read, a row has no image, or two have one name.
    """
    path = Path(path)
    rows: list[BatchRow] = []
    for number, cells in enumerate(_cells(path), start=1):
        given = {
            _title(key): value
            for key, value in cells.items()
            if value not in (None, "", [])
        }
        images = {key: _files(given.pop(key), path) for key in IMAGES if key in given}
        if not images:
            raise ValueError(
                f"{path.name}, row {number}: expected an image in the column 'image', "
                "or in z, y and x, got none; name the file."
            )
        words = list(images.pop("image", []))
        for axis, files in images.items():
            words += [f"--{axis}", *files]
        first = words[0] if words[0][:2] != "--" else words[1]
        name = safe_name(str(given.pop("name", Path(first.split(":")[-1]).stem)))
        for key, value in given.items():
            words += _option(key, value)
        rows.append(BatchRow(name, tuple(words)))
    names = [row.name.lower() for row in rows]
    taken = {STATE, PAGE, *(f"{name}.log" for name in names)}
    for name in names:
        if name in taken:
            raise ValueError(
                f"{path.name}: expected names other than those of the batch's files, "
                f"got '{name}'; choose another one in the column 'name'."
            )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not rows:
        got = f"two called '{twice}'" if rows else "none"
        raise ValueError(
            f"{path.name}: expected rows, each with a name of its own, got {got}; "
            "correct the table, or name them in a column 'name'."
        )
    return rows


def _cells(path: Path) -> list[Mapping[str, Any]]:
    """Each row as a mapping."""
    if path.suffix.lower() not in TABLE_ENDINGS:
        raise ValueError(
            f"Expected a table that ends in {', '.join(TABLE_ENDINGS)}, got {path}; "
            "save it in one of these formats."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The table {path} cannot be read ({reason_of(error)}); check its "
            "name and permissions."
        ) from error
    if path.suffix.lower() == ".csv":
        head = text.partition("\n")[0]
        sign = max(",;\t", key=head.count)
        try:
            reader = csv.DictReader(text.splitlines(), delimiter=sign)
            rows = list(reader)
        except csv.Error as error:
            raise ValueError(f"{path.name} is not valid CSV: {error}.") from error
        _check_titles(
            [key for key in reader.fieldnames or () if key.strip()], path.name
        )
        if any(None in row for row in rows):
            raise ValueError(
                f"{path.name}: expected as many cells in each row as titles, got more; "
                "put cells that contain the separator in quotes."
            )
        # Empty lines at the end of a spreadsheet.
        return [row for row in rows if any(row.values())]
    yaml = optional_package("yaml", "reads YAML tables", "batch")
    try:
        found = yaml.safe_load(text)
        nodes = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path.name} is not valid YAML: {reason}.") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError(
            f"{path.name}: expected a list of rows, each with keys such as 'image', "
            "got something else; begin each row with '- image: FILE'."
        )
    for number, (row, node) in enumerate(zip(found, nodes.value, strict=True), start=1):
        where = f"{path.name}, row {number}"
        # The loader keeps the last of equal keys without a word.
        own = [key.value for key, _ in node.value if not key.tag.endswith(":merge")]
        _check_titles(own, where)
        _check_titles(list(row), where)
    return found


def _check_titles(titles: Sequence[Any], where: str) -> None:
    """Refuse two titles of one option, also in another spelling or under a former name.

    Raises
    ------
    ValueError
        If there are two; names the row or the table.
    """
    found: dict[str, Any] = {}
    for title in titles:
        option = _title(title).replace("-", "_")
        option = FORMER_NAMES.get(option, option)
        if option in found:
            pair = dict.fromkeys(str(each).strip() for each in (found[option], title))
            names = " and ".join(f"'{each}'" for each in pair)
            twice = "twice" if len(pair) == 1 else "for one option"
            raise ValueError(
                f"{where}: expected each option once, got {names} {twice}; leave one "
                "out."
            )
        found[option] = title


def _title(key: Any) -> str:
    """Title of a column, as the option is called."""
    return str(key).strip().replace("_", "-")


def _files(value: Any, table: Path) -> list[str]:
    """Image files of a cell; relative ones lie beside the table."""
    names = value if isinstance(value, list) else str(value).split(SEPARATOR)
    found = [str(name).strip() for name in names]
    folder = table.absolute().parent
    return [
        name if name.startswith("sample:") else str(folder / name) for name in found
    ]


def _option(name: str, value: Any) -> list[str]:
    """Words of an option."""
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return [f"--{name}" if text.lower() == "true" else f"--no-{name}"]
    words = list(map(str, value)) if isinstance(value, list) else text.split()
    # One word: options of a path or a text may hold spaces.
    if name in ("config", "from", "classifier"):
        words = [text]
    return [f"--{name}", *words]


# --- Runs -----------------------------------------------------------------------------


def run_batch(
    rows: Sequence[BatchRow],
    out: str | Path,
    jobs: int = 1,
    size: int = 128,
    show: Callable[[int, Outcome], None] = lambda number, outcome: None,
) -> list[Outcome]:
    """Train and measure every row that is not finished.

    A row that was interrupted is resumed. Ctrl+C stops the runs after their step, saves
    them, and leaves the other rows for the next call.

    Parameters
    ----------
    rows
        From `read_table`.
    out
        Folder of the batch.
    jobs
        Rows at a time; the processors are divided among them.
    size
        Edge of the measured volumes in voxels.
    show
        Called with the place of each row from 1 and its outcome, as soon as it ends;
        also for rows that are skipped, since they are finished.

    Returns
    -------
    In the order of the rows.

    Raises
    ------
    ValueError
        If a row was run with other settings before, the folder cannot be written, or
        another process works on it.
    """
    out = Path(out)
    if jobs < 1:
        raise ValueError(f"Expected at least 1 job, got {jobs}; raise it.")
    # Before hours of training.
    ProofSettings(size)
    check_memory((size,) * 3, np.dtype(np.uint8), "The volumes", "lower --size")
    check_can_write_into(out)
    make_folder(out)
    with lock(out / ".batch.lock", f"The batch {out} is being run"):
        outcomes = _before(rows, out)
        missing = [n for n, one in enumerate(outcomes) if one.status != "finished"]
        # Simultaneous rows share cores and memory.
        jobs = max(1, min(jobs, len(missing)))
        shares = {"OMP_NUM_THREADS": max(1, available_cpus() // jobs)}
        if jobs > 1:
            shares[SHARE] = available_memory() // jobs
            shares[SWAP_SHARE] = available_swap() // jobs
        runner = _Runner(out, size, shares)
        for number, one in enumerate(outcomes):
            if number not in missing:
                show(number + 1, one)
        with ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(runner.run, rows[n]): n for n in missing}
            try:
                for future in as_completed(futures):
                    number = futures[future]
                    outcomes[number] = future.result()
                    write_state(outcomes, out)
                    show(number + 1, outcomes[number])
            except KeyboardInterrupt:
                logger.warning("Stopping the runs after their step, then saving...")
                runner.stop()
                pool.shutdown(cancel_futures=True)
                for future, number in futures.items():
                    if not future.cancelled():
                        outcomes[number] = future.result()
        write_state(outcomes, out)
    return outcomes


def _before(rows: Sequence[BatchRow], out: Path) -> list[Outcome]:
    """Outcomes of an earlier call; rows that it had not are waiting."""
    known = {one.name: one for one in read_state(out)}
    found = []
    for row in rows:
        one = known.get(row.name, Outcome(row.name, row.words))
        if one.words != row.words and (out / row.name).exists():
            raise ValueError(
                f"Expected the settings with which the row '{row.name}' was begun "
                f"({' '.join(one.words)}), got others ({' '.join(row.words)}); give "
                "it another name, or another folder by --out."
            )
        found.append(one if one.words == row.words else Outcome(row.name, row.words))
    return found


class _Runner:
    """Runs the programs of rows, and stops them."""

    def __init__(self, out: Path, size: int, shares: dict[str, int]) -> None:
        self._out = out
        self._size = size
        self._shares = {name: str(share) for name, share in shares.items()}
        self._stopped = threading.Event()
        self._programs: set[subprocess.Popen[bytes]] = set()

    def stop(self) -> None:
        """Ask all programs to save and end; no other one begins."""
        self._stopped.set()
        for program in list(self._programs):
            program.terminate()

    def run(self, row: BatchRow) -> Outcome:
        """Train or resume, then measure."""
        try:
            status, detail = self._run(self._out / row.name, row)
        except (OSError, ValueError) as error:
            status, detail = "failed", in_words(error)
        return Outcome(row.name, row.words, status, detail)

    def _run(self, folder: Path, row: BatchRow) -> tuple[Status, str]:
        log = folder.with_name(f"{row.name}.log")
        words = ["train", *row.words, "--out", str(folder)]
        if (folder / CONFIG).is_file():
            words = ["resume", str(folder)]
            self._wait_for(RunFolder(folder))
        report = ["report", str(folder), "--size", str(self._size), "--quick"]
        for command in (words, report):
            status = STOPPED
            if not self._stopped.is_set():
                status = self.program(command, log)
            if self._stopped.is_set() or status == STOPPED:
                return "stopped", "Run the batch again to resume it."
            if status != DONE:
                why = _last_line(log, status)
                return "diverged" if status == DIVERGED else "failed", why
        verdict = _report_of(folder).verdict
        return "finished", f"{verdict.headline}: {verdict.bound}"

    def _wait_for(self, folder: RunFolder) -> None:
        """Wait until nobody trains a run; after some time its program refuses it."""
        for _ in range(WAITING_S):
            with contextlib.suppress(ValueError), folder.lock():
                return
            self._stopped.wait(1)

    def program(self, words: Sequence[str], log: Path) -> int:
        """Run a command of this program; returns its exit status."""
        variables = {
            **self._shares,
            **os.environ,
            PARENT: str(os.getpid()),
        }
        with log.open("ab") as file:
            program = subprocess.Popen(
                [sys.executable, "-m", "napari_slicegan", *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=variables,
            )
            self._programs.add(program)
            try:
                return program.wait()
            finally:
                self._programs.discard(program)


def _last_line(log: Path, status: int) -> str:
    """Why a program failed: its last sentence."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if line.startswith("slicegan: ")]
    if said:
        return said[-1].removeprefix("slicegan: ")
    if status == KILLED:
        return f"it was killed, probably for lack of memory; see {log.name}"
    return f"it ended with status {status}; see {log.name}"


class _StoredBaseline(BaseModel):
    """Of `_StoredProof`."""

    verdict: Verdict


class _StoredProof(BaseModel):
    """What the page needs of `Proof.to_dict`."""

    verdict: Verdict
    metrics: list[MetricVerdict]
    baseline: _StoredBaseline | None


class _StoredReport(BaseModel):
    """What the page needs of ``report.json``."""

    proof: _StoredProof


def _report_of(folder: Path) -> _StoredProof:
    """Verdicts in the report on a run; a ValueError if its file is damaged."""
    return _StoredReport.model_validate_json((folder / REPORT).read_bytes()).proof


def write_state(outcomes: Sequence[Outcome], out: Path) -> None:
    """Write ``batch.csv`` and ``batch.html``."""
    with (
        replacing(out / STATE) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.DictWriter(file, list(Outcome.__dataclass_fields__))
        table.writeheader()
        for one in outcomes:
            table.writerow({**asdict(one), "words": json.dumps(one.words)})
    with replacing(out / PAGE) as partial:
        partial.write_text(batch_page(outcomes, out), encoding="utf-8")


def read_state(out: Path) -> list[Outcome]:
    """Outcomes in the ``batch.csv`` of a folder; none if there is no such file.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    path = out / STATE
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                Outcome(
                    row["name"],
                    tuple(parse_json(row["words"])),
                    row["status"],  # type: ignore[arg-type]
                    row["detail"],
                )
                for row in csv.DictReader(file)
            ]
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise ValueError(
            f"{path}: expected the state of a batch, got a damaged file; delete it to "
            "begin anew in another folder, or use a copy."
        ) from error


# --- Page -----------------------------------------------------------------------------


@dataclass(frozen=True)
class RowFacts:
    """What the page shows of a row.

    Attributes
    ----------
    metrics
        Metric -> its verdict, as in ``report.json``; empty without a report.
    baseline
        Headline of the verdict on the Gaussian field.
    preview
        The last preview as a data URL.
    """

    outcome: Outcome
    steps: str
    minutes: str
    grade: str
    metrics: Mapping[str, MetricVerdict]
    baseline: str
    preview: str


def batch_page(outcomes: Sequence[Outcome], out: Path) -> str:
    """Text of the page that compares all rows of a batch."""
    rows = [_facts(one, out) for one in outcomes]
    titles = titles_of(rows)
    figures = []
    if titles:
        height = 1.6 + 0.32 * sum(bool(row.metrics) for row in rows)
        caption = (
            "Distances from the images in noise floors, of each row and metric: up to "
            f"1 agrees, up to {FAR_FLOORS:g} is close."
        )
        draw = partial(draw_floors, rows=rows)
        figures.append(page_figure(draw, height, "floors", caption))
    return TEMPLATES.get_template("batch.html").render(
        name=out.name,
        rows=rows,
        titles=titles,
        figures=figures,
        finished=sum(row.outcome.status == "finished" for row in rows),
        signs=SIGNS,
        grade_words=GRADE_WORDS,
    )


def _facts(outcome: Outcome, out: Path) -> RowFacts:
    """From the files of its run, as far as there are any."""
    folder = out / outcome.name
    steps = minutes = grade = baseline = preview = ""
    metrics: dict[str, MetricVerdict] = {}
    with contextlib.suppress(OSError, ValueError):
        n_steps, elapsed_s = RunFolder.open(folder).trained()
        if n_steps:
            steps, minutes = str(n_steps), f"{elapsed_s / 60:.1f}"
    if outcome.status == "finished":
        with contextlib.suppress(OSError, ValueError):
            proof = _report_of(folder)
            grade = proof.verdict.grade
            metrics = {one.metric: one for one in proof.metrics}
            if proof.baseline is not None:
                baseline = proof.baseline.verdict.headline
    with contextlib.suppress(OSError):
        data = base64.b64encode((folder / PREVIEW).read_bytes()).decode("ascii")
        preview = f"data:image/png;base64,{data}"
    return RowFacts(outcome, steps, minutes, grade, metrics, baseline, preview)


def titles_of(rows: Sequence[RowFacts]) -> dict[str, str]:
    """Judged metrics of all rows, with their titles."""
    return {
        name: one.title.partition(" (")[0]
        for row in rows
        for name, one in row.metrics.items()
        if one.grade != "unknown"
    }


def draw_floors(figure: Figure, rows: Sequence[RowFacts]) -> None:
    """A map of the distances in noise floors, rows by metrics."""
    titles = titles_of(rows)
    shown = [row for row in rows if row.metrics]
    floors = np.array([list(_floors(row, titles)) for row in shown])
    panel = figure.subplots()
    # Of any theme of the page: the cells are light in all of them.
    middle: Any = {"ha": "center", "va": "center", "size": 8, "color": "#111111"}
    # White at 1, as in the verdicts; no colour where a metric is not judged.
    scaled = np.log(np.clip(floors, 1 / MOST_FLOORS, MOST_FLOORS)) / np.log(MOST_FLOORS)
    panel.pcolormesh(scaled, cmap="RdBu_r", vmin=-1.4, vmax=1.4, edgecolors="white")
    for (y, x), value in np.ndenumerate(floors):
        if np.isfinite(value):
            panel.text(x + 0.5, y + 0.5, f"{value:.1f}", **middle)
    panel.invert_yaxis()
    panel.set_yticks(np.arange(len(shown)) + 0.5, [row.outcome.name for row in shown])
    panel.set_xticks(
        np.arange(len(titles)) + 0.5, list(titles.values()), rotation=25, ha="right"
    )
    panel.tick_params(length=0, labelsize=8)
    for side in panel.spines.values():
        side.set_visible(False)


def _floors(row: RowFacts, titles: Mapping[str, str]) -> Iterator[float]:
    for name in titles:
        one = row.metrics.get(name)
        judged = one is not None and one.grade != "unknown"
        floors = one.floors if judged and one is not None else None
        yield np.nan if floors is None else floors
