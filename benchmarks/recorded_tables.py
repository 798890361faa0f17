"""The recorded GB tables where they lie, as frames and as a panel, and the days that their holes spoil.

What belongs here: the folder, reading it in place, days with a missing half-hour. What does not: what is measured on
them (`recorded_prices.py`, `recorded_ladder.py`).

The folder is `--tables FOLDER`, or the environment's BESS_REALDATA, or ../shared/realdata/tables beside the checkout.
There is no free GB day-ahead series in it: the Elexon market index, a *within-day* index, stands in as the day-ahead
leg, so each of its prices is known at the end of its half-hour and no sooner.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames

Array = npt.NDArray[np.float64]

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "tables"
RECORDED_LAST = date(2025, 3, 31)  # settlement date
NO_DAY_AHEAD = "day-ahead leg: the within-day market index (Elexon MID); no GB day-ahead price is recorded"


def add_folder(parser: argparse.ArgumentParser) -> None:
    """The argument `--tables`."""
    default = Path(os.environ.get("BESS_REALDATA", BESIDE))
    parser.add_argument("--tables", type=Path, default=default, help="folder of the recorded tables")


@dataclass(frozen=True)
class RecordedTables:
    """Rows as the market tables hold them: day_ahead_price of the market index, system_price."""

    day_ahead_price: pd.DataFrame
    system_price: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> RecordedTables:
        """From market_index.parquet and system_price.parquet; SystemExit with one sentence where they are not there."""
        for name in ("market_index", "system_price"):
            if not (folder / f"{name}.parquet").is_file():
                raise SystemExit(f"recorded prices are not there: {folder / name}.parquet")
        index = pd.read_parquet(folder / "market_index.parquet").drop(columns="market_index_volume_mwh")
        index = index.rename(columns={"market_index_price_gbp_mwh": "day_ahead_price_gbp_mwh"})
        index = index.assign(source="elexon_mid", native_resolution_minutes=30)
        return cls(schemas.validate("market/day_ahead_price", index), pd.read_parquet(folder / "system_price.parquet"))

    def panel(self, first_day: date) -> MarketPanel:
        """Both prices as a panel of EFA days; days before the record hold nothing."""
        return panel_of_frames(
            first_day, RECORDED_LAST, day_ahead_price=self.day_ahead_price, system_price=self.system_price
        )

    def holes(self, first_day: date, last_day: date) -> list[pd.Timestamp]:
        """Starts of the half-hours of these EFA days without a day-ahead price, UTC."""
        starts = streams.horizon_starts("half_hour", gb_time.days_between(first_day, last_day))
        return list(starts.difference(pd.DatetimeIndex(self.day_ahead_price["start_utc"])))

    def by_day(self, first_day: date, last_day: date) -> dict[date, Array]:
        """Day-ahead prices (46, 48 or 50,) of each EFA day, NaN in a hole."""
        price = self.day_ahead_price.set_index("start_utc")["day_ahead_price_gbp_mwh"]
        days = gb_time.days_between(first_day, last_day)
        return {day: price.reindex(gb_time.efa_half_hours(day)).to_numpy(dtype="float64") for day in days}


def list_holes(tables: RecordedTables, first_day: date, last_day: date) -> str:
    """One sentence with the holes of a window and what is done about them."""
    holes = tables.holes(first_day, last_day + timedelta(days=1))
    listed = ", ".join(f"{hole:%Y-%m-%d %H:%MZ}" for hole in holes)
    return (
        f"half-hours without a price: {listed or 'none'}; an EFA day with one counts for nobody (the battery idles "
        "through it, its state carried over), and forecasters leave an unknown half-hour out of their means"
    )
