"""How each gate of a day went for the strategies that plan all markets, read from its stamp.

What belongs here: what the stamp of `trading/co_optimised_plan` says of a gate. What does not: writing that stamp
(`co_optimised_days.py`) and any decision (`co_optimised.py`). Imports no optimiser, so that a stored plan is
shown at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from bess_pipeline.lake import Lake
from bess_pipeline.trading import timeline
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN

COMPLETE, PROVISIONAL, REFUSED = "complete", "provisional", "refused"
NEVER_PLANNED = "it was never planned"


@dataclass(frozen=True)
class PlanStatus:
    """How a gate of a day went for a strategy; `notes` are what a reader of the plan must know."""

    day: date
    strategy: str
    gate: str
    status: str
    reason: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.day}  {self.strategy}  {self.gate}  {self.status}: {self.reason}"


def plan_status(lake: Lake, day: date, strategy: str, gate: timeline.Gate) -> PlanStatus:
    """How a gate stands."""
    stamp, key = lake.stamp(CO_OPTIMISED_PLAN, day), f"{strategy}.{gate}"
    if f"reason.{key}" not in stamp:
        return PlanStatus(day, strategy, gate, REFUSED, NEVER_PLANNED)
    notes = tuple(stamp.get(f"notes.{key}", "").splitlines())
    if stamp[f"reason.{key}"]:
        return PlanStatus(day, strategy, gate, REFUSED, stamp[f"reason.{key}"], notes)
    if stamp.get(f"closed.{key}") != "yes":
        closes = f"{timeline.gate_utc(day, gate):%Y-%m-%dT%H:%MZ}"
        return PlanStatus(day, strategy, gate, PROVISIONAL, f"made before its gate closed at {closes}", notes)
    return PlanStatus(day, strategy, gate, COMPLETE, "", notes)


def opening_energy_mwh(lake: Lake, day: date, strategy: str, gate: timeline.Gate = "day_ahead") -> float | None:
    """The state that a gate's plan of a day was made to open with, MWh; None where its partition does not say."""
    text = lake.stamp(CO_OPTIMISED_PLAN, day).get(f"opening.{strategy}.{gate}", repr(None))
    return None if text == repr(None) else float(text)
