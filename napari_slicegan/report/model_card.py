"""A generator in one file, with a model card in Markdown beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from napari_slicegan.config import parse_json
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.report.card_facts import CardFacts, card_path, head_of_card
from napari_slicegan.report.page import GRADE_WORDS, TEMPLATES
from napari_slicegan.report.proof import ProofSettings, prove
from napari_slicegan.report.provenance import (
    METHOD,
    PROGRAM,
    Provenance,
    provenance_of,
    sha256_of,
)
from napari_slicegan.runtime.atomic_files import check_ending, replacing
from napari_slicegan.runtime.quantities import length_text
from napari_slicegan.training.run_folder import RunFolder

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedGenerator

REPORT = "report.json"


def export_generator(
    run: str | Path, out: Path, half: bool = False, licence: str = ""
) -> None:
    """Write the generator of a run as one file, and its model card beside it.

    The card quotes the run's ``report.json`` if it belongs to these weights; otherwise
    the generator is measured now, without diffusion.

    Parameters
    ----------
    run
        Run folder.
    out
        File to write, ``.safetensors``.
    half
        Whether to round the weights to half precision.
    licence
        Licence of the images; that of sample data is known.

    Raises
    ------
    ValueError
        If the ending is another one, or the folder holds no generator of volumes.
    """
    check_ending(out, ".safetensors")
    trained = load_generator(run)
    origin = provenance_of(run, trained, licence)
    proof = _known_proof(Path(run), origin)
    if proof is None:
        settings = ProofSettings(transport=False)
        images = RunFolder.open(run).images()
        proof = prove(trained, images, settings).to_dict()
    out.parent.mkdir(parents=True, exist_ok=True)
    # Neither is replaced before both are written.
    with replacing(out) as unfinished:
        origin = exported(trained, origin, unfinished, half)
        write_card(card_path(out), proof, origin, out.name, trained.colours)


def exported(
    trained: TrainedGenerator, origin: Provenance, out: Path, half: bool
) -> Provenance:
    """Write a generator alone; returns its provenance with the hash of the file.

    `half` rounds the weights to half precision, also those in memory.
    """
    if half:
        trained.network.half()
    trained.save(out)
    return replace(origin, generator_sha256=sha256_of(out))


def write_card(
    path: Path,
    proof: Mapping[str, Any],
    origin: Provenance,
    file: str,
    colours: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Write a model card for a generator's file of this name.

    The proof is `Proof.to_dict`, or the same from the JSON of a report; the colours are
    those of the phases where they have some.
    """
    text = card_text(proof, origin, file, colours)
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def card_text(
    proof: Mapping[str, Any],
    origin: Provenance,
    file: str,
    colours: Mapping[int, str] = MappingProxyType({}),
) -> str:
    """Markdown of a model card; see `write_card`."""
    voxel = origin.voxel_size_nm
    phases = ", ".join(f"{label} `{name}`" for label, name in colours.items())
    text = TEMPLATES.get_template("model_card.md").render(
        proof=proof,
        origin=origin,
        file=file,
        facts=[
            ("File", f"`{file}`"),
            ("Makes", "volumes of this material, of any size, periodic on demand"),
            ("Architecture", f"{origin.architecture}, {origin.n_weights:,} weights"),
            ("Voxel", "not known" if voxel is None else length_text(voxel)),
            *([("Colours of the phases", phases)] if phases else []),
            ("Training", origin.training),
            ("Licence of the data", origin.licences),
            ("SHA-256", f"`{origin.generator_sha256}`"),
            ("Written", origin.written),
        ],
        images=[
            (
                *(one.name, one.size, one.kind, one.axis, one.licence),
                f"`{one.sha256[:16]}`",
            )
            for one in origin.images
        ],
        metrics=[
            (one["title"], GRADE_WORDS[one["grade"]], one["words"], one["where"])
            for one in proof["metrics"]
        ],
        method=METHOD,
        program=PROGRAM,
    )
    return f"{head_of_card(_facts(proof, origin))}\n{text}"


def _facts(proof: Mapping[str, Any], origin: Provenance) -> CardFacts:
    comparison = proof["comparison"]
    return CardFacts(
        origin.name,
        comparison.get("kind", ""),
        {
            str(row["phase"]): round(row["real"], 4)
            for row in comparison.get("rows", ())
            if row["metric"] == "phase_fraction"
        },
        origin.voxel_size_nm,
        proof["verdict"].get("grade", "unknown"),
        origin.licences,
    )


def _known_proof(run: Path, origin: Provenance) -> dict[str, Any] | None:
    """Proof from the run's report, if it belongs to the same weights.

    None also of a report that is damaged, or that an earlier release wrote.
    """
    try:
        facts = parse_json((run / REPORT).read_text(encoding="utf-8"))
        same = facts["provenance"]["generator_sha256"] == origin.generator_sha256
        proof: dict[str, Any] = facts["proof"]
        card_text(proof, origin, "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, TemplateError):
        return None
    return proof if same else None
