"""Cash, status and P&L of trading days through the lake, whatever strategy was dispatched.

What belongs here: reading dispatch and prices, the stamps of `trading/cashflow`, `trading/run_status` and
`risk/daily_pnl`, and days whose opening state no longer holds. What does not: the formulas (`settlement.py`,
`market_settlement.py`), decisions and dispatch (`replay.py`, `market_replay.py`).

The strategies of the day-ahead market are of every day; those of more markets are of the days on which they were
dispatched (`trading/market_dispatch`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import pandas as pd

from bess_pipeline import __version__, schemas
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.risk.pnl import daily_pnl
from bess_pipeline.settings import Settings
from bess_pipeline.trading.market_settlement import MarketPrices, settle_market_day, with_fee
from bess_pipeline.trading.market_strategies import NAMES as MARKET_NAMES
from bess_pipeline.trading.settlement import SettledDay, settle_day
from bess_pipeline.trading.settlement_costs import month_true_up, shared_cash_gbp
from bess_pipeline.trading.stamps import (
    CASH_STAMP,
    CASHFLOW,
    COST_STAMP,
    DAILY_PNL,
    DISPATCH,
    MARKET_STAMP,
    MONTH_STAMP,
    RUN_STATUS,
    SHARED_STAMP,
    SYSTEM_PRICE_STAMP,
    broken_opening,
    cash_stamp,
    closes,
    efa_rows,
    month_cash_gbp,
    month_stamp,
    price_vintage,
    status_inputs,
    vintage,
)
from bess_pipeline.trading.status import DayStatus, stamped_status_row, standing
from bess_pipeline.trading.stored_gate import day_auctions
from bess_pipeline.trading.strategies import NAMES

ONE_DAY = timedelta(days=1)


class SettledDays:
    """Settled trading days of one workspace under one set of settings."""

    def __init__(self, settings: Settings, lake: Lake, battery: Battery) -> None:
        self.settings = settings
        self.lake = lake
        self.battery = battery

    def settle(self, day: date) -> list[DayStatus]:
        """Cash of a day from its dispatch and the prices in the lake."""
        day_ahead = efa_rows(self.lake, "market/day_ahead_price", day, day)
        system = efa_rows(self.lake, "market/system_price", day, day)
        auctions = day_auctions(self.lake, day)
        market = MarketPrices(day_ahead, system, auctions)
        prices, dispatched = price_vintage(system), self._dispatched(day)
        inputs = f"{dispatched}{vintage(day_ahead)}{prices}"
        if self.lake.has(MARKET_DISPATCH, day):
            inputs += vintage(auctions)
        stamp = self._stamp(inputs) | {SYSTEM_PRICE_STAMP: prices, MARKET_STAMP: self._market_inputs(day)}
        stamp[COST_STAMP] = self.settings.cost_fingerprint()
        settled: dict[str, SettledDay] = {}
        for strategy, rows in _by_strategy(self.lake.read(DISPATCH, day, day)):
            settled[strategy] = settle_day(rows, day_ahead, system, self.battery, self.settings.costs)
        for strategy, rows in _by_strategy(self.lake.read(MARKET_DISPATCH, day, day)):
            settled[strategy] = settle_market_day(rows, market, self.battery, self.settings)
        stamp |= {f"{SHARED_STAMP}{strategy}": repr(shared_cash_gbp(one.cashflow)) for strategy, one in settled.items()}
        settled = {strategy: self._guaranteed(day, strategy, one) for strategy, one in settled.items()}
        stamp[MONTH_STAMP] = month_stamp(self.lake, day) if self._has_guarantee else ""
        for strategy, one in settled.items():
            stamp |= {f"status.{strategy}": one.status, f"reason.{strategy}": one.reason}
        cash = {strategy: (one.status, one.cash_gbp) for strategy, one in settled.items()}
        stamp |= cash_stamp(self.lake.stamp(CASHFLOW, day), dispatched, cash)
        self.lake.write(CASHFLOW, day, _joined(CASHFLOW, [one.cashflow for one in settled.values()]), stamp)
        return [DayStatus(day, strategy, one.status, one.reason) for strategy, one in settled.items()]

    @property
    def _has_guarantee(self) -> bool:
        return self.settings.costs.optimiser_floor_gbp_per_mw_month is not None

    def _guaranteed(self, day: date, strategy: str, settled: SettledDay) -> SettledDay:
        """A settled day with what it adds to the optimiser's monthly guarantee, after the days settled before it."""
        if not self._has_guarantee:
            return settled
        today = pd.Series({day: shared_cash_gbp(settled.cashflow)}, dtype="float64")
        before = month_cash_gbp(self.lake, day, strategy)
        cash = pd.concat([before, today]) if len(before) else today
        due = month_true_up(cash, self.settings.costs, self.battery.power_mw)
        return with_fee(settled, float(due.loc[day]))

    def record_status(self, day: date) -> list[DayStatus]:
        """Write the status of a day from the stamps of its dispatch and cash."""
        dispatched, settled = self.lake.stamp(DISPATCH, day), self.lake.stamp(CASHFLOW, day)
        market = self.lake.stamp(MARKET_DISPATCH, day)
        made = dict.fromkeys(NAMES, (DISPATCH, dispatched))
        made |= {name: (MARKET_DISPATCH, market) for name in MARKET_NAMES if f"status.{name}" in market}
        results, rows = [], []
        for strategy, (table, stamp) in made.items():
            status, reason = standing(day, strategy, {table: stamp, CASHFLOW: settled})
            results.append(DayStatus(day, strategy, status, reason))
            rows.append(stamped_status_row(day, strategy, status, reason, stamp))
        inputs = status_inputs(dispatched, settled, market)
        self.lake.write(RUN_STATUS, day, _joined(RUN_STATUS, rows), self._stamp(inputs))
        return results

    def pnl(self, day: date) -> int:
        """Write the P&L of a day; the number of rows."""
        frame = daily_pnl(self.lake.read(CASHFLOW, day, day), self.battery.power_mw)
        stamp = self._stamp(self.lake.content_hash(CASHFLOW, [day]))
        stamp[CASH_STAMP] = self.lake.stamp(CASHFLOW, day).get("inputs", "")
        return self.lake.write(DAILY_PNL, day, frame, stamp)

    def stale_after(self, day: date) -> list[date]:
        """The days right after `day` whose stored opening no longer holds, marked so; none while all is as it was.

        One day where only the close of `day` has changed: what follows depends on how that one then closes. The
        whole rest of the chain where `day` now belongs to another chain.
        """
        chain, found = self._states(day), [day]
        while closes(chain) and self._mark_stale(found[-1] + ONE_DAY, chain):
            found.append(found[-1] + ONE_DAY)
        return found[1:]

    def _mark_stale(self, day: date, chain: Mapping[str, str]) -> bool:
        """Rewrite the status of `day` as stale where its opening or its chain is not that of the day before it."""
        if day in self.settings.trading.chain_starts or not self.lake.has(RUN_STATUS, day):
            return False
        before = self._states(day - ONE_DAY)
        status = self.lake.read(RUN_STATUS, day, day)
        reasons = [
            broken_opening(row, before.get(f"closing.{row['strategy']}"), chain.get(f"chain_start.{row['strategy']}"))
            for row in status.to_dict("records")
        ]
        broken = pd.Series([bool(reason) for reason in reasons], dtype="bool")
        if not broken.any():
            return False
        status["reason"] = status["reason"].mask(broken, pd.Series(reasons, dtype="str"))
        status["status"] = status["status"].mask(broken, "stale")
        self.lake.write(RUN_STATUS, day, status, self.lake.stamp(RUN_STATUS, day))
        return True

    def _states(self, day: date) -> dict[str, str]:
        """Closing states and chains of all strategies of a day, from the stamps of its dispatch."""
        return self.lake.stamp(MARKET_DISPATCH, day) | self.lake.stamp(DISPATCH, day)

    def _dispatched(self, day: date) -> str:
        """Stands for what was dispatched on a day by all strategies."""
        energy = self.lake.content_hash(DISPATCH, [day])
        return energy + (self.lake.content_hash(MARKET_DISPATCH, [day]) if self.lake.has(MARKET_DISPATCH, day) else "")

    def _market_inputs(self, day: date) -> str:
        return self.lake.stamp(MARKET_DISPATCH, day).get("inputs", "")

    def _stamp(self, inputs: str) -> dict[str, str]:
        return {
            "settings": self.settings.fingerprint(),
            "code": __version__,
            "seed": str(self.settings.seed),
            "inputs": inputs,
        }


def _by_strategy(rows: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    return ((str(name), part.reset_index(drop=True)) for name, part in rows.groupby("strategy", sort=True))


def _joined(table: str, frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else schemas.empty_frame(table)
