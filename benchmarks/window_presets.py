"""Every preset, trained from the window: whether it starts, ends and makes something.

    xvfb-run -s "-screen 0 1280x800x24" \
        python -m benchmarks.window_presets --minutes 1 --out build/presets

does for each preset under Volumes, Images and Points what a user does, see
`preset_in_window`. Each has a window and a process of its own, so that none takes
another one down; what a process wrote is kept in `NAME.log`. The table is also written
to `presets.txt`. Returns 1 if there was an exception or a process that died.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_slicegan.config.presets import PRESETS

ROOT = Path(__file__).resolve().parent.parent
TABLE = "presets.txt"
TITLE = f"{'preset':18} {'data':10} {'steps':>6} {'s/step':>7}  end; third tab; faults"

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Go through the presets; each is shown at once, the table at the end."""
    options = parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.presets:
        rows.append(in_new_process(name, options))
        sys.stdout.write(line(rows[-1]))
        sys.stdout.flush()
    text = "".join([f"{TITLE}\n", *map(line, rows)])
    (options.out / TABLE).write_text(text, encoding="utf-8")
    sys.stdout.write(f"\n{text}")
    return int(any(row["faults"] for row in rows))


def in_new_process(name: str, options: argparse.Namespace) -> Row:
    """What became of a preset, whatever became of its process."""
    command = [sys.executable, "-m", "benchmarks.preset_in_window", name]
    command += ["--out", str(options.out.absolute() / name)]
    command += ["--minutes", str(options.minutes)]
    command += [word for text in options.set for word in ("--set", text)]
    log = options.out / f"{name}.log"
    limit_s = 60 * (options.minutes + options.patience)
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
        )
        try:
            written, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            written, _ = process.communicate()
    row: Row = json.loads(written.splitlines()[-1]) if written else nothing(name)
    if process.returncode:
        row["faults"].append(f"{_how(process.returncode)}; see {log}")
    return row


def nothing(name: str) -> Row:
    """The row of a process that did not tell what became of the preset."""
    texts = dict.fromkeys(("data", "told", "end", "third_tab"), "")
    return {"preset": name, **texts, "steps": 0, "step_s": 0.0, "faults": []}


def line(row: Row) -> str:
    """A line of the table, and one below it with what was told before the start."""
    faults = " | ".join(row["faults"]) or "none"
    return (
        f"{row['preset']:18} {row['data']:10} {row['steps']:6} {row['step_s']:7.2g}  "
        f"{row['end'] or '-'}; {row['third_tab'] or '-'}; {faults}\n"
        f"{'':18} told before: {row['told'] or '-'}\n"
    )


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    made.add_argument("--minutes", type=float, default=1.0, help="of each run")
    made.add_argument(
        "--patience", type=float, default=15.0, help="minutes more, then it is killed"
    )
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    return made


def _how(code: int) -> str:
    """Of a process that did not end well; SIGKILL is the end of all patience."""
    if code < 0:
        return f"the process died of {signal.Signals(-code).name}"
    return f"the process ended with {code}"


if __name__ == "__main__":
    sys.exit(main())
