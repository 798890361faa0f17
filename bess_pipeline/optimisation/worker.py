"""The solver process: computes what it is asked over a pipe, and ends when its parent does.

What belongs here: the child's side. What does not: limits, and what becomes of a child that does not answer
(`guard.py`), and the optimisations themselves (`energy.py`, `rolling.py`).

It lives for many questions, so that Pyomo and SciPy are imported once and solver sessions stay warm. It never
outlives its parent: its questions stop when the parent's end of the pipe closes, however the parent ended; a
thread that waits on a second pipe ends it in the middle of an answer; and an alarm clock of the operating
system does so where even that thread cannot run.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from math import ceil
from multiprocessing.connection import Connection
from typing import Any

from bess_pipeline.errors import BessError

READY = "ready"
VALUE, SENTENCE, FAILURE = "value", "sentence", "failure"
ALARM_MARGIN_S = 5


def serve(questions: int, lifeline: int, preload: Sequence[str]) -> None:
    """Answer questions from file descriptor `questions` until it closes; end at once when `lifeline` does.

    The modules of `preload` are imported before the first question is taken.
    A question is (function as "module:name", positional arguments, keyword arguments, limit in seconds); an answer
    is (VALUE, result), (SENTENCE, text of a BessError) or (FAILURE, what was raised).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    for name in preload:
        import_module(name)
    with suppress(EOFError, OSError), Connection(questions) as pipe:  # the parent may go at any moment, without a word
        pipe.send((READY, None))
        while True:
            function, arguments, options, limit_s = pipe.recv()
            signal.alarm(ceil(limit_s) + ALARM_MARGIN_S)
            pipe.send(_answer(function, arguments, options))
            signal.alarm(0)


def resolve(function: str) -> Callable[..., Any]:
    """The function that "module:name" names."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _answer(function: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[str, Any]:
    try:
        return VALUE, resolve(function)(*arguments, **options)
    except BessError as error:
        return SENTENCE, str(error)
    except Exception as error:  # whatever it is, the parent says it in a sentence and starts anew
        return FAILURE, f"{type(error).__name__}: {error}".rstrip(": ")


def _end_with_parent(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os._exit(0)
