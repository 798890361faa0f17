"""CPU seconds of one trading day's dispatch: 48 decisions with a 48 h look-ahead, and their outcomes.

What belongs here: speed without services, with two and with six, on made-up prices. What does not: correctness
(tests/unit/trading/test_market_day.py) and what dispatch earns.

Usage, from the project's root:  python benchmarks/market_dispatch.py [--days 10]
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from time import process_time

import numpy as np

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery_settings import BatterySettings
from bess_pipeline.intraday_settings import IntradaySettings
from bess_pipeline.trading.intraday import IntradayMarket
from bess_pipeline.trading.market_day import Expectation, MarketDay, dispatch_market_day

SERVICES = {"none": (), "few": ("DCL", "DCH"), "many": ("DCL", "DCH", "DML", "DMH", "DRL", "DRH")}
FIRST = date(2026, 4, 13)
MWH_PER_MW = 0.003
CONTRACT_MW = 2.0


def made_up_day(number: int, codes: tuple[str, ...]) -> MarketDay:
    """A day with a morning and an evening peak, and forecasts that are drawn anew at every decision."""
    day, random = FIRST + timedelta(days=number), np.random.default_rng(number)
    ends = gb_time.efa_day_bounds_utc(day)[0], gb_time.efa_day_bounds_utc(day + timedelta(days=1))[1]
    start = gb_time.half_hours(*ends)
    periods, hour = len(start), (np.arange(len(start)) / 2 - 1) % 24
    price = 70 - 30 * np.cos((hour - 4) / 12 * np.pi) + 25 * np.exp(-((hour - 18) ** 2) / 4)
    index = price + random.normal(0, 5, periods)
    battery = Battery.from_settings(BatterySettings())
    contract = np.where((hour >= 1) & (hour < 4), -15.0, np.where((hour >= 16.5) & (hour < 19), 14.0, 0.0))
    mine = np.arange(periods) < 48
    shape = (len(codes), periods)

    def expect(k: int) -> Expectation:
        noise = np.random.default_rng(1000 * number + k).normal(0, 10, (2, periods))
        return Expectation(price, price + noise[0], price + noise[1])

    return MarketDay(
        efa_date=day,
        strategy="co_optimised",
        start_utc=start,
        battery=battery,
        opening_energy_mwh=50.0,
        day_ahead_mw=np.where(mine, contract, 0.0),
        planned_charge_mw=np.maximum(-contract[:48], 0.0),
        planned_discharge_mw=np.maximum(contract[:48], 0.0),
        expect=expect,
        imbalance_cap_mw=2.5,
        terminal_value_gbp_mwh=60.0,
        codes=codes,
        services_mw=np.where(mine, np.full(shape, CONTRACT_MW), 0.0),
        activation_mwh_per_mw=random.uniform(0, 2 * MWH_PER_MW, (len(codes), 48)),
        expected_activation_mwh_per_mw=np.full(shape, MWH_PER_MW),
        intraday=IntradayMarket(IntradaySettings(), index, np.full(periods, 800.0)),
    )


def main() -> None:
    """Print CPU seconds a day, by number of services."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=10)
    days = parser.parse_args().days
    dispatch_market_day(made_up_day(0, SERVICES["many"]))
    for name, codes in SERVICES.items():
        given = [made_up_day(number, codes) for number in range(days)]
        began = process_time()
        for day in given:
            dispatch_market_day(day)
        print(f"services: {name:5} {(process_time() - began) / days:.3f} s CPU a day")


if __name__ == "__main__":
    main()
