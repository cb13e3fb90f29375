"""What a program knows of the launcher that started it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slicegan.cli.parser import main
from napari_slicegan.runtime.launcher import VARIABLES, is_launched, is_main_process

if TYPE_CHECKING:
    import pytest


def launch(monkeypatch: pytest.MonkeyPatch, rank: int, size: int) -> None:
    values = (str(rank), str(size), "localhost", "29500")
    for name, value in zip(VARIABLES, values, strict=True):
        monkeypatch.setenv(name, value)


def test_started_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert not is_launched()
    assert is_main_process()


STARTS: list[tuple[int, int, bool, bool]] = [
    (0, 1, False, True),
    (0, 2, True, True),
    (1, 2, True, False),
]


def test_started_by_a_launcher(
    monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    for rank, size, launched, writes in STARTS:
        with subtests.test(rank=rank, size=size, launched=launched, writes=writes):
            launch(monkeypatch, rank, size)
            assert is_launched() == launched
            assert is_main_process() == writes
            # Half of what a launcher sets was set by something else.
            monkeypatch.delenv("MASTER_PORT")
            assert not is_launched()


def test_what_one_process_has_to_do_is_refused_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The launcher hears of it from process 0 alone, which has reported it by then."""
    launch(monkeypatch, 0, 2)
    assert main(["measure", "run"]) == 2
    assert "supports train and resume, got 'measure'" in capsys.readouterr().err
    launch(monkeypatch, 1, 2)
    assert main(["measure", "run"]) == 0
    assert capsys.readouterr().err == ""
