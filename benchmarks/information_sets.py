"""What gates knew of a year of every stream, with fundamentals: the time to make a panel, and to cut it at a gate.

What belongs here: time on one core. What does not: correctness (tests/unit/forecasting, tests/property).

Usage, from the project's root:  python benchmarks/information_sets.py [--days 365] [--workspace data/demo]

Without a workspace the tables are random numbers of the size that a year of them has; forecasts of eight series are
published four times a day for two days. Target: a gate of 365 days in under 0.2 s.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.response_curves import PRODUCTS
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames, read_panel
from bess_pipeline.forecasting.observation import observe, observe_dispatch, window
from bess_pipeline.settings import DataSettings
from bess_pipeline.workspace import Workspace

LAST_DAY = date(2025, 3, 31)
SERIES = ("wind", "demand", *(f"series_{letter}" for letter in "abcdef"))


def random_frames(first: date, last: date) -> dict[str, pd.DataFrame]:
    """Market tables of the days, of random numbers."""
    rng = np.random.default_rng(0)
    start = gb_time.half_hours(gb_time.efa_day_bounds_utc(first)[0], gb_time.efa_day_bounds_utc(last)[1])
    rows = gb_time.settlement_columns(start).assign(start_utc=start)
    value = rng.normal(80, 40, len(start))
    energy = [rows[["start_utc"]].assign(product=product, energy_mwh_per_mw=0.01) for product in PRODUCTS]
    blocks = [(day, block) for day in gb_time.days_between(first, last) for block in range(1, 7)]
    opened = pd.DatetimeIndex([gb_time.efa_block_bounds_utc(*one)[0] for one in blocks]).as_unit("us")
    auctions = pd.DataFrame({"efa_date": [day for day, _ in blocks], "delivery_start_utc": opened})
    fetched = (rows["start_utc"] + pd.Timedelta(hours=20)).dt.as_unit("us")
    system = rows.assign(system_price_gbp_mwh=value, net_imbalance_volume_mwh=value)
    return {
        "day_ahead_price": rows.assign(day_ahead_price_gbp_mwh=value, source="neso_n2ex", native_resolution_minutes=60),
        "system_price": system,
        "system_price_revision": system.assign(version=1, fetched_utc=fetched, published_utc=fetched),
        "market_index_price": rows.assign(market_index_price_gbp_mwh=value),
        "response_energy": pd.concat(energy),
        "auction_clearing": pd.concat([auctions.assign(product=p, clearing_price_gbp_mw_h=3.0) for p in PRODUCTS]),
        "fundamental_forecast": _fundamentals(first, last),
    }


def _fundamentals(first: date, last: date) -> pd.DataFrame:
    made = pd.date_range(first - timedelta(days=3), last, freq="6h", unit="us").to_numpy()
    start = made[:, None] + (np.arange(96) * np.timedelta64(30, "m")).astype("timedelta64[us]")
    published = np.broadcast_to(made[:, None], start.shape)
    columns = {"published_utc": pd.DatetimeIndex(published.ravel(), tz="UTC"),
               "start_utc": pd.DatetimeIndex(start.ravel(), tz="UTC")}  # fmt: skip
    return pd.concat([pd.DataFrame({"series": series, **columns, "value": 1.0}) for series in SERIES])


def main() -> None:
    """Prints the size of the panel and three times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--workspace", type=Path)
    chosen = parser.parse_args()
    began, panel = _panel(chosen.workspace, chosen.days)
    days = (panel.last_day - window(panel.last_day, chosen.days)[0]).days + 1
    print(f"panel of {days} days, {len(panel.values)} streams, {len(panel.publications)} series: ", end="")
    print(f"{perf_counter() - began:.2f} s")
    for gate in ("day_ahead", "response"):
        times = []
        for _ in range(5):
            began = perf_counter()
            known = observe(panel, panel.last_day, gate, chosen.days)
            times.append(perf_counter() - began)
        print(f"gate {gate}, {len(known.days)} rows, {len(known.streams)} streams: {min(times):.3f} s")
    began = perf_counter()
    for start in gb_time.efa_half_hours(panel.last_day):
        observe_dispatch(panel, start.to_pydatetime())
    print(f"dispatch decisions of a day: {perf_counter() - began:.3f} s")


def _panel(workspace: Path | None, days: int) -> tuple[float, MarketPanel]:
    """When making it began, and the panel."""
    if workspace is None:
        first, last = window(LAST_DAY, days)
        frames = random_frames(first, last)
        return perf_counter(), panel_of_frames(first, last, **frames)
    lake = Workspace(workspace).lake
    last = lake.days("market/day_ahead_price")[-1]
    return perf_counter(), read_panel(lake, *window(last, days), DataSettings())


if __name__ == "__main__":
    main()
