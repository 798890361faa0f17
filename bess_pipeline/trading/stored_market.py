"""What the dispatch of a trading day is given, from the lake: contracts, prices, activation and outages.

What belongs here: reading a day's plan, accepted orders and outcomes, and laying them on the horizon of its decisions.
What does not: the decisions (`market_day.py`), what they expect of prices (`dispatch_forecast.py`), the strategy that
knows the outcome (`market_foresight.py`) and the chain of days (`market_replay.py`).

Contracts of the day after are known to decisions from the results of its auctions on, where its orders are stored and
cleared by then. The last day of a range that was planned no further is dispatched without them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.activation_stream import (
    ASSUMED_BASIS,
    assumed_activation,
    scenario_activation,
    stored_activation,
)
from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.forecast_tables import FORECAST
from bess_pipeline.forecasting.streams import ACTIVATION
from bess_pipeline.lake import Lake
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.condition import Condition
from bess_pipeline.trading.dispatch_forecast import DispatchForecasts
from bess_pipeline.trading.gate_problem import terminal_value_gbp_mwh
from bess_pipeline.trading.gate_streams import horizon_half_hours
from bess_pipeline.trading.intraday import IntradayMarket, has_intraday_market
from bess_pipeline.trading.market_inputs import UNSEEN_HALF_HOURS, Expectation, MarketDay
from bess_pipeline.trading.market_status import why_unplanned
from bess_pipeline.trading.orders import accepted_capacity_mw, accepted_day_ahead_mw
from bess_pipeline.trading.plans import values_at
from bess_pipeline.trading.stamps import efa_rows
from bess_pipeline.trading.timeline import DECISION_LEAD
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, ORDERS

ONE_DAY = timedelta(days=1)
VOLUME_DAYS = 28  # of which the volume behind the index is expected to be the mean
INDEX, DAY_AHEAD, ACTIVATED = "market/market_index_price", "market/day_ahead_price", "market/response_energy"


@dataclass(frozen=True, eq=False)
class Contract:
    """What a strategy has sold for the P half-hours of a horizon, and planned for the T of its day; see `MarketDay`."""

    horizon: pd.DatetimeIndex
    day_ahead_mw: FloatArray
    planned_charge_mw: FloatArray
    planned_discharge_mw: FloatArray
    codes: tuple[str, ...]
    services_mw: FloatArray
    day_ahead_known_from: int | None
    services_known_from: int | None


class StoredMarket:
    """Trading days of one lake under one set of settings, the days `days` read together."""

    def __init__(self, settings: Settings, lake: Lake, condition: Condition, days: Sequence[date]) -> None:
        self.settings = settings
        self.lake = lake
        self.condition = condition
        self.forecasts = DispatchForecasts(settings, lake, days)

    def contract(self, day: date, strategy: str) -> Contract:
        """What a strategy that plans with scenarios has sold. UserInputError with the reason where that is unknown."""
        reason = why_unplanned(self.lake, day, strategy)
        if reason:
            raise UserInputError(f"there is no plan to carry out: {reason}")
        horizon = self.horizon(day)
        orders = self.lake.read(ORDERS, day, day + ONE_DAY)
        orders = orders[orders["strategy"] == strategy]
        periods = len(gb_time.efa_half_hours(day))
        codes = tuple(code for code in PRODUCT_TABLE if (orders["product"] == code).any())
        energy = accepted_day_ahead_mw(orders, horizon)
        services = accepted_capacity_mw(orders, codes, horizon)
        _require_results(day, energy[:periods], codes, services[:, :periods])
        planned = self._next_day_binds(day) and not why_unplanned(self.lake, day + ONE_DAY, strategy)
        energy_from = _known_from(horizon, timeline.day_ahead_result_utc(day + ONE_DAY))
        services_from = _known_from(
            horizon, timeline.response_result_utc(day + ONE_DAY, self.settings.data.response_result_clock)
        )
        energy_known = planned and bool(np.isfinite(energy).all())
        services_known = planned and bool(np.isfinite(services).all())
        plan = self._plan(day, strategy)
        return Contract(
            horizon,
            np.where(_after(horizon, periods) & (not energy_known), 0.0, energy),
            plan["charge_mw"].to_numpy(dtype="float64"),
            plan["discharge_mw"].to_numpy(dtype="float64"),
            codes,
            np.where(_after(horizon, periods) & (not services_known), 0.0, services),
            energy_from if energy_known else None,
            services_from if services_known else None,
        )

    def goes_without_next_day(self, day: date, strategy: str) -> bool:
        """Whether a day lacks contracts of the day after that bind it as soon as that one is planned."""
        return self._next_day_binds(day) and bool(why_unplanned(self.lake, day + ONE_DAY, strategy))

    def _next_day_binds(self, day: date) -> bool:
        """Not where a within-day index stands in for the day-ahead price: its result is not out before the day."""
        return self._source(day) not in timeline.WITHIN_DAY_SOURCES

    def market_day(
        self,
        day: date,
        strategy: str,
        contract: Contract,
        battery: Battery,
        opening_energy_mwh: float,
        expected_opening_mwh: tuple[float, float] | None,
        expect: Callable[[int], Expectation],
        *,
        knows_outcome: bool = False,
    ) -> MarketDay:
        """The day as it is dispatched. UserInputError with the reason where something of it is not there."""
        settings, horizon = self.settings, contract.horizon
        periods = len(gb_time.efa_half_hours(day))
        happened = self.activation(day, contract.codes, horizon[:periods])
        expected = self._expected_activation(day, contract.codes, horizon)
        if knows_outcome:
            expected[:, :periods] = happened
        intraday = self.intraday(day, horizon)
        if intraday is not None and knows_outcome:
            intraday = intraday.as_it_came_out()
        value = terminal_value_gbp_mwh(expect(0).day_ahead_gbp_mwh, battery, settings.rolling)
        return MarketDay(
            efa_date=day,
            strategy=strategy,
            start_utc=horizon,
            battery=battery,
            opening_energy_mwh=opening_energy_mwh,
            day_ahead_mw=contract.day_ahead_mw,
            planned_charge_mw=contract.planned_charge_mw,
            planned_discharge_mw=contract.planned_discharge_mw,
            expect=expect,
            imbalance_cap_mw=self.imbalance_cap_mw(battery),
            terminal_value_gbp_mwh=value,
            codes=contract.codes,
            services_mw=contract.services_mw,
            activation_mwh_per_mw=happened,
            expected_activation_mwh_per_mw=expected,
            day_ahead_known_from=contract.day_ahead_known_from,
            services_known_from=contract.services_known_from,
            expected_opening_mwh=expected_opening_mwh,
            available=self.condition.availability(day),
            announced=self._announced(day, horizon, knows_all=knows_outcome),
            intraday=intraday,
            margin_half_hours=0.0 if knows_outcome else UNSEEN_HALF_HOURS,
            absvd_applies=settings.ancillary.absvd_applies,
            baseline_adds_headroom=settings.ancillary.baseline_adds_headroom,
            time_limit_s=settings.solver.time_limit_s,
        )

    def imbalance_cap_mw(self, battery: Battery) -> float:
        """Most intended imbalance: that of the plans; none in a workspace without any system price to settle it at."""
        limit = self.settings.co_optimisation.imbalance_limit_of(battery.power_mw)
        return limit if self.forecasts.has_system_price else 0.0

    def horizon(self, day: date) -> pd.DatetimeIndex:
        """The half-hours that decisions of a day look at: as far as the look-ahead and the day's forecasts go."""
        wanted = horizon_half_hours(day, self.settings.rolling.look_ahead_hours)
        held = self.forecasts.covered(day, wanted)
        if held < len(gb_time.efa_half_hours(day)):
            raise UserInputError(f"there is no stored forecast of the day-ahead price of {day} to dispatch by")
        return wanted[:held]

    def activation(
        self, day: date, codes: tuple[str, ...], starts: pd.DatetimeIndex, settings: AncillarySettings | None = None
    ) -> FloatArray:
        """Energy that a contracted MW of each product moved, MWh, (R, half-hours). UserInputError where not known."""
        ancillary = settings or self.settings.ancillary
        if ancillary.activation_basis == ASSUMED_BASIS:
            return assumed_activation(codes, len(starts), ancillary).energy_mwh_per_mw[0]
        rows = self.lake.read(ACTIVATED, day - ONE_DAY, day + ONE_DAY)
        return stored_activation(rows, codes, starts, ancillary).energy_mwh_per_mw[0]

    def _expected_activation(self, day: date, codes: tuple[str, ...], horizon: pd.DatetimeIndex) -> FloatArray:
        """The same as expected at the last gate, (R, P)."""
        ancillary = self.settings.ancillary
        if ancillary.activation_basis == ASSUMED_BASIS:
            return assumed_activation(codes, len(horizon), ancillary).energy_mwh_per_mw[0]
        rows = self.lake.read(FORECAST, day, day)
        gate = next((one for one in reversed(timeline.GATES) if one in set(rows["gate"])), timeline.GATES[-1])
        rows = rows[rows["gate"] == gate]
        paths = {
            code: values_at(rows[rows["stream"] == ACTIVATION[code].name], "mean", horizon)[None, :]
            for code in codes
            if code in ACTIVATION and (rows["stream"] == ACTIVATION[code].name).any()
        }
        return scenario_activation(paths, codes, len(horizon), ancillary).energy_mwh_per_mw[0]

    def _plan(self, day: date, strategy: str) -> pd.DataFrame:
        """The plan of the last gate that has one, in order of time."""
        rows = self.lake.read(CO_OPTIMISED_PLAN, day, day)
        rows = rows[rows["strategy"] == strategy]
        gate = next(one for one in reversed(timeline.GATES) if one in set(rows["gate"]))
        return rows[rows["gate"] == gate].sort_values("start_utc", ignore_index=True)

    def intraday(self, day: date, horizon: pd.DatetimeIndex) -> IntradayMarket | None:
        """Trade within the day, for its own half-hours alone; None without, as on a day without any index."""
        index = efa_rows(self.lake, INDEX, day, day)
        if index.empty or not has_intraday_market(self.settings.intraday, self._source(day)):
            return None
        past = efa_rows(self.lake, INDEX, day - timedelta(days=VOLUME_DAYS + 1), day - 2 * ONE_DAY)
        price = values_at(index, "market_index_price_gbp_mwh", horizon)
        mean = past["market_index_volume_mwh"].astype("float64").groupby(_clock(past["start_utc"])).mean()
        volume = mean.reindex(_clock(pd.Series(horizon))).to_numpy(dtype="float64")
        own = ~_after(horizon, len(gb_time.efa_half_hours(day)))
        realised = values_at(index, "market_index_volume_mwh", horizon)
        return IntradayMarket(self.settings.intraday, price, np.where(own, volume, np.nan), realised)

    def _source(self, day: date) -> str:
        """Where the day-ahead prices of a day came from; empty where there are none."""
        rows = efa_rows(self.lake, DAY_AHEAD, day, day)
        return str(rows["source"].iloc[0]) if len(rows) else ""

    def _announced(
        self, day: date, horizon: pd.DatetimeIndex, *, knows_all: bool = False
    ) -> Callable[[int], Availability]:
        """Outages of the horizon as announced at each decision; the same object as long as nothing is announced.

        knows_all: all outages from the first decision on, as a strategy that knows the outcome plans with them.
        """
        days = [day, day + ONE_DAY] if len(horizon) > len(gb_time.efa_half_hours(day)) else [day]
        made: dict[tuple[str, ...], Availability] = {}

        def at(k: int) -> Availability:
            instant = None if knows_all else timeline.decision_utc(horizon[k].to_pydatetime())
            known = tuple(self.condition.vintage(one, instant) for one in days)
            if known not in made:
                made[known] = _joined([(one, self.condition.availability(one, instant)) for one in days], len(horizon))
            return made[known]

        return at


def _joined(days: Sequence[tuple[date, Availability]], periods: int) -> Availability:
    """Availability of days in a row as one, of the first `periods` half-hours."""
    parts: list[list[FloatArray]] = [[], []]
    for day, known in days:
        shape = (len(gb_time.efa_half_hours(day)),)
        for part, share in zip(parts, (known.charge, known.discharge), strict=True):
            part.append(np.broadcast_to(np.asarray(share, dtype=float), shape))
    charge, discharge = (np.concatenate(part)[:periods] for part in parts)
    return Availability(charge, discharge)


def _require_results(day: date, energy: FloatArray, codes: tuple[str, ...], services: FloatArray) -> None:
    missing = int(np.isnan(energy).sum())
    if missing:
        raise UserInputError(f"the day-ahead result of {missing} of {energy.size} half-hours of {day} is missing")
    unknown = [code for code, mw in zip(codes, services, strict=True) if np.isnan(mw).any()]
    if unknown:
        raise UserInputError(f"the auction result of {', '.join(unknown)} of {day} is missing")


def _known_from(horizon: pd.DatetimeIndex, instant: datetime) -> int:
    """The first half-hour whose decision knows what came out at `instant`."""
    return int((horizon < pd.Timestamp(instant + DECISION_LEAD)).sum())


def _after(horizon: pd.DatetimeIndex, periods: int) -> np.ndarray:
    return np.arange(len(horizon)) >= periods


def _clock(starts: pd.Series) -> pd.Series:
    """The half-hour on the London clock, as minutes after midnight."""
    local = starts.dt.tz_convert(gb_time.LONDON)
    return local.dt.hour * 60 + local.dt.minute
