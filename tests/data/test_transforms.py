"""Micrograph values to network values and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import (
    TRANSFORMS,
    OneHotPhases,
    ScaleMinMax,
    fit_transform,
    transform_from_state,
)

RNG = np.random.default_rng(4)


def images_of(*arrays: NDArray[Any], kind: Any = "auto") -> TrainingImages:
    micrographs = [Micrograph.from_array(array, kind) for array in arrays]
    return TrainingImages.isotropic(*micrographs)


OF_LABELS: list[tuple[tuple[int, ...], Any]] = [
    ((3, 300), np.uint16),
    ((-7, 0, 5), np.int8),
]


def test_original_labels_come_back(subtests: pytest.Subtests) -> None:
    for labels, dtype in OF_LABELS:
        with subtests.test(labels=labels, dtype=dtype):
            values = RNG.choice(np.array(labels), (5, 20, 30))
            transform = OneHotPhases(labels)
            back = transform.inverse(transform.forward(values), channel_axis=1)
            assert back.dtype == dtype
            np.testing.assert_array_equal(back, values)


def test_one_hot_agrees_with_torch() -> None:
    index = RNG.integers(0, 3, (4, 6, 7))
    labels = np.array([5, 90, 255])
    ours = OneHotPhases((255, 5, 90)).forward(labels[index])
    theirs = torch.nn.functional.one_hot(torch.from_numpy(index), 3).movedim(-1, 1)
    assert ours.dtype == torch.float32
    assert ours.shape == (4, 3, 6, 7)
    torch.testing.assert_close(ours, theirs.float())


ARGMAX: list[tuple[tuple[float, ...], torch.dtype]] = [
    ((), torch.bfloat16),
    ((1.0, 0.9, 1.2), torch.bfloat16),
    ((), torch.float32),
]


def test_labels_are_those_of_argmax(subtests: pytest.Subtests) -> None:
    """Bit by bit, also among equals, of which coarse values have many."""
    for weights, dtype in ARGMAX:
        with subtests.test(weights=weights, dtype=dtype):
            values = (torch.rand(3, 20, 20, 20) * 8).round().to(dtype)
            factors = np.array(weights or (1, 1, 1), np.float32).reshape(-1, 1, 1, 1)
            expected = np.argmax(values.float().numpy() * factors, axis=0)
            labels = np.array([3, 90, 207])
            found = OneHotPhases((3, 90, 207), weights).inverse(values)
            np.testing.assert_array_equal(found, labels[expected])


def test_channel_axis_of_volumes_and_batches() -> None:
    inverse = OneHotPhases((0, 1)).inverse
    assert inverse(torch.rand(2, 6, 7, 8)).shape == (6, 7, 8)
    assert inverse(torch.rand(3, 2, 6, 7, 8)).shape == (3, 6, 7, 8)
    assert inverse(torch.rand(2, 7, 8)).shape == (7, 8)
    assert inverse(torch.rand(5, 2, 7, 8), 1).shape == (5, 7, 8)


def test_inverse_takes_values_with_gradient() -> None:
    values = torch.rand(2, 4, 4, 4, requires_grad=True)
    assert OneHotPhases((0, 1)).inverse(values).shape == (4, 4, 4)
    assert ScaleMinMax(0, 1, 1, "float32").inverse(values[:1]).shape == (4, 4, 4)


def test_phases_are_fitted_on_all_images() -> None:
    images = images_of(RNG.integers(0, 2, (9, 9)), RNG.integers(1, 3, (9, 9)) * 4)
    transform = fit_transform(images)
    assert isinstance(transform, OneHotPhases)
    assert transform.labels == (0, 1, 4, 8)
    assert (transform.kind, transform.channels) == ("phases", 4)
    assert transform.range == "simplex"


def test_gray_values_are_scaled_by_the_data_set() -> None:
    # Over both images: 100 is the lowest, 300 the highest value.
    dark = np.linspace(100, 200, 90).astype(np.uint16).reshape(9, 10)
    bright = np.linspace(200, 300, 90).astype(np.uint16).reshape(9, 10)
    transform = fit_transform(images_of(dark, bright))
    assert transform.range == (0.0, 1.0)
    crop = np.array([[100, 150], [200, 300]], dtype=np.uint16)
    expected = torch.tensor([[[0.0, 0.25], [0.5, 1.0]]])
    torch.testing.assert_close(transform.forward(crop), expected)


def test_eight_bit_colour_is_divided_by_255() -> None:
    # Also where the image itself spans less: 51 / 255 = 0.2, 102 / 255 = 0.4.
    rgb = RNG.integers(51, 103, (9, 10, 3), dtype=np.uint8)
    transform = fit_transform(images_of(rgb))
    assert (transform.kind, transform.channels) == ("colour", 3)
    pixel = np.array([[[0, 51, 102]]], dtype=np.uint8)
    expected = torch.tensor([0.0, 0.2, 0.4]).reshape(3, 1, 1)
    torch.testing.assert_close(transform.forward(pixel), expected)


def test_other_colours_share_one_scale() -> None:
    rgb = RNG.integers(0, 4096, (9, 10, 3), dtype=np.uint16)
    rgb[0, 0], rgb[0, 1] = (0, 10, 20), (4095, 10, 20)
    scaled = fit_transform(images_of(rgb)).forward(rgb)
    np.testing.assert_allclose(scaled, np.moveaxis(rgb / 4095, -1, 0), atol=1e-6)


def test_gray_values_come_back_in_their_type(subtests: pytest.Subtests) -> None:
    for dtype in ["u2", "f2"]:
        with subtests.test(dtype):
            values = RNG.integers(0, 250, (7, 9, 10)).astype(dtype)
            transform = fit_transform(images_of(values, kind="grayscale"))
            back = transform.inverse(transform.forward(values), channel_axis=1)
            assert back.dtype == dtype
            np.testing.assert_allclose(
                back, values, atol=0 if dtype[0] in "iu" else 0.1
            )


GRAYS: list[tuple[str, torch.dtype]] = [
    ("u1", torch.bfloat16),
    ("i1", torch.float64),
    ("u2", torch.float32),
    ("i4", torch.float64),
    ("f8", torch.float64),
]


def test_gray_values_are_those_of_numpy(subtests: pytest.Subtests) -> None:
    """Bit by bit, whether they are converted before or after they are copied."""
    for dtype, given in GRAYS:
        with subtests.test(dtype=dtype, given=given):
            low, high = (-100, 27) if dtype[0] == "i" else (3, 251)
            transform = ScaleMinMax(
                low, high, 1, np.dtype(dtype).name, output=(-1, 0.7)
            )
            values = (2.2 * torch.rand(1, 30, 30, 30) - 1.2).to(given)
            kept = values.clone()
            share = np.clip((kept[0].double().numpy() + 1) / 1.7, 0, 1)
            expected = low + share * (high - low)
            if dtype[0] in "iu":
                expected = np.rint(expected)
            found = transform.inverse(values)
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, expected.astype(dtype))
            assert torch.equal(values, kept)


def test_colours_come_back_with_the_channels_last() -> None:
    rgb = RNG.integers(0, 256, (6, 9, 10, 3), dtype=np.uint8)
    transform = fit_transform(images_of(rgb))
    assert transform.forward(rgb).shape == (6, 3, 9, 10)
    volume = transform.forward(rgb).transpose(0, 1)  # [Z, C, Y, X] -> [C, Z, Y, X]
    np.testing.assert_array_equal(transform.inverse(volume), rgb)
    np.testing.assert_array_equal(transform.inverse(volume[None]), rgb[None])


def test_values_outside_the_range_are_clipped_and_not_wrapped() -> None:
    transform = ScaleMinMax(0, 255, 1, "uint8")
    values = torch.tensor([-0.1, 0.0, 0.498, 1.0, 1.2]).reshape(1, 1, 1, 5)
    # 0.498 * 255 = 126.99
    expected = [0, 0, 127, 255, 255]
    np.testing.assert_array_equal(transform.inverse(values).ravel(), expected)


def test_other_output_range() -> None:
    transform = ScaleMinMax(10, 20, 1, "float64", output=(-1, 1))
    values = np.array([[10.0, 15.0, 20.0]])
    scaled = transform.forward(values)
    torch.testing.assert_close(scaled, torch.tensor([[[-1.0, 0.0, 1.0]]]))
    np.testing.assert_allclose(transform.inverse(scaled), values)
    assert transform.range == (-1.0, 1.0)


def test_large_integers_are_scaled_before_they_are_rounded() -> None:
    # 2^31 - 3 and 2^31 - 1, the ends of a range of 2, are equal in float32.
    top = 2**31 - 1
    transform = ScaleMinMax(top - 2, top, 1, "int32")
    values = np.array([[top - 2, top - 1, top]], dtype=np.int32)
    scaled = transform.forward(values)
    torch.testing.assert_close(scaled, torch.tensor([[[0.0, 0.5, 1.0]]]))
    np.testing.assert_array_equal(transform.inverse(scaled), values)


WITH_STATE: list[OneHotPhases | ScaleMinMax] = [
    OneHotPhases((0, 127, 255)),
    ScaleMinMax(3, 90, 1, "uint16"),
    ScaleMinMax(-0.5, 0.7, 3, "float32", output=(-1, 1)),
]


def test_state_survives_json(subtests: pytest.Subtests) -> None:
    for transform in WITH_STATE:
        with subtests.test(transform=transform):
            state = json.loads(json.dumps(transform.state()))
            back = transform_from_state(state)
            assert type(back) is type(transform)
            assert back.state() == transform.state()
            assert (back.kind, back.channels) == (transform.kind, transform.channels)
            values = torch.rand(2, transform.channels, 4, 4, 4)
            np.testing.assert_array_equal(
                back.inverse(values), transform.inverse(values)
            )


UNKNOWN: list[dict[str, Any]] = [
    {},
    {"name": "none"},
    {"name": "one-hot-phases", "colours": [1]},
]


def test_unknown_state_is_refused(subtests: pytest.Subtests) -> None:
    for state in UNKNOWN:
        with subtests.test(state=state):
            with pytest.raises(ValueError, match=r"one-hot-phases, scale-min-max.*got"):
                transform_from_state(state)


def test_parameters_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two labels, got"):
        OneHotPhases((4, 4))
    with pytest.raises(ValueError, match="lowest value below the highest, got"):
        ScaleMinMax(1, 1, 1, "float32")


def test_names_in_the_table_are_those_in_the_states() -> None:
    for name, transform in TRANSFORMS.items():
        assert getattr(transform, "name", None) == name
