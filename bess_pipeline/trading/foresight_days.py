"""Strategy `perfect_foresight_48h`: the plan of a day whose outcome, and that of the day after, are known.

What belongs here: the outcome of up to 48 hours as the one scenario of a gate, and what the plan made of it sells. What
does not: the decision (`co_optimised.py`, as of the other strategies of all markets), dispatch (`market_day.py`) and
the bounds, which are one problem over a whole window.

Same products, caps, steps and limits as the others. Its volumes are accepted as offered, at the prices that came out.
Services are
rounded to whole MW first, and day-ahead volumes are decided anew around them. It looks as far as day-ahead prices are
known when it is made. Beyond the trading day, a system price that is not known
is taken to be the day-ahead price, activation the mean of the trading day, and a service without a result to pay
nothing. On the trading day nothing is offered where nothing cleared. Prices are those that came out first: a revision
changes no decision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.activation_stream import ASSUMED_BASIS
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.market_panel import DAY_AHEAD
from bess_pipeline.forecasting.streams import ACTIVATION, MARKET_INDEX, RESPONSE, SYSTEM_PRICE, Stream
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.trading import timeline
from bess_pipeline.trading.co_optimised import Decision, decide, in_steps
from bess_pipeline.trading.gate_problem import GateInputs, GateProblem, gate_problem
from bess_pipeline.trading.gate_streams import horizon_half_hours
from bess_pipeline.trading.market_inputs import Expectation
from bess_pipeline.trading.market_strategies import FORESIGHT_48H
from bess_pipeline.trading.orders import capacity_orders, clear, day_ahead_orders
from bess_pipeline.trading.service_settlement import PRODUCTS, clearing_prices
from bess_pipeline.trading.stamps import efa_rows
from bess_pipeline.trading.stored_gate import StoredGates, day_auctions
from bess_pipeline.trading.stored_market import Contract, StoredMarket

ONE_DAY = timedelta(days=1)
GATE: timeline.Gate = "response"  # the last one, at which services are offered


@dataclass(frozen=True, eq=False)
class ForesightPlan:
    """What is sold, what its decisions expect (the outcome), and the orders, all accepted."""

    contract: Contract
    expect: Callable[[int], Expectation]
    orders: pd.DataFrame


class ForesightDays:
    """Plans of days of one lake with their outcome known."""

    def __init__(self, market: StoredMarket) -> None:
        self.market = market
        self.settings = market.settings
        self._gates = StoredGates(market.settings, market.lake, market.condition)

    def plan(self, day: date, battery: Battery, opening_energy_mwh: float) -> ForesightPlan:
        """The plan of a day. UserInputError where its outcome is not known, SolverError where there is no plan."""
        settings, known = self.settings, self._outcome(day)
        inputs = GateInputs(
            efa_date=day,
            gate=GATE,
            scenarios=self._scenario(day, known),
            battery=battery,
            opening_energy_mwh=opening_energy_mwh,
            availability=self.market.condition.availability,
            auctions=self._gates.past_auctions(day),
            ancillary=settings.ancillary,
            co_optimisation=settings.co_optimisation,
            rolling=settings.rolling,
        )
        given = _where_cleared(gate_problem(inputs), day_auctions(self.market.lake, day))
        decision = decide(
            in_steps(given, FORESIGHT_48H, settings.co_optimisation),
            FORESIGHT_48H,
            settings.co_optimisation,
            settings.ancillary,
            self.market.condition.availability(day),
        )
        contract = _contract(decision)
        periods = len(contract.horizon)
        expected = Expectation(*(values[:periods] for values in (known.day_ahead, known.system, known.index)))
        return ForesightPlan(contract, lambda _: expected, self._orders(day, decision))

    def _outcome(self, day: date) -> _Outcome:
        """Prices of energy of the look-ahead, as far as day-ahead prices are known."""
        periods, forecasts = len(gb_time.efa_half_hours(day)), self.market.forecasts
        wanted = horizon_half_hours(day, self.settings.rolling.look_ahead_hours)
        day_ahead = forecasts.outcome(DAY_AHEAD, wanted)
        gaps = np.flatnonzero(np.isnan(day_ahead))
        held = int(gaps[0]) if gaps.size else len(wanted)
        starts, day_ahead = wanted[:held], day_ahead[:held]
        system, index = (forecasts.outcome(name, starts) for name in (SYSTEM_PRICE.name, MARKET_INDEX.name))
        needed = {"day-ahead price": day_ahead} | ({"system price": system} if forecasts.has_system_price else {})
        for name, values in needed.items():
            missing = periods - int(np.isfinite(values[:periods]).sum())
            if missing:
                raise UserInputError(f"the {name} of {missing} of {periods} half-hours of {day} is missing")
        return _Outcome(starts, day_ahead, *(np.where(np.isnan(one), day_ahead, one) for one in (system, index)))

    def _scenario(self, day: date, known: _Outcome) -> ScenarioSet:
        """The outcome as the one scenario of the day's gate."""
        product = streams.day_ahead(self._resolution_minutes(day))
        first = np.flatnonzero(known.starts.isin(streams.horizon_starts(product.clock, [day, day + ONE_DAY])))
        count = np.diff(np.append(first, len(known.starts)))
        first, count = first[count == count[0]], count[count == count[0]]  # the last product may be known by half
        mean = np.add.reduceat(known.day_ahead[: first[-1] + count[0]], first) / count
        value: dict[str, tuple[Stream, pd.DatetimeIndex, FloatArray]] = {
            product.name: (product, known.starts[first], mean),
            SYSTEM_PRICE.name: (SYSTEM_PRICE, known.starts, known.system),
        }
        value |= self._response(day) | self._activation(day, known.starts)
        return ScenarioSet(
            day,
            GATE,
            timeline.gate_utc(day, GATE),
            "outcome",
            self.settings.seed,
            np.ones(1),
            {name: stream for name, (stream, _, _) in value.items()},
            {name: starts for name, (_, starts, _) in value.items()},
            {name: values[None, :] for name, (_, _, values) in value.items()},
        )

    def _response(self, day: date) -> dict[str, tuple[Stream, pd.DatetimeIndex, FloatArray]]:
        """Clearing prices of response of the day and the one after it; 0 where nothing cleared or is known (there
        nothing is offered on the day, see `_where_cleared`)."""
        rows = day_auctions(self.market.lake, day, day + ONE_DAY)
        starts = streams.horizon_starts("efa_block", [day, day + ONE_DAY])
        found = {}
        for code, stream in RESPONSE.items():
            mine = rows[rows["product"] == code].set_index("delivery_start_utc")["clearing_price_gbp_mw_h"]
            price = mine.reindex(starts).to_numpy(dtype="float64")
            if np.isfinite(price).any():
                found[stream.name] = (stream, starts, np.nan_to_num(price, nan=0.0))
        return found

    def _activation(
        self, day: date, starts: pd.DatetimeIndex
    ) -> dict[str, tuple[Stream, pd.DatetimeIndex, FloatArray]]:
        """Energy of response as it came, before the multiplier of the settings; nothing where it is assumed."""
        ancillary = self.settings.ancillary
        if ancillary.activation_basis == ASSUMED_BASIS:
            return {}
        plain = ancillary.model_copy(update={"activation_multiplier": 1.0})
        codes = tuple(code for code in ancillary.response_products if code in ACTIVATION)
        today = gb_time.efa_half_hours(day)
        energy = self.market.activation(day, codes, today, plain)
        found = {}
        for code, values in zip(codes, energy, strict=True):
            whole = np.append(values, np.full(max(len(starts) - len(today), 0), values.mean()))
            found[ACTIVATION[code].name] = (ACTIVATION[code], starts, whole[: len(starts)])
        return found

    def _resolution_minutes(self, day: date) -> int:
        return int(efa_rows(self.market.lake, "market/day_ahead_price", day, day)["native_resolution_minutes"].iloc[0])

    def _orders(self, day: date, decision: Decision) -> pd.DataFrame:
        """What is offered at the prices that came out, all of it accepted."""
        given, key = decision.given, {"efa_date": day, "strategy": FORESIGHT_48H, "gate": GATE}
        problem, starts = given.problem, given.day_ahead_start_utc
        minutes = int((starts[1] - starts[0]) / pd.Timedelta(minutes=1))
        first = np.flatnonzero(np.diff(problem.product_index, prepend=-1))
        price = np.asarray(problem.day_ahead_price_gbp_mwh)[0][first]
        frames = [day_ahead_orders(key, starts, minutes, decision.day_ahead_mw, price)]
        blocks = given.block_start_utc
        if len(blocks):
            ends = pd.DatetimeIndex([*blocks[1:], given.horizon.start_utc[-1] + gb_time.HALF_HOUR])
            paid = np.asarray(problem.response_price_gbp_mw_h)[0]
            frames.append(capacity_orders(key, given.codes, decision.response_mw, paid, blocks, ends))
        rows = pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)
        cleared = clear(rows, *self._gates.results(day))
        return cleared.assign(accepted_mw=cleared["offered_mw"])


@dataclass(frozen=True, eq=False)
class _Outcome:
    """Prices of the horizon (P,) as they came out, GBP/MWh."""

    starts: pd.DatetimeIndex
    day_ahead: FloatArray
    system: FloatArray
    index: FloatArray


def _where_cleared(given: GateProblem, auctions: pd.DataFrame) -> GateProblem:
    """The problem without services in windows of the day whose auction, of rows `auctions`, cleared nothing."""
    starts = given.block_start_utc
    if not given.codes:
        return given
    price = clearing_prices(auctions, starts)[[PRODUCTS.index(code) for code in given.codes]]
    today = starts < pd.Timestamp(gb_time.efa_day_bounds_utc(given.efa_date)[1])
    cap = np.where(np.isnan(price) & today, 0.0, np.asarray(given.problem.response_cap_mw, dtype=float))
    return replace(given, problem=replace(given.problem, response_cap_mw=cap))


def _contract(decision: Decision) -> Contract:
    """All that is sold over the horizon, which its decisions know from the first one on."""
    given, problem = decision.given, decision.given.problem
    product, block = problem.product_index, problem.block_index
    day_ahead = np.where(product >= 0, decision.day_ahead_mw[np.maximum(product, 0)], 0.0)
    services = np.zeros((0, problem.periods))
    if given.codes:
        services = np.where(block >= 0, decision.response_mw[:, np.maximum(block, 0)], 0.0)
    periods = problem.committed_periods
    charge, discharge = (decision.expected.of(name)[0][:periods] for name in ("charge_mwh", "discharge_mwh"))
    return Contract(
        given.horizon.start_utc,
        day_ahead,
        np.maximum(charge / HALF_HOUR_H, 0.0),
        np.maximum(discharge / HALF_HOUR_H, 0.0),
        given.codes,
        services,
        0,
        0,
    )
