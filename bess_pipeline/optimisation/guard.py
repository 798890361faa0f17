"""Optimisations in a process of their own, ended at their limit: a solver that hangs or crashes costs one answer.

What belongs here: starting that process, asking it, ending it, and the sentence for each way it can fail. What
does not: what it computes (`worker.py` runs it) and the solver's own time limit (`session.py`).

HiGHS looks at its time limit between its steps only, and nothing inside a process survives a crash of it.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from socket import socketpair
from typing import Any

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.worker import FAILURE, READY, SENTENCE, VALUE

START_LIMIT_S = 120.0  # imports on a busy machine
END_LIMIT_S = 5.0
UNREADABLE = "the solver's answer cannot be read"
PRELOAD = ("bess_pipeline.optimisation.rolling",)
_CHILD = (
    "import sys; sys.path[:] = {path!r}; from bess_pipeline.optimisation.worker import serve; serve({0}, {1}, {2!r})"
)


class SolverGuard:
    """One solver process, started when it is first needed or by `start`, and anew after it was ended.

    One question at a time, from any thread; `close` ends the process, as does the end of this one.
    """

    def __init__(self, preload: Sequence[str] = PRELOAD) -> None:
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def start(self) -> None:
        """Start the process in the background, so that a later question need not wait for its imports."""
        with self._lock:
            self._living()

    def ask(self, function: str, *arguments: Any, limit_s: float, **options: Any) -> Any:
        """The result of `function` ("module:name") in the solver process, within `limit_s` seconds.

        Raises SolverError with one sentence: the function's own where it raised a BessError; else that it took too
        long, crashed, failed or answered nonsense, after which the next question has a new process.
        """
        with self._lock:
            try:
                kind, answer = self._living().ask((function, arguments, options, limit_s), limit_s)
            except BaseException:  # Ctrl-C while it computes: its answer must not pass for that to the next question
                self._end()
                raise
            if kind == FAILURE:
                self._end()
        if kind == VALUE:
            return answer
        raise SolverError(answer)

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._end()

    @property
    def process_id(self) -> int | None:
        """Of the solver process; None while there is none."""
        return self._child.process.pid if self._child else None

    def _living(self) -> _Child:
        if self._child is not None and self._child.process.poll() is not None:
            self._end()
        if self._child is None:
            self._child = _Child(self._preload)
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
        self._child = None


def shared_guard() -> SolverGuard:
    """The guard of this process; its solver process ends with it."""
    return _guard_of(os.getpid())  # a forked child must not share its parent's pipe


@cache
def _guard_of(_process_id: int) -> SolverGuard:
    guard = SolverGuard()
    atexit.register(guard.close)
    return guard


class _Child:
    """One solver process with its two pipes: questions, and the lifeline that closes when this process ends."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        ours, theirs = socketpair()
        lifeline, self._lifeline = os.pipe()
        code = _CHILD.format(theirs.fileno(), lifeline, preload, path=sys.path)
        with theirs:
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-c", code],
                    pass_fds=(theirs.fileno(), lifeline),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C in a terminal is for the parent alone
                )
            finally:
                os.close(lifeline)
        self._pipe = Connection(ours.detach())
        self._ready = False

    def ask(self, question: Any, limit_s: float) -> tuple[str, Any]:
        """(VALUE, result), (SENTENCE, text) or (FAILURE, sentence); the limit counts from when it is ready."""
        if not self._ready:
            kind, answer = self._receive(START_LIMIT_S)
            if kind != READY:
                return FAILURE, f"the solver process could not be started: {answer}"
            self._ready = True
        kind, answer = self._receive(limit_s, question)
        return (kind, answer) if kind != READY else (FAILURE, UNREADABLE)

    def end(self) -> None:
        """End the process, with what it may be doing."""
        with suppress(OSError):
            self._pipe.close()
        with suppress(OSError):
            os.close(self._lifeline)
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_LIMIT_S)

    def _receive(self, limit_s: float, question: Any = None) -> tuple[str, Any]:
        """What comes within the limit, after sending `question`. The process is killed at the limit, which ends any
        wait for it, be it for the first byte of an answer or for the last."""
        late = threading.Event()

        def kill() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(limit_s, kill)
        timer.daemon = True
        timer.start()
        try:
            if question is not None:
                self._pipe.send(question)
            answer = self._pipe.recv()
        except (EOFError, OSError):
            answer = None
        except Exception:  # bytes that are no answer
            answer = UNREADABLE
        finally:
            timer.cancel()
        if answer is None or late.is_set():
            return FAILURE, self._how_it_ended(late, limit_s)
        if not (isinstance(answer, tuple) and len(answer) == 2 and answer[0] in (READY, VALUE, SENTENCE, FAILURE)):
            return FAILURE, UNREADABLE
        kind, content = answer
        return (FAILURE, f"the solver failed ({content})") if kind == FAILURE else (kind, content)

    def _how_it_ended(self, late: threading.Event, limit_s: float) -> str:
        if late.is_set():
            return f"the solver gave no answer within its hard limit of {limit_s:g} s"
        with suppress(subprocess.TimeoutExpired):
            status = self.process.wait(END_LIMIT_S)
            how = f"signal {signal.strsignal(-status) or -status}" if status < 0 else f"exit status {status}"
            return f"the solver crashed ({how})"
        return "the solver closed its pipe"
