"""A lake in which everything that became known after an instant is absurd, or something known before it is changed.

Used by the test of a whole workspace; when values become known is said by the rules of `market_frames.py`, which are
written apart from the project's own. Values stay within the bounds of the tables, so that the lake takes them.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import market_frames as market
import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.lake import Lake

ABSURD: dict[str, dict[str, float]] = {
    "day_ahead_price": {"day_ahead_price_gbp_mwh": 4999.0},
    "system_price": {"system_price_gbp_mwh": 4999.0, "net_imbalance_volume_mwh": 4999.0},
    "market_index_price": {"market_index_price_gbp_mwh": 4999.0, "market_index_volume_mwh": 1.0},
    "auction_clearing": {"clearing_price_gbp_mw_h": 888.0, "cleared_volume_mw": 1.0},
    "fundamental_forecast": {"value": 49999.0},
}
REVISION = "market/system_price_revision"
MOMENT = timedelta(seconds=1)


def poison(lake: Lake, instant: datetime, first: date, last: date) -> int:
    """Make everything of the partitions `first` to `last` absurd that was not known at `instant`; values changed.

    Prices that were known get a later version, which the table of newest prices shows; forecasts of fundamentals a
    later publication; and response energy, of which none was published, is there all at once.
    """
    changed = 0
    for table, absurd in ABSURD.items():
        for day in lake.days(f"market/{table}"):
            if first <= day <= last:
                changed += _poison_day(lake, table, absurd, day, instant)
    for day in gb_time.days_between(first, last):
        if lake.has(REVISION, day):
            _write(lake, REVISION, day, _later_versions(lake.read(REVISION, day, day), instant))
        _write(lake, "market/response_energy", day, _activation(day))
    return changed


def _poison_day(lake: Lake, table: str, absurd: dict[str, float], day: date, instant: datetime) -> int:
    name = f"market/{table}"
    frame = lake.read(name, day, day)
    unknown = ~market.known_by(table, frame, instant)
    for column, value in absurd.items():
        frame[column] = np.where(unknown, value, frame[column].to_numpy(dtype="float64", na_value=np.nan))
        if table == "system_price":  # the newest version, which is no evidence of what was there
            frame[column] = np.where(unknown, value, -value)
    if table == "fundamental_forecast" and day == gb_time.settlement_date_of(instant):
        later = pd.Timestamp(instant + MOMENT).as_unit("us")
        again = frame[~unknown].drop_duplicates(["series", "start_utc"]).assign(published_utc=later, **absurd)
        frame = pd.concat([frame, again], ignore_index=True)
    _write(lake, name, day, frame)
    return int(unknown.sum()) * len(absurd)


def _later_versions(frame: pd.DataFrame, instant: datetime) -> pd.DataFrame:
    """Versions of periods that were not over are absurd, and all periods have one more that came after everything."""
    starts = [
        gb_time.period_start_utc(day, period)
        for day, period in zip(frame["settlement_date"], frame["settlement_period"], strict=True)
    ]
    known = np.array([start + timedelta(minutes=90) <= instant for start in starts], dtype=bool)
    frame = frame.assign(**{
        column: np.where(known, frame[column].to_numpy(dtype="float64", na_value=np.nan), value)
        for column, value in ABSURD["system_price"].items()
    })  # fmt: skip
    newest = frame.sort_values("version").drop_duplicates(["settlement_date", "settlement_period"], keep="last")
    fetched = (newest["fetched_utc"] + pd.Timedelta(days=1)).dt.as_unit("us")
    absurd = {column: -value for column, value in ABSURD["system_price"].items()}
    more = newest.assign(version=newest["version"] + 1, fetched_utc=fetched, published_utc=fetched, **absurd)
    return pd.concat([frame, more], ignore_index=True)


def _activation(day: date) -> pd.DataFrame:
    starts = gb_time.settlement_half_hours(day)
    parts = [
        pd.DataFrame({"product": product, "start_utc": starts, "energy_mwh_per_mw": 0.49, "coverage": 1.0})
        for product in ("DCL", "DCH", "DRL", "DRH")
    ]
    return pd.concat(parts, ignore_index=True).assign(basis="simulated")


def change_known_evenings(lake: Lake, efa_date: date, days: int) -> None:
    """Day-ahead prices that were out before the gates of `efa_date` are turned upside down, over so many days."""
    name, column = "market/day_ahead_price", "day_ahead_price_gbp_mwh"
    for day in gb_time.days_between(efa_date - timedelta(days=days), efa_date - timedelta(days=2)):
        frame = lake.read(name, day, day)
        _write(lake, name, day, frame.assign(**{column: 200.0 - frame[column]}))


def _write(lake: Lake, name: str, day: date, frame: pd.DataFrame) -> None:
    lake.write(name, day, frame, lake.stamp(name, day))
