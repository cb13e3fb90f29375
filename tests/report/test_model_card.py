"""Export of a generator with its card and provenance."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari_slicegan.sample_data import SAMPLES

from napari_slicegan.generation.generate import generate
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.report import model_card
from napari_slicegan.report.card_facts import card_path
from napari_slicegan.report.model_card import export_generator
from napari_slicegan.report.proof import ProofSettings
from napari_slicegan.report.provenance import NOT_STATED, provenance_of
from tests.toys import phases_image


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_run, tmp_path / "run"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ProofSettings(size=32, n_seeds=2, transport=False)
    monkeypatch.setattr(model_card, "ProofSettings", lambda **_: settings)


@pytest.mark.usefixtures("quick")
def test_export_writes_generator_and_card(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "shelf" / "toy.safetensors"
    export_generator(run, out, licence="CC BY 4.0, me")
    assert sorted(out.parent.iterdir()) == [card_path(out), out]
    size = (20, 20, 20)
    np.testing.assert_array_equal(
        generate(load_generator(out), size).values,
        generate(load_generator(run), size).values,
    )
    card = card_path(out).read_text("utf-8")
    assert hashlib.sha256(out.read_bytes()).hexdigest() in card
    for words in ("CC BY 4.0, me", "40 x 48", "5 nm", "4 steps", "Phase fraction"):
        assert words in card
    assert "Do other seeds make other volumes?" in card


@pytest.mark.usefixtures("quick")
def test_half_precision_is_half_the_size(run: Path, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    export_generator(run, whole)
    export_generator(run, half, half=True)
    n_weights = provenance_of(run, load_generator(run)).n_weights
    assert whole.stat().st_size - half.stat().st_size >= 2 * n_weights * 0.95
    volumes = [
        generate(load_generator(file), (24,) * 3).values for file in (whole, half)
    ]
    assert (volumes[0] == volumes[1]).mean() > 0.98


def test_a_report_of_the_same_weights_is_quoted(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = {
        "verdict": {
            "headline": "Known",
            "bound": "by a report",
            "largest": "",
        },
        "settings": {"size": 64, "seed": 1},
        "metrics": [],
        "checks": [],
        "comparison": {"reference": "an image"},
    }
    same = provenance_of(run, load_generator(run)).generator_sha256
    facts: dict[str, object]
    facts = {"proof": proof, "provenance": {"generator_sha256": same}}
    (run / "report.json").write_text(json.dumps(facts))

    def refuse(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(model_card, "prove", refuse)
    out = tmp_path / "toy.safetensors"
    export_generator(run, out)
    assert "**Known**, by a report." in card_path(out).read_text("utf-8")
    # Of other weights, or damaged: as an earlier release wrote it, or by hand.
    others: list[tuple[object, object]] = [(proof, "other"), ({}, same), ([], same)]
    others += [({**proof, "verdict": {}}, same), ({**proof, "metrics": [{}]}, same)]
    for damaged, weights in others:
        facts = {"proof": damaged, "provenance": {"generator_sha256": weights}}
        (run / "report.json").write_text(json.dumps(facts))
        with pytest.raises(AssertionError, match="measured again"):
            export_generator(run, out)


def test_generator_and_card_are_written_both_or_neither(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault while the card is written: the earlier export stays."""
    monkeypatch.setattr(model_card, "_known_proof", lambda *_: {})
    monkeypatch.setattr(model_card, "card_text", lambda *_: "\udcff")  # no UTF-8
    out = tmp_path / "toy.safetensors"
    out.write_bytes(b"earlier")
    with pytest.raises(UnicodeEncodeError):
        export_generator(run, out)
    assert out.read_bytes() == b"earlier"
    assert not card_path(out).exists()


def test_names_with_bytes_that_are_no_text_can_be_written(run: Path) -> None:
    """As Python names a file whose name is Latin-1 where names are UTF-8."""
    trained = replace(load_generator(run), name="Gef\udcfcge")
    assert provenance_of(run, trained).name == "Gef?ge"


def test_other_endings_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.safetensors, got .*toy\.pt;"):
        export_generator(run, tmp_path / "toy.pt")


def test_provenance_of_a_run(run: Path) -> None:
    found = provenance_of(run, load_generator(run))
    (image,) = found.images
    values = phases_image(40, 48).values
    assert image.sha256 == hashlib.sha256(values.tobytes()).hexdigest()
    assert (image.size, image.axis, image.licence) == ("40 x 48", "all", NOT_STATED)
    assert found.settings["training"]["steps"] == 4
    assert "torch" in found.trained_with
    assert found.licences == NOT_STATED


def test_provenance_of_a_file_alone(run: Path) -> None:
    file = run / "generator.safetensors"
    found = provenance_of(file, load_generator(file))
    assert found.images == ()
    assert found.training == NOT_STATED
    assert found.generator_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_licence_of_sample_data_is_known(run: Path) -> None:
    index = run / "micrographs" / "images.json"
    entries = json.loads(index.read_text())
    entries[0]["name"] = SAMPLES["aluminium"].file
    index.write_text(json.dumps(entries))
    (image,) = provenance_of(run, load_generator(run)).images
    assert image.licence == f"{SAMPLES['aluminium'].licence} (sample data)"
