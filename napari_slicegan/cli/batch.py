"""The command ``slicegan batch``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.flags import add_train_flags
from napari_slicegan.cli.options import DONE, FAULT, STOPPED, say
from napari_slicegan.report.batch import PAGE, Outcome, read_table, run_batch
from napari_slicegan.runtime.atomic_files import fitting_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slicegan.report.batch import BatchRow


def batch(options: argparse.Namespace) -> int:
    """Train and measure every row of a table."""
    table: Path = options.table
    out: Path = options.out or table.with_name(fitting_name(table.stem, "-runs"))
    rows = read_table(table)
    _check_options(rows, table)

    def show(number: int, one: Outcome) -> None:
        say(f"{number}/{len(rows)} {one.name}: {one.status}. {one.detail}")

    outcomes = run_batch(rows, out, options.jobs, options.size, show)
    say(f"Saved {out / PAGE}")
    found = {one.status for one in outcomes}
    if found & {"stopped", "waiting"}:
        say("Stopped; run the same command again to continue.")
        return STOPPED
    return DONE if found == {"finished"} else FAULT


def _check_options(rows: Sequence[BatchRow], table: Path) -> None:
    """Refuse columns that are no options of ``train``, before anything runs."""
    parser = argparse.ArgumentParser()
    add_train_flags(parser)
    known = {flag for action in parser._actions for flag in action.option_strings}  # noqa: SLF001
    known -= {"--out", "--help", "-h"}
    for row in rows:
        for word in row.words:
            if word.startswith("--") and word not in known:
                raise ValueError(
                    f"{table.name}: expected columns 'image', 'z', 'y', 'x', 'name' "
                    f"and options of slicegan train, got '{word.removeprefix('--')}'; "
                    "correct its title."
                )
