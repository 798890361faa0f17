"""Processor seconds by step of a run, and how many of them were spent inside HiGHS.

What belongs here: a watch that is put around functions of the package while a benchmark runs. What does not: what is
run (`recorded_run.py`) and how it is printed.

Seconds belong to the innermost step alone, so that steps add up to the whole. `process_time` counts all threads of this
process and nothing of others: solvers must not be guarded by a process of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from time import process_time
from typing import Any
from unittest.mock import patch

import highspy
import pandas as pd

from bess_pipeline.trading.gate_plan import GatePlanner
from bess_pipeline.trading.market_replay import MarketReplay

COLUMNS = ["step", "cpu_s", "highs_s", "calls"]


@dataclass
class Stopwatch:
    """Seconds so far: cpu and highs by step, and how often HiGHS was called in it."""

    cpu: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    highs: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _open: list[str] = field(default_factory=lambda: ["rest"])
    _since: float = field(default_factory=process_time)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Everything inside, less the steps inside it."""
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch HiGHS, and each strategy's plans and dispatch, inside the block."""
        with ExitStack() as patched:
            for owner, name, wrapped in (
                (highspy.Highs, "run", self._watch_highs(highspy.Highs.run)),
                (GatePlanner, "plan", self._by_strategy("plan", GatePlanner.plan)),
                (MarketReplay, "_dispatch_strategy", self._by_strategy("dispatch", MarketReplay._dispatch_strategy)),
            ):
                patched.enter_context(patch.object(owner, name, wrapped))
            yield

    def taken(self) -> pd.DataFrame:
        """COLUMNS of all steps so far, which begin anew."""
        self._charge()
        rows = [(name, seconds, self.highs[name], self.calls[name]) for name, seconds in self.cpu.items()]
        for one in (self.cpu, self.highs, self.calls):
            one.clear()
        return pd.DataFrame(rows, columns=COLUMNS)

    def _charge(self) -> None:
        now = process_time()
        self.cpu[self._open[-1]] += now - self._since
        self._since = now

    def _watch_highs(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def watched(solver: highspy.Highs, *arguments: Any) -> Any:
            began = process_time()
            done = run(solver, *arguments)
            self.highs[self._open[-1]] += process_time() - began
            self.calls[self._open[-1]] += 1
            return done

        return watched

    def _by_strategy(self, what: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def watched(owner: object, day: object, strategy: str, *arguments: Any) -> Any:
            with self.step(f"{what} {strategy}"):
                return method(owner, day, strategy, *arguments)

        return watched
