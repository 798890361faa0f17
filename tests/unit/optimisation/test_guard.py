"""Solvers that hang, crash, fail or answer nonsense: ended at their limit, said in one sentence, and replaced."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.guard import SolverGuard, shared_guard

PATIENCE_S = 60.0
SHORT_S = 0.5

PARENT = """
import sys
from bess_pipeline.optimisation.guard import SolverGuard
SolverGuard(preload=()).ask({function!r}, {note!r}, limit_s=3600.0)
"""


@pytest.fixture
def guard() -> Iterator[SolverGuard]:
    one = SolverGuard(preload=())
    yield one
    one.close()
    assert one.process_id is None


def alive(process: int) -> bool:
    """Whether a process runs; one that ended and was not yet reaped does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return found.stdout.strip()[:1] not in ("", "Z")


def wait_until_gone(process: int) -> bool:
    end = time.monotonic() + PATIENCE_S
    while alive(process) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(process)


def test_questions_are_answered_by_one_process_that_is_not_this_one(guard: SolverGuard) -> None:
    assert guard.process_id is None
    first = guard.ask("solver_faults:pid", limit_s=PATIENCE_S)
    assert first == guard.process_id != os.getpid()
    assert guard.ask("math:hypot", 3.0, 4.0, limit_s=PATIENCE_S) == 5.0
    assert guard.ask("solver_faults:pid", limit_s=PATIENCE_S) == first


@pytest.mark.parametrize(
    ("function", "limit_s", "sentence"),
    [
        ("sleep_for_ever", SHORT_S, "the solver gave no answer within its hard limit of 0.5 s"),
        ("hold_everything_for_ever", SHORT_S, "the solver gave no answer within its hard limit of 0.5 s"),
        ("write_garbage", PATIENCE_S, "the solver's answer cannot be read"),
        ("crash", PATIENCE_S, "the solver crashed (signal Abort"),
        ("leave", PATIENCE_S, "the solver crashed (exit status 3)"),
        ("run_out_of_memory", PATIENCE_S, "the solver failed (MemoryError)"),
        ("no_such_function", PATIENCE_S, "the solver failed (AttributeError"),
    ],
)
def test_fault_31_a_solver_that_fails_is_ended_and_the_next_question_is_answered(
    guard: SolverGuard, function: str, limit_s: float, sentence: str
) -> None:
    before = guard.ask("solver_faults:pid", limit_s=PATIENCE_S)
    with pytest.raises(SolverError) as raised:
        guard.ask(f"solver_faults:{function}", limit_s=limit_s)
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)
    assert not alive(before)
    after = guard.ask("solver_faults:pid", limit_s=PATIENCE_S)
    assert after != before


def test_a_sentence_of_ours_passes_as_it_is_and_costs_no_process(guard: SolverGuard) -> None:
    before = guard.ask("solver_faults:pid", limit_s=PATIENCE_S)
    with pytest.raises(SolverError, match=r"^these prices cannot be used$"):
        guard.ask("solver_faults:refuse", limit_s=PATIENCE_S)
    assert guard.ask("solver_faults:pid", limit_s=PATIENCE_S) == before


def test_a_process_that_dies_between_questions_is_replaced(guard: SolverGuard) -> None:
    before = guard.ask("solver_faults:pid", limit_s=PATIENCE_S)
    os.kill(before, signal.SIGKILL)
    assert wait_until_gone(before)
    assert guard.ask("solver_faults:pid", limit_s=PATIENCE_S) != before


def test_a_process_that_cannot_start_is_one_sentence() -> None:
    guard = SolverGuard(preload=("no_such_module",))
    with pytest.raises(SolverError, match=r"^the solver process could not be started: the solver crashed"):
        guard.ask("solver_faults:pid", limit_s=PATIENCE_S)
    guard.close()


def test_an_interrupted_question_leaves_no_answer_for_the_next(
    guard: SolverGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = guard.ask("solver_faults:pid", limit_s=PATIENCE_S)
    with monkeypatch.context() as patched:
        patched.setattr("bess_pipeline.optimisation.guard.Connection.recv", interrupt)
        with pytest.raises(KeyboardInterrupt):
            guard.ask("math:hypot", 3.0, 4.0, limit_s=PATIENCE_S)
    assert not alive(before)
    assert guard.ask("math:hypot", 6.0, 8.0, limit_s=PATIENCE_S) == 10.0


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_fault_31_no_solver_process_outlives_its_parent_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    note = tmp_path / "solver"
    code = PARENT.format(function="solver_faults:hang_and_say_who", note=str(note))
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        end = time.monotonic() + PATIENCE_S
        while not (note.is_file() and note.read_text()) and time.monotonic() < end:
            time.sleep(0.02)
        solver = int(note.read_text())
        assert alive(solver)
        os.kill(parent.pid, how)
        parent.wait(PATIENCE_S)
        assert wait_until_gone(solver)
    finally:
        parent.kill()
        parent.wait(PATIENCE_S)


def test_a_parent_that_leaves_without_reading_leaves_no_traceback() -> None:
    """Closing a socket with unread bytes in it resets the connection: the solver process ends, and says nothing."""
    ours, theirs = socket.socketpair()
    code = f"import os; from bess_pipeline.optimisation.worker import serve; serve({theirs.fileno()}, os.pipe()[0], ())"
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", code], pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
    assert select.select([ours], [], [], 60)[0], "it is ready, and its word lies unread"
    ours.close()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")


def test_there_is_one_guard_a_process() -> None:
    assert shared_guard() is shared_guard()
