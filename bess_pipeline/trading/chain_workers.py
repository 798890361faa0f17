"""Work on chains of trading days, or on parts of a day, that do not depend on one another: here, or in processes.

What belongs here: starting the processes, handing each a chain or a part, ending them, and the sentence for each way in
which they fail. What does not: which days are a chain (`chains.py`) and what is done with a day (`market_replay.py`,
`co_optimised_days.py`), which writes each day as a whole: a stop at any moment leaves whole partitions.

The days of a chain are worked through in order, in one process. Where one chain fails, or Ctrl-C comes, the others stop
after the day that they are at. Processes end with the one that started them, however that ended.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from bess_pipeline.errors import BessError

Result = TypeVar("Result")
Answer = TypeVar("Answer")
Work = Callable[[date], Result]
_HERE: dict[str, Any] = {}  # of a worker process: its work, and the event that stops it


def work_through(
    chains: Sequence[Sequence[date]], workers: int, here: Work[Result], elsewhere: Callable[[], Work[Result]]
) -> list[Result]:
    """The results of all days, in their order.

    here: works on a day in this process, which is used for one chain or one worker. elsewhere: makes the same for a
    process of its own, once in each; it and the results must pickle. Raises BessError with the sentence of a day that
    failed, or that a process ended; finished days stand then.
    """
    if min(workers, len(chains)) < 2:
        return [here(day) for chain in chains for day in chain]
    context = get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(min(workers, len(chains)), context, initializer=_start, initargs=(elsewhere, stop))
    with pool:
        running = [pool.submit(_through, list(chain)) for chain in chains]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:  # after a failure or Ctrl-C leaving the pool waits for the days that are being worked on, no more
            stop.set()
    spans = [f"the chain of trading days {chain[0]} to {chain[-1]}" for chain in chains]
    return [one for span, done in zip(spans, running, strict=True) for one in _result(span, done)]


@contextmanager
def at_once(
    workers: int, here: Callable[..., Result], elsewhere: Callable[[], Callable[..., Result]], what: str
) -> Iterator[Callable[[Sequence[tuple[Any, ...]]], list[Result]]]:
    """Gives what calls `here` with each of several tuples of arguments, in processes where there are two or more.

    The calls must not depend on one another; results come in the order of the tuples. elsewhere: makes the same for a
    process of its own, once in each; it, arguments and results must pickle. Processes start when they are first needed
    and end with the block. what: the work, for the sentence of a failure. Raises BessError as `work_through`.
    """
    pools: list[ProcessPoolExecutor] = []

    def call(tasks: Sequence[tuple[Any, ...]]) -> list[Result]:
        if min(workers, len(tasks)) < 2:
            return [here(*task) for task in tasks]
        if not pools:
            context = get_context("spawn")
            pools.append(ProcessPoolExecutor(workers, context, initializer=_start, initargs=(elsewhere, None)))
        running = [pools[0].submit(_call, task) for task in tasks]
        return [_result(what, done) for done in running]

    try:
        yield call
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _result(span: str, done: Future[Answer]) -> Answer:
    try:
        return done.result()
    except BessError:
        raise
    except BrokenProcessPool as error:
        what = f"a process that worked on {span}, or beside it, was ended: run again, with fewer [trading] workers"
        raise BessError(f"{what} where memory ran out; finished days stand") from error
    except Exception as error:
        raise BessError(f"{span} failed in its process: {type(error).__name__}: {error}") from error


def _start(elsewhere: Callable[[], Callable[..., Any]], stop: Event | None) -> None:
    """In a new process: what it works with. Ctrl-C is for the parent to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _HERE.update(work=elsewhere(), stop=stop)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _through(chain: list[date]) -> list[Any]:
    results = []
    for day in chain:
        if _HERE["stop"].is_set():
            break
        results.append(_HERE["work"](day))
    return results


def _call(task: tuple[Any, ...]) -> Any:
    return _HERE["work"](*task)
