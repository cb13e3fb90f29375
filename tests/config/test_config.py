"""Settings: declared once, refused with sentences that help."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from napari_slicegan.config import GROUPS, group_of_field, parse_config
from napari_slicegan.config.presets import preset

FIELDS = [
    (group, name)
    for group, settings in GROUPS.items()
    for name in settings.model_fields
]


def test_every_setting_explains_itself() -> None:
    """A short title and a sentence, for the form and the command line."""
    for group, name in FIELDS:
        facts = GROUPS[group].model_fields[name]
        title, description = facts.title or "", facts.description or ""
        assert title[:1].isupper(), name
        assert len(title) <= 25, name
        assert description.endswith("."), name


def test_names_and_titles_are_unique() -> None:
    """Flags and ``changed`` name settings without their group."""
    names = [name for _, name in FIELDS]
    assert len(set(names)) == len(names)
    titles = [GROUPS[group].model_fields[name].title for group, name in FIELDS]
    assert len(set(titles)) == len(titles)
    assert group_of_field() == {name: group for group, name in FIELDS}


def test_round_trip_through_json() -> None:
    config = preset("slicegan-fast").changed(
        generator_kernels=((6, 3, 3), (4, 2, 3)),
        thresholds=(0.1, 0.5),
        crop=(0, 64, 8, 72),
        critic_slices=None,
        betas=(0.5, 0.9),
    )
    text = config.model_dump_json()
    assert parse_config(json.loads(text)) == config


def test_changed_leaves_the_rest_and_the_original() -> None:
    before = preset("slicegan-fast")
    after = before.changed(seed=5, patch_size=32)
    assert (after.training.seed, after.architecture.patch_size) == (5, 32)
    assert before == preset("slicegan-fast")
    restored = after.changed(
        seed=before.training.seed, patch_size=before.architecture.patch_size
    )
    assert restored == before


def test_a_setting_under_its_former_name_and_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="'generator_lr' and also 'generator_rate'"):
        preset("slicegan-fast").changed(generator_lr=1e-3, generator_rate=1e-4)


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError):
        preset("slicegan-fast").training.seed = 3  # type: ignore[misc]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"patch_size": 4}, r"'Patch size' \(patch_size\): .*greater.* 8; got 4\.$"),
    ({"latent_size": 1}, r"'Latent size'.*at least 2: kernels overlap.*paper-and-code"),
    ({"seed": -1}, r"'Seed' \(seed\): .*greater than or equal to 0; got -1\.$"),
    ({"minutes": 0}, r"'Minutes' \(minutes\): .*greater than 0; got 0\.$"),
    ({"steps": 1.5}, r"'Steps' \(steps\): .*integer.*; got 1\.5\.$"),
    ({"objective": "gan"}, r"'Objective' \(objective\): .*'r3gan' or 'realness'"),
    ({"betas": (0.5, 1.0)}, r"'Adam betas' \(betas\): .*less than 1; got 1\.0\.$"),
    ({"betas": (0.5,)}, r"'Adam betas' \(betas\): "),
    ({"critic_widths": ()}, r"'Critic widths' \(critic_widths\): .*at least 1"),
    ({"critic_widths": (8, 0)}, r"'Critic widths' \(critic_widths\): .*; got 0\.$"),
    ({"crop": (0, 5)}, r"'Crop' \(crop\): "),
    (
        {"device": "gpu"},
        r"^'Device' \(device\): should be auto, cpu, cuda, cuda:N or mps; "
        r"got 'gpu'\.$",
    ),
    (
        {"generator_widths": ["abc"]},
        r"\(generator_widths\): expected whole numbers such as 512, 256, 128, 64; got",
    ),
    ({"minutes": "inf"}, r"'Minutes' \(minutes\): expected a finite number; got 'inf'"),
    (
        {"pixel_size_nm": "nan"},
        r"\(pixel_size_nm\): expected a finite number; got 'nan'",
    ),
    ({"checkpoint_minutes": 1e308}, r"expected a number of at most 9.2e\+18; got 1e"),
    ({"patchsize": 4}, r"No setting is called 'patchsize'.*patch_size"),
]


def test_refused_values(subtests: pytest.Subtests) -> None:
    """The title and the name of the setting, what is allowed, what came."""
    for changes, words in REFUSED:
        with subtests.test(changes=changes, words=words):
            with pytest.raises(ValueError, match=words) as caught:
                preset("slicegan-fast").changed(**changes)
            assert type(caught.value) is ValueError
            text = str(caught.value)
            assert "\n" not in text
            assert "pydantic" not in text
            assert "http" not in text


def test_each_fault_has_its_sentence() -> None:
    with pytest.raises(ValueError, match=r"'Seed'.*-1\. 'Steps'.*0\.$"):
        preset("slicegan-fast").changed(seed=-1, steps=0)


def test_refused_files() -> None:
    """Misspelt groups, wrong types, and what is no set of settings at all."""
    files: list[tuple[Any, str]] = [
        ({"training": {"laps": 3}}, r"'training\.laps' \(got 3\); correct"),
        ({"traning": {}}, r"'traning' \(got \{\}\); correct"),
        ({"training": 3}, r"training.*; got 3\.$"),
        ([], r"settings.*; got \[\]\.$"),
        (7, r"settings.*; got 7\.$"),
    ]
    for data, words in files:
        with pytest.raises(ValueError, match=words) as caught:
            parse_config(data)
        assert type(caught.value) is ValueError
