"""The state machine of a run, without Qt."""

from __future__ import annotations

import itertools

import pytest

from napari_slicegan._qt.train.run_state import TRANSITIONS, RunMachine, RunState

S = RunState
ALLOWED = {
    (S.IDLE, S.PREPARING),
    (S.PREPARING, S.RUNNING),
    (S.PREPARING, S.STOPPING),
    (S.PREPARING, S.FINISHED),
    (S.PREPARING, S.FAILED),
    (S.RUNNING, S.PAUSED),
    (S.RUNNING, S.STOPPING),
    (S.RUNNING, S.FINISHED),
    (S.RUNNING, S.FAILED),
    (S.PAUSED, S.RUNNING),
    (S.PAUSED, S.STOPPING),
    (S.PAUSED, S.FINISHED),
    (S.PAUSED, S.FAILED),
    (S.STOPPING, S.FINISHED),
    (S.STOPPING, S.FAILED),
    (S.FINISHED, S.PREPARING),
    (S.FAILED, S.PREPARING),
}


def machine_in(state: RunState) -> RunMachine:
    machine = RunMachine()
    machine.state = state
    return machine


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product(RunState, RunState))
)
def test_only_the_changes_of_the_table_are_made(
    before: RunState, after: RunState
) -> None:
    machine = machine_in(before)
    if (before, after) in ALLOWED:
        machine.go(after)
        assert machine.state is after
    else:
        with pytest.raises(RuntimeError, match="cannot go from"):
            machine.go(after)
        assert machine.state is before


def test_every_state_can_be_left_and_reached() -> None:
    assert set(TRANSITIONS) == set(RunState)
    assert all(TRANSITIONS.values())
    reached = {S.IDLE}.union(*TRANSITIONS.values())
    assert reached == set(RunState)


def test_changes_are_told_once_and_only_when_they_happen() -> None:
    told: list[RunState] = []
    machine = RunMachine(told.append)
    machine.go(S.PREPARING)
    machine.go(S.STOPPING)
    # A step that ended after Stop was pressed.
    assert not machine.go_if_allowed(S.RUNNING)
    assert machine.go_if_allowed(S.FINISHED)
    assert told == [S.PREPARING, S.STOPPING, S.FINISHED]


def test_a_worker_is_at_work_in_the_active_states() -> None:
    active = {state for state in RunState if state.is_active}
    assert active == {S.PREPARING, S.RUNNING, S.PAUSED, S.STOPPING}
