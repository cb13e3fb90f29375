"""Curves of the report."""

from __future__ import annotations

from napari_slicegan.report.figure import axes_agree
from tests.reports import row


def test_real_curves_are_one_only_within_the_noise_floor() -> None:
    one = row(0.0, 0.02, real=(0.5, 0.3), axis="z")
    near = row(0.0, 0.02, real=(0.5, 0.32), axis="y")  # mean difference 0.01
    far = row(0.0, 0.02, real=(0.5, 0.36), axis="x")  # 0.03
    assert axes_agree([one, near])
    assert not axes_agree([one, near, far])
