"""Chains of trading days: which days open with the initial state whatever was before them, and which follow on.

What belongs here: the rule. What does not: the state itself (`condition.py`), who carries it (`replay.py`,
`market_replay.py`, `co_optimised_days.py`) and processes (`chain_workers.py`).

A day of `[trading] chain_starts`, and under `chain_months` the first EFA day of each calendar month, always starts a
chain. A day that the workspace has declared starts one only where there is no state to carry on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from bess_pipeline.settings import TradingSettings


def is_chain_start(day: date, trading: TradingSettings) -> bool:
    """True for an EFA day that opens with the initial state, whatever the day before it closed with."""
    return day in trading.chain_starts or (trading.chain_months and day.day == 1)


def named_starts(trading: TradingSettings, declared: Iterable[date]) -> set[date]:
    """The chain starts that are named one by one: by the settings, or as `declared` by the workspace."""
    return {*trading.chain_starts, *declared}


def chains(days: Iterable[date], trading: TradingSettings) -> list[list[date]]:
    """`days` in order, parted before each chain start among them: no part needs a state that another one makes.

    Days after a gap stay with those before it, because what they open with depends on those.
    """
    found: list[list[date]] = []
    for day in sorted(days):
        if found and not is_chain_start(day, trading):
            found[-1].append(day)
        else:
            found.append([day])
    return found
