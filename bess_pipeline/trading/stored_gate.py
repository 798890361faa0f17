"""What a gate of a trading day is given, from the lake.

What belongs here: reading stored scenarios, past auctions and the day-ahead result as known at a gate. What does not:
the problem that is made of them (`gate_problem.py`) and the decision (`co_optimised.py`).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.limits import Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.forecast_tables import FORECAST, JUDGEMENT, PATHS
from bess_pipeline.forecasting.distribution import Marginals
from bess_pipeline.lake import Lake
from bess_pipeline.scenarios.centred import centred
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.storage import marginals_from, scenarios_from, stream_named
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.condition import Condition
from bess_pipeline.trading.gate_problem import GateInputs
from bess_pipeline.trading.plans import Array, values_at
from bess_pipeline.trading.stamps import efa_rows

AUCTIONS, DAY_AHEAD_PRICE = "market/auction_clearing", "market/day_ahead_price"
ONE_DAY = timedelta(days=1)


class StoredGates:
    """Gates of the trading days of one lake under one set of settings."""

    def __init__(self, settings: Settings, lake: Lake, condition: Condition) -> None:
        self.settings = settings
        self.lake = lake
        self.condition = condition

    def inputs(self, day: date, gate: timeline.Gate, battery: Battery, opening_energy_mwh: float) -> GateInputs:
        """What is known at a gate. UserInputError with the reason where it has no scenarios."""
        scenarios = self._scenarios(PATHS, day, gate)
        if scenarios is None:
            why = self.lake.stamp(PATHS, day).get(f"reason.{gate}") or "none were made"
            raise UserInputError(f"there are no scenarios of the {gate} gate of {day}: {why}")
        return GateInputs(
            efa_date=day,
            gate=gate,
            scenarios=centred(scenarios, self._forecast(day, gate)),
            battery=battery,
            opening_energy_mwh=opening_energy_mwh,
            availability=lambda one: self.availability(one, day, gate),
            auctions=self.past_auctions(day),
            ancillary=self.settings.ancillary,
            co_optimisation=self.settings.co_optimisation,
            rolling=self.settings.rolling,
        )

    def fresh(self, day: date, gate: timeline.Gate) -> ScenarioSet | None:
        """Scenarios of the gate that no plan was made with; None where there are none."""
        return self._scenarios(JUDGEMENT, day, gate)

    def availability(self, day: date, planned: date, gate: timeline.Gate) -> Availability:
        """Available fractions of a day's half-hours, as announced at a gate of the day that is planned."""
        return self.condition.availability(day, timeline.gate_utc(planned, gate))

    def day_ahead_result(self, day: date) -> Array | None:
        """Cleared day-ahead price of each half-hour as known at the response gate; None where it is not all known."""
        rows = timeline.known_by(
            efa_rows(self.lake, DAY_AHEAD_PRICE, day, day), "day_ahead_price", timeline.gate_utc(day, "response")
        )
        price = values_at(rows, "day_ahead_price_gbp_mwh", gb_time.efa_half_hours(day))
        return price if np.isfinite(price).all() else None

    def results(self, day: date) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Day-ahead prices and auction results of a trading day, as far as the lake has them."""
        return efa_rows(self.lake, DAY_AHEAD_PRICE, day, day), day_auctions(self.lake, day)

    def past_auctions(self, day: date) -> pd.DataFrame:
        """Results of the days that an expectation of cleared volume may look back on."""
        first = day - timedelta(days=self.settings.ancillary.volume_cap_days + 1)
        rows = self.lake.read(AUCTIONS, first, day - ONE_DAY)
        return rows[rows["efa_date"] < day].reset_index(drop=True)

    def _forecast(self, day: date, gate: timeline.Gate) -> dict[str, Marginals]:
        rows = self.lake.read(FORECAST, day, day)
        return marginals_from(rows[rows["gate"] == gate], day)

    def _scenarios(self, table: str, day: date, gate: timeline.Gate) -> ScenarioSet | None:
        rows = self.lake.read(table, day, day)
        rows = rows[rows["gate"] == gate]
        if rows.empty:
            return None
        known = {str(name): stream_named(str(name), _minutes(part)) for name, part in rows.groupby("stream")}
        drawn = self.settings.scenarios.method, self.settings.seed
        return scenarios_from(rows, known, day, gate, timeline.gate_utc(day, gate), *drawn)


def day_auctions(lake: Lake, first: date, last: date | None = None) -> pd.DataFrame:
    """Results of the auctions that deliver in the EFA days `first` to `last` (that one alone by default)."""
    last = last or first
    start, end = gb_time.efa_day_bounds_utc(first)[0], gb_time.efa_day_bounds_utc(last)[1]
    rows = lake.read(AUCTIONS, first - ONE_DAY, last)
    inside = (rows["delivery_start_utc"] >= start) & (rows["delivery_start_utc"] < end)
    return rows[inside].reset_index(drop=True)


def _minutes(rows: pd.DataFrame) -> int:
    """Length of a stream's periods: the shortest step between their starts."""
    starts = rows["start_utc"].drop_duplicates().sort_values()
    return int(starts.diff().min() / pd.Timedelta(minutes=1)) if len(starts) > 1 else 0
