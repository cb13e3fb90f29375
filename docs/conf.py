"""Settings of Sphinx; `make docs` builds the pages of this folder."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from generated import PARTS  # noqa: E402

from napari_slicegan import __version__  # noqa: E402
from napari_slicegan.config import Settings  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = author = "napari-slicegan"
release = version = __version__
html_title = f"napari-slicegan {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# The headings of a page are targets of links, as on GitHub.
myst_heading_anchors = 3
# Code without a language is not coloured.
highlight_language = "text"
# Names in single backquotes, as in docstrings.
default_role = "code"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# Defaults as the source has them, not all fields of a settings object.
autodoc_preserve_defaults = True
# Attributes that the docstring of a class lists are fields of it, not members.
napoleon_use_ivar = True
napoleon_google_docstring = False

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", "")


def fill(_: Sphinx, page: str, source: list[str]) -> None:
    """Put the generated parts of a page in their places."""
    for name, make in PARTS.items():
        mark = f"<!-- generated: {name} -->"
        if mark in source[0]:
            source[0] = source[0].replace(mark, make())


def without_fields(*args: Any) -> tuple[str, str] | None:
    """Signature of a class of settings, whose fields have a page of their own."""
    is_settings = inspect.isclass(args[3]) and issubclass(args[3], Settings)
    return ("(**settings)", "") if is_settings else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect what is made at build time."""
    app.connect("source-read", fill)
    app.connect("autodoc-process-signature", without_fields)
    return {"parallel_read_safe": True}
