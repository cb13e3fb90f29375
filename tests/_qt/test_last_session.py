"""Pictures and settings are kept over restarts, in a file that may be damaged."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.last_session import (
    LastSession,
    recall,
    remember,
    session_file,
)
from tests.toys import small_config

pytestmark = pytest.mark.qt


@pytest.fixture
def session(tmp_path: Path) -> LastSession:
    paths = [tmp_path / name for name in ("a.tif", "b.tif")]
    for path in paths:
        path.touch()
    return LastSession({"z": paths}, small_config().changed(minutes=7))


def test_what_is_remembered_is_recalled(session: LastSession, tmp_path: Path) -> None:
    assert recall() is None
    remember(session)
    assert session_file().parent == tmp_path / "config"
    again = recall()
    assert again is not None
    assert again.config == session.config
    assert {axis: [*paths] for axis, paths in again.pictures.items()} == (
        session.pictures
    )
    assert again.name == "a.tif and 1 more"


def test_pictures_that_are_gone_are_not_offered(session: LastSession) -> None:
    remember(session)
    session.pictures["z"][1].unlink()
    assert recall() is None


def test_a_damaged_file_is_ignored_with_one_line(
    session: LastSession,
    caplog: pytest.LogCaptureFixture,
    subtests: pytest.Subtests,
) -> None:
    for damage in ("", "[]", "{}", "pictures", "settings", "format"):
        with subtests.test(damage):
            caplog.clear()
            remember(session)
            facts = json.loads(session_file().read_text(encoding="utf-8"))
            text = damage
            if damage in facts:
                text = json.dumps({**facts, damage: "?"})
            session_file().write_text(text, encoding="utf-8")
            with caplog.at_level(logging.WARNING):
                assert recall() is None
            (record,) = caplog.records
            assert "is ignored" in record.getMessage()


def test_a_folder_that_cannot_be_written_is_no_fault(
    session: LastSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config").touch()
    with caplog.at_level(logging.WARNING):
        remember(session)
    (record,) = caplog.records
    assert "is not kept" in record.getMessage()
