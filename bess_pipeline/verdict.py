"""Which requested days are complete, read from the per-day tables: the one truth behind exit statuses.

What belongs here: the question "is this day done, and if not, why". What does not: writing those
tables (`ingestion/`, `trading/replay.py`) and how the answer is shown (`cli.py`, Dagster's run).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bess_pipeline.lake import Lake
from bess_pipeline.trading.co_optimised_names import PLANNED_GATES
from bess_pipeline.trading.market_status import waits
from bess_pipeline.trading.plan_status import REFUSED, PlanStatus, plan_status

COMPLETE, NOT_PUBLISHED = "complete", "not_published"
# No trading day waits for these yet.
NOT_NEEDED = frozenset({"market/response_energy", "market/fundamental_forecast", "market/settlement_stack"})


@dataclass(frozen=True)
class NotComplete:
    """A day that is not done: for which dataset or strategy, in which state, and why."""

    day: date
    what: str
    status: str
    reason: str

    def __str__(self) -> str:
        return f"{self.day}  {self.what}  {self.status}: {self.reason}"


def not_complete(lake: Lake, days: Sequence[date], *, trading: bool = True) -> list[NotComplete]:
    """Everything that keeps `days` from being complete, in day order; empty when all are.

    With `trading` the trading day's status counts beside its sources'; a day nothing is known of is
    listed as never run. Tables that no strategy reads (NOT_NEEDED) never hold a day up, and neither does a strategy of
    all markets that had no plan (`plan_words` says why).
    """
    found: list[NotComplete] = []
    for day in days:
        found += _sources(lake, day)
        if trading:
            found += _trading(lake, day)
    return found


def forecast_words(lake: Lake, days: Sequence[date]) -> str:
    """Of how many days forecasts, scenarios and scores are complete, and the first problems; no day waits for them.

    Scores of days that have not ended are none of them.
    """
    rows = [row for day in days for row in lake.read("scenario/gate_status", day, day).to_dict("records")]
    bad = [row for row in rows if row["status"] not in (COMPLETE, NOT_PUBLISHED)]
    complete = {row["efa_date"] for row in rows} - {row["efa_date"] for row in bad}
    said = f"forecasts, scenarios and scores: {len(complete)} of {len(days)} days are complete"
    shown = [f"{row['efa_date']} {row['gate']} {row['step']} {row['status']}: {row['reason']}" for row in bad[:3]]
    more = [f"{len(bad) - 3} more in scenario.gate_status"] if len(bad) > 3 else []
    return "; ".join([said, *shown, *more])


def plan_words(lake: Lake, days: Sequence[date]) -> str:
    """How many gates of days are planned by the strategies of all markets, and why others are not; no day waits."""
    found = [plan_status(lake, day, strategy, gate) for day in days for strategy, gate in PLANNED_GATES]
    reasons: dict[str, list[PlanStatus]] = {}
    for one in found:
        if one.status == REFUSED:
            reasons.setdefault(one.reason, []).append(one)
    unplanned = sum(map(len, reasons.values()))
    said = f"plans of all markets: {len(found) - unplanned} of {len(found)} gates of {len(days)} days are planned"
    shown = [f"{_gates(same)}: {reason}" for reason, same in list(reasons.items())[:3]]
    more = [f"{len(reasons) - 3} more reasons: `bess plan --date` gives a day's"] if len(reasons) > 3 else []
    return "; ".join([said, *shown, *more])


def _gates(same: Sequence[PlanStatus]) -> str:
    """The first of the gates without a plan for one reason, and how many others there are."""
    others = f" and {len(same) - 1} more" if len(same) > 1 else ""
    return f"{same[0].day} {same[0].strategy} {same[0].gate}{others}"


def _sources(lake: Lake, day: date) -> list[NotComplete]:
    rows = lake.read("market/source_status", day, day)
    if rows.empty:
        return [NotComplete(day, "market data", "refused", "never ingested")]
    return [
        NotComplete(day, row["dataset"], row["status"], row["reason"])
        for row in rows.to_dict("records")
        if row["status"] != COMPLETE and row["dataset"] not in NOT_NEEDED
    ]


def _trading(lake: Lake, day: date) -> list[NotComplete]:
    rows = lake.read("trading/run_status", day, day)
    if rows.empty:
        return [NotComplete(day, "trading", "refused", "never run")]
    return [
        NotComplete(day, row["strategy"], row["status"], row["reason"])
        for row in rows.to_dict("records")
        if row["status"] != COMPLETE and waits(lake, day, row["strategy"])
    ]
