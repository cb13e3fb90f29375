"""Run the examples of pages and write what they print into the pages.

python docs/outputs.py docs/how-to/pixel-size.md docs/how-to/transport.md

An example is a block of `sh` or `python` with a block of `text` directly behind it,
which holds its output.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLE = re.compile(
    r"^```(?P<language>sh|python)\n(?P<code>(?:(?!```).)*)```\n\n```text\n"
    r"(?P<output>(?:(?!```).)*)```$",
    re.MULTILINE | re.DOTALL,
)


def with_outputs(text: str, folder: Path) -> str:
    """The text of a page with the output of its examples, run in a folder."""
    programs = Path(sys.executable).parent
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def ran(found: re.Match[str]) -> str:
        code = found["code"]
        words = [sys.executable, "-c", code]
        if found["language"] == "sh":
            words = ["sh", "-ec", code]
        done = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        language = found["language"]
        return f"```{language}\n{code}```\n\n```text\n{done.stdout.strip()}\n```"

    return EXAMPLE.sub(ran, text)


def main() -> None:
    """Refresh the named pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    for page in parser.parse_args().pages:
        with tempfile.TemporaryDirectory() as folder:
            text = with_outputs(page.read_text(encoding="utf-8"), Path(folder))
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
