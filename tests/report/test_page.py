"""The report as one self-contained page."""

from __future__ import annotations

import errno
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from napari_slicegan.report.page import page, write_report
from napari_slicegan.report.physics import Estimate, Physics, PropertyRow
from napari_slicegan.report.proof import Check, Proof, ProofSettings
from napari_slicegan.report.provenance import ImageFacts, Provenance
from tests.reports import case

VOID = {"meta", "link", "br", "img", "hr", "path", "use", "image"}
ORIGIN = Provenance(
    name="toy <b>material</b>",
    images=(ImageFacts("a&b.tif", "40 x 48", "phases", 5.0, "all", "0" * 64, "CC0"),),
    settings={"training": {"seed": 0}},
    training="preset slicegan-fast, 4 steps in 1 s",
    trained_with={"torch": "2"},
    measured_with={"numpy": "2"},
    generator_sha256="f" * 64,
    architecture="slicegan",
    n_weights=1234,
    voxel_size_nm=5.0,
    written="2026-01-02T03:04:05+00:00",
)
CHECKS = (
    Check("diversity", "Do they differ?", "agrees", "Yes.", {"likeness": 0.1}),
    Check("transport", "Flow?", "unknown", "Not measured.", {}),
)


def proof(name: str = "isotropic") -> Proof:
    comparison, source, volume = case(name)
    # The volume stands for the baseline, too.
    baseline = comparison if comparison.kind == "phases" else None
    settings = ProofSettings(40, 1, 2)
    flow = PropertyRow("permeability", 0, "z", None, Estimate(0.0123, 1e-3, 0, 8), None)
    physics = Physics((flow,), (20, 20, 20)) if baseline else None
    return Proof(comparison, CHECKS, source, volume, settings, baseline, physics)


class Structure(HTMLParser):
    """Open tags, ids and what is linked."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href"):
                self.links.append(value or "")

    def handle_startendtag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_a_page_is_whole_and_needs_nothing_else(subtests: pytest.Subtests) -> None:
    for name in ["three phases", "truth", "colour", "too small"]:
        with subtests.test(name):
            text = page(proof(name), ORIGIN)
            structure = Structure()
            structure.feed(text)
            assert structure.open == []
            assert len(structure.ids) == len(set(structure.ids))
            for link in structure.links:
                assert link.startswith(("#", "data:")), link
                if link.startswith("#"):
                    assert link[1:] in structure.ids
            for url in re.findall(r"url\((.*?)\)", text):
                assert url.startswith("#")
                assert url[1:] in structure.ids
            assert "<script" not in text
            assert "None" not in re.sub(
                r"<style>.*?</style>", "", text, flags=re.DOTALL
            )
            assert not re.search(r"\bnan\b", text)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Text of a page, and its numbers; nothing else is written."""
    path = tmp_path_factory.mktemp("reports") / "new" / "report.html"
    numbers = write_report(proof(), ORIGIN, str(path))
    assert sorted(path.parent.iterdir()) == [path, numbers]
    return path.read_text("utf-8"), json.loads(numbers.read_text("utf-8"))


def test_figures_take_the_colours_of_the_page(
    written: tuple[str, dict[str, Any]],
) -> None:
    figures = re.findall(r"<figure>\s*(<svg.*?</svg>)", written[0], re.DOTALL)
    assert len(figures) >= 4
    for svg in figures:
        assert svg.startswith('<svg role="img" aria-label="')
        assert 'fill="currentColor"' in svg[:600]
        assert "#000000" not in svg
        assert "#010203" not in svg
        assert "#0072b2" not in svg.lower()
        first = svg[: svg.index(">")]
        assert "viewBox" in first
        assert "width=" not in first


def test_words_and_numbers(written: tuple[str, dict[str, Any]]) -> None:
    text, facts = written
    assert facts["provenance"]["n_weights"] == 1234
    assert facts["proof"]["checks"][0]["numbers"] == {"likeness": 0.1}
    assert "<b>material" not in text
    assert "toy &lt;b&gt;material" in text
    assert "a&amp;b.tif" in text
    assert proof().verdict.headline in text
    for one in proof().metrics:
        assert one.title in text
    assert "\N{CHECK MARK} good" in text
    assert "\N{EN DASH} for information" in text
    assert "TauFactor 2" in text  # transport was checked
    assert "blocks of 20 x 20 x 20 voxels (8 generated)" in text
    assert "0.0123 \N{PLUS-MINUS SIGN} 0.001</td>" in text
    assert facts["proof"]["physics"]["rows"][0]["generated"]["n_blocks"] == 8
    assert ">Gaussian field</th>" in text
    assert proof().baseline_sentence in text
    assert facts["proof"]["baseline"]["sentence"] == proof().baseline_sentence


def test_a_volume_without_a_generator() -> None:
    """And without a check of transport."""
    found = replace(proof("too small"), checks=CHECKS[:1])
    text = page(found, replace(ORIGIN, n_weights=0, images=()))
    for words in ("TauFactor 2", "Generator:", "Trained on", ", seed"):
        assert words not in text


def test_a_fault_of_the_disk_leaves_both_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / "a.html", tmp_path / "a.json"]
    for file in files:
        file.write_text("old")
    write = Path.write_text

    def failing(path: Path, *words: Any, **named: Any) -> int:
        if ".json." in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, *words, **named)

    monkeypatch.setattr(Path, "write_text", failing)
    with pytest.raises(OSError, match="No space"):
        write_report(proof(), ORIGIN, files[0])
    assert [file.read_text() for file in files] == ["old", "old"]
    assert sorted(tmp_path.iterdir()) == files


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.html .*, got .*report\.pdf;"):
        write_report(proof(), ORIGIN, tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())
