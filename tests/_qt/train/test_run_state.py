"""The state machine of a run, without Qt."""

from __future__ import annotations

import pytest

from napari_slicegan._qt.train.run_state import TRANSITIONS, RunMachine, RunState

S = RunState


@pytest.mark.parametrize(
    ("before", "after"),
    [(S.IDLE, S.RUNNING), (S.STOPPING, S.RUNNING), (S.FINISHED, S.PAUSED)],
)
def test_a_forbidden_transition_raises(before: RunState, after: RunState) -> None:
    machine = RunMachine()
    machine.state = before
    with pytest.raises(RuntimeError, match="cannot go from"):
        machine.go(after)
    assert machine.state is before


def test_every_state_can_be_left_and_reached() -> None:
    assert set(TRANSITIONS) == set(RunState)
    assert all(TRANSITIONS.values())
    reached = {S.IDLE}.union(*TRANSITIONS.values())
    assert reached == set(RunState)


def test_each_change_is_reported_once() -> None:
    changes: list[RunState] = []
    machine = RunMachine(changes.append)
    machine.go(S.PREPARING)
    machine.go(S.STOPPING)
    # A step that ended after Stop was pressed.
    assert not machine.go_if_allowed(S.RUNNING)
    assert machine.go_if_allowed(S.FINISHED)
    assert changes == [S.PREPARING, S.STOPPING, S.FINISHED]


def test_a_worker_is_at_work_in_the_active_states() -> None:
    active = {state for state in RunState if state.is_active}
    assert active == {S.PREPARING, S.RUNNING, S.PAUSED, S.STOPPING}
