"""Carries the mean-CVaR frontier, and how it stands to activation, through the lake for the days of the settings.

What belongs here: which days get one, from which inputs, and the stamp of their partitions. What does not: the walk and
its judgement (`risk/frontier_rows.py`, `risk/plan_values.py`) and the plans (`co_optimised_days.py`).

Both are of the day-ahead gate of `co_optimised_cvar`, from the same scenarios and opening state as its plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import pandas as pd

from bess_pipeline import __version__, schemas
from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.risk.frontier_rows import frontier_rows
from bess_pipeline.risk.plan_values import activation_sensitivity
from bess_pipeline.settings import Settings
from bess_pipeline.trading.co_optimised import risk_of
from bess_pipeline.trading.co_optimised_days import CoOptimisedDays
from bess_pipeline.trading.co_optimised_names import RISK_AVERSE
from bess_pipeline.trading.gate_problem import GateInputs, gate_problem
from bess_pipeline.trading.plan_status import opening_energy_mwh
from bess_pipeline.trading.timeline import Gate
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, FRONTIER, SENSITIVITY

GATE: Gate = "day_ahead"
NO_WEEKDAY = "a frontier is made on the weekdays of co_optimisation.frontier_weekdays"


class FrontierDays:
    """Frontiers of one workspace under one set of settings."""

    def __init__(self, settings: Settings, lake: Lake, plans: CoOptimisedDays) -> None:
        self.settings = settings
        self.lake = lake
        self._plans = plans

    def unfinished(self, days: Iterable[date]) -> list[date]:
        """The days without a frontier that stands on their plan."""
        return [day for day in sorted(days) if not self.finished(day)]

    def finished(self, day: date) -> bool:
        """True when nothing would come of making the day's frontier again."""
        stamp = self.lake.stamp(FRONTIER, day)
        return stamp.get("settings") == self.settings.co_optimisation_fingerprint() and stamp.get("inputs") == (
            self._inputs(day)
        )

    def make(self, days: Sequence[date]) -> dict[date, str]:
        """Write the frontiers of `days`; the reason by day where a chosen weekday has none."""
        reasons = {}
        for day in sorted(days):
            frontier, sensitivity, reason = self._day(day)
            stamp = {
                "settings": self.settings.co_optimisation_fingerprint(),
                "code": __version__,
                "seed": str(self.settings.seed),
                "inputs": self._inputs(day),
                "reason": reason,
            }
            self.lake.write(SENSITIVITY, day, sensitivity, stamp)
            self.lake.write(FRONTIER, day, frontier, stamp)
            if reason not in ("", NO_WEEKDAY):
                reasons[day] = reason
        return reasons

    def _day(self, day: date) -> tuple[pd.DataFrame, pd.DataFrame, str]:
        nothing = schemas.empty_frame(FRONTIER), schemas.empty_frame(SENSITIVITY)
        if day.isoweekday() not in self.settings.co_optimisation.frontier_weekdays:
            return *nothing, NO_WEEKDAY
        try:
            inputs = self._gate_inputs(day)
            given = gate_problem(inputs)
            fresh = self._plans.gates.fresh(day, GATE)
            judged = None if fresh is None else gate_problem(replace(inputs, scenarios=fresh))
            rows = frontier_rows(given, judged, self.settings.co_optimisation)
            risk = risk_of(RISK_AVERSE, self.settings.co_optimisation)
            return rows, activation_sensitivity(inputs, risk, strategy=RISK_AVERSE), ""
        except BessError as error:
            return *nothing, str(error)

    def _gate_inputs(self, day: date) -> GateInputs:
        opening = opening_energy_mwh(self.lake, day, RISK_AVERSE)
        if opening is None:
            raise UserInputError(f"the day-ahead gate of {day} has no plan: run that day first")
        condition, stamp = self._plans.condition, self.lake.stamp(CO_OPTIMISED_PLAN, day)
        held_mwh = stamp.get(f"capacity.{RISK_AVERSE}.{GATE}")
        return self._plans.gates.inputs(day, GATE, *condition.start(condition.initial_wear, opening, held_mwh))

    def _inputs(self, day: date) -> str:
        """What the plan of the gate stands on, the state and capacity that it opens with included."""
        stamp = self.lake.stamp(CO_OPTIMISED_PLAN, day)
        return "|".join(stamp.get(f"{name}.{RISK_AVERSE}.{GATE}", "") for name in ("inputs", "opening", "capacity"))
