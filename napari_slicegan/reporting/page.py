"""The report as one HTML file that needs nothing else, with its numbers beside it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.machine.atomic_files import replacing
from napari_slicegan.reporting.figures import page_figures
from napari_slicegan.reporting.images import length_text
from napari_slicegan.reporting.provenance import MEASURES, METHOD, PROGRAM
from napari_slicegan.reporting.rows import number, phase_name
from napari_slicegan.reporting.style import STYLE

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Row
    from napari_slicegan.reporting.proof import Proof
    from napari_slicegan.reporting.provenance import ImageFacts, Provenance

# Not by colour alone.
SIGNS = {
    "agrees": "\N{CHECK MARK}",
    "close": "\N{ALMOST EQUAL TO}",
    "differs": "\N{MULTIPLICATION SIGN}",
    "unknown": "\N{EN DASH}",
}
GRADE_WORDS = {
    "agrees": "agrees",
    "close": "close",
    "differs": "differs",
    "unknown": "not judged",
}
ANSWER_WORDS = {
    "agrees": "good",
    "close": "take care",
    "differs": "a problem",
    "unknown": "for information",
}


def write_report(proof: Proof, provenance: Provenance, path: Path) -> Path:
    """Write the page, and the same in JSON beside it.

    Parameters
    ----------
    path
        File to write, ``.html``; both files appear complete or not at all.

    Returns
    -------
    The JSON file.

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    check_report_ending(path)
    facts = {"proof": proof.to_dict(), "provenance": provenance.to_dict()}
    numbers = path.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = page(proof, provenance)
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    with replacing(numbers) as unfinished:
        content = json.dumps(facts, indent=1, allow_nan=False)
        unfinished.write_text(content + "\n", encoding="utf-8")
    return numbers


def check_report_ending(path: Path) -> None:
    """Refuse a file that no report is written to.

    Raises
    ------
    ValueError
        If the name does not end in ``.html``.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(
            f"{path.name}: the report is saved as .html; got the ending "
            f"'{path.suffix}'. Choose a name that ends in .html."
        )


def page(proof: Proof, provenance: Provenance) -> str:
    """The whole page."""
    title = f"Report: {_escaped(provenance.name)}"
    sections = (
        _verdicts(proof),
        _figures(proof),
        _checks(proof),
        _origin(provenance),
        _reading(proof),
        _numbers(proof),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"{_header(proof, provenance)}\n<main>\n{''.join(sections)}</main>\n"
        f"{_footer(provenance)}\n</body>\n</html>\n"
    )


def _header(proof: Proof, provenance: Provenance) -> str:
    judged = proof.verdict
    voxel = provenance.voxel_size_nm
    unit = "" if voxel is None else f" of {length_text(voxel)}"
    made = f", seed {proof.settings.seed}; {provenance.training}"
    return (
        f"<header>\n<h1>{_escaped(provenance.name)}: generated in 3-D, measured</h1>\n"
        f'<p class="quiet">{_escaped(proof.comparison.generated)} voxels{unit}'
        f"{_escaped(made if provenance.n_weights else '')}; "
        f"{_escaped(provenance.written[:10])}</p>\n"
        f'<p class="headline {judged.grade}">{SIGNS[judged.grade]} '
        f"{_escaped(judged.headline)}: {_escaped(judged.bound)}</p>\n"
        f"<p>{_escaped(judged.largest)}</p>\n</header>"
    )


def _verdicts(proof: Proof) -> str:
    rows = [
        (
            f'<th scope="row">{_escaped(one.title)}</th>',
            f'<td class="mark {one.grade}">{_mark(one.grade, GRADE_WORDS)}</td>',
            _cell(one.words),
            _cell(one.real, "number"),
            _cell(one.generated, "number"),
            _cell(one.where),
            _cell("-" if one.floors is None else _floors(one.floors), "number"),
        )
        for one in proof.metrics
    ]
    head = (
        *("Metric", "Verdict", "In words", "Real", "Generated"),
        *("Furthest off", "Noise floors"),
    )
    caption = (
        "The phase and axis that are furthest off. Distances are told in noise floors: "
        "the same distance between pieces of the real material "
        f"({_escaped(proof.comparison.noise)})."
    )
    return f"<h2>Verdict for each metric</h2>\n{_table(head, rows, caption)}"


def _figures(proof: Proof) -> str:
    parts = [
        f"<figure>\n{figure.svg}\n<figcaption>{_escaped(figure.caption)}</figcaption>\n"
        "</figure>\n"
        for figure in page_figures(proof)
    ]
    return f"<h2>Pictures and curves</h2>\n{''.join(parts)}"


def _checks(proof: Proof) -> str:
    items = "".join(
        f"<li><h3>{_escaped(check.title)}</h3>\n"
        f'<p class="mark {check.grade}">{_mark(check.grade, ANSWER_WORDS)}</p>\n'
        f"<p>{_escaped(check.verdict)}</p></li>\n"
        for check in proof.checks
    )
    return f'<h2>Further checks</h2>\n<ul class="checks">\n{items}</ul>\n'


def _origin(provenance: Provenance) -> str:
    images = [_image_row(image) for image in provenance.images]
    head = ("Image", "Pixels", "Kind", "Seen along", "Pixel", "Licence", "SHA-256")
    table = _table(head, images, "Trained on") if images else ""
    settings = json.dumps(provenance.settings, indent=1)
    versions = "; ".join(
        f"{words} {', '.join(f'{name} {value}' for name, value in found.items())}"
        for words, found in (
            ("trained with", provenance.trained_with),
            ("measured with", provenance.measured_with),
        )
        if found
    )
    details = (
        f"<details><summary>All settings of the run</summary>\n"
        f"<pre>{_escaped(settings)}</pre></details>\n"
        if provenance.settings
        else ""
    )
    generator = (
        f"<p>Generator: {_escaped(provenance.architecture)}, "
        f"{provenance.n_weights:,} weights, SHA-256 "
        f"<code>{provenance.generator_sha256}</code>.</p>\n"
        if provenance.n_weights
        else ""
    )
    return (
        f"<h2>Where it comes from</h2>\n{table}{generator}"
        f"<p>Versions: {_escaped(versions)}.</p>\n{details}"
    )


def _image_row(image: ImageFacts) -> tuple[str, ...]:
    size = image.pixel_size_nm
    return (
        f'<th scope="row">{_escaped(image.name)}</th>',
        _cell(image.size),
        _cell(image.kind),
        _cell(image.axis),
        _cell("unknown" if size is None else length_text(size)),
        _cell(image.licence),
        f"<td><code>{image.sha256[:16]}</code></td>",
    )


def _reading(proof: Proof) -> str:
    measured = {check.name for check in proof.checks}
    works = [text for name, text in MEASURES.items() if name in measured]
    cited = [METHOD, PROGRAM, *works]
    citations = "".join(f"<li>{_escaped(text)}</li>\n" for text in cited)
    return (
        "<h2>How to read it, how to cite</h2>\n"
        "<p><strong>Agrees</strong>: no farther from the images than another piece of "
        "the same material (one noise floor), or less than 1 % off. "
        "<strong>Close</strong>: within three noise floors. <strong>Differs</strong>: "
        "beyond. Two-dimensional images cannot show everything: what is not known of "
        "the real material is given for information.</p>\n"
        f"<ul>\n{citations}</ul>\n"
    )


def _numbers(proof: Proof) -> str:
    head = ("Metric", "Phase", "Axis", "Real", "Generated", "Distance", "Noise floor")
    rows = [_number_row(row) for row in proof.comparison.rows]
    table = _table(head, rows, "Of curves the mean over r")
    return f"<details><summary>All numbers</summary>\n{table}</details>\n"


def _number_row(row: Row) -> tuple[str, ...]:
    values = (row.real, row.generated, row.distance, row.noise_floor)
    means = (
        sum(value) / len(value) if isinstance(value, tuple) else value
        for value in values
    )
    return (
        f'<th scope="row">{_escaped(row.title)}</th>',
        _cell(phase_name(row.phase)),
        _cell(row.axis or "-"),
        *(_cell(number(mean), "number") for mean in means),
    )


def _footer(provenance: Provenance) -> str:
    return (
        f"<footer>Licence of the data: {_escaped(provenance.licences)}. Written "
        f"{_escaped(provenance.written)} by napari-slicegan.</footer>"
    )


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = ""
) -> str:
    titles = "".join(f'<th scope="col">{_escaped(title)}</th>' for title in head)
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in rows)
    words = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{words}<thead><tr>{titles}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>\n"
    )


def _cell(text: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f"<td{kind}>{_escaped(text)}</td>"


def _mark(grade: str, words: Mapping[str, str]) -> str:
    return f"{SIGNS[grade]} {words[grade]}"


def _floors(floors: float) -> str:
    return "\N{INFINITY}" if floors > 1e6 else f"{floors:.1f}"


def _escaped(text: str) -> str:
    return html.escape(text)
