"""Market frames whose values that an instant did not know are absurd, for the poison tests of design.md 6.

What belongs here: which rows a gate may use, written anew and apart from the code, and the poison. What does not: the
market itself (`market_frames.py`) and the tests.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import market_frames as market
import numpy as np
import pandas as pd

from bess_pipeline import gb_time

MOMENT = timedelta(seconds=1)
VALUES = {
    "day_ahead_price": ["day_ahead_price_gbp_mwh"],
    "system_price": ["system_price_gbp_mwh", "net_imbalance_volume_mwh"],
    "system_price_revision": ["system_price_gbp_mwh", "net_imbalance_volume_mwh"],
    "market_index_price": ["market_index_price_gbp_mwh", "market_index_volume_mwh"],
    "auction_clearing": ["clearing_price_gbp_mw_h", "cleared_volume_mw"],
    "response_energy": ["energy_mwh_per_mw", "coverage"],
    "fundamental_forecast": ["value"],
}
TABLES = sorted(VALUES)


def period_starts(rows: pd.DataFrame) -> list[datetime]:
    pairs = zip(rows["settlement_date"], rows["settlement_period"], strict=True)
    return [gb_time.period_start_utc(day, period) for day, period in pairs]


def there_utc(rows: pd.DataFrame) -> pd.Series:
    """Since when each version was there."""
    return rows[["fetched_utc", "published_utc"]].max(axis=1)


def known_rows(table: str, frames: market.Frames, instant: datetime) -> np.ndarray:
    """Rows that a gate at the instant may use; of versions those that were there, and the earliest of each period."""
    frame = frames[table]
    if table != "system_price_revision":
        return market.known_by(table, frame, instant)
    over = np.array([start + timedelta(minutes=90) <= instant for start in period_starts(frame)])
    return over & ((there_utc(frame) <= instant).to_numpy() | (frame["version"] == 1).to_numpy())


def poisoned(table: str, frames: market.Frames, instant: datetime) -> market.Frames:
    """What was not known is absurd, of other products' length, and more of it is there; known prices were revised."""
    frame, unknown = frames[table].copy(), ~known_rows(table, frames, instant)
    assert unknown.any()
    frame.loc[unknown, VALUES[table]] = market.ABSURD
    if table == "day_ahead_price":
        frame.loc[unknown, "native_resolution_minutes"] = 15
    if table == "system_price":  # the table shows the newest run: where versions are kept it is no evidence at all
        periods = pd.MultiIndex.from_frame(frame[["settlement_date", "settlement_period"]])
        frame.loc[periods.isin(kept_periods(frames)), VALUES[table]] = -market.ABSURD
    if table == "system_price_revision":
        frame = pd.concat([frame, revised(frame, instant)], ignore_index=True)
    if table == "fundamental_forecast":
        again = frame[~unknown].assign(value=-market.ABSURD, published_utc=pd.Timestamp(instant + MOMENT).as_unit("us"))
        other = frame[~unknown].head(40).assign(series="new_series", published_utc=again["published_utc"].iloc[0])
        frame = pd.concat([other, again.drop_duplicates(["series", "start_utc"]), frame], ignore_index=True)
    if table == "response_energy":
        frame = pd.concat([frame, frame[unknown].assign(product="DRL")], ignore_index=True)
    return {**frames, table: frame}


def revised(versions: pd.DataFrame, instant: datetime) -> pd.DataFrame:
    """One more version of every period, fetched a moment after the instant or after its last version."""
    newest = versions.sort_values("version").drop_duplicates(["settlement_date", "settlement_period"], keep="last")
    fetched = newest["fetched_utc"].where(newest["fetched_utc"] > instant, pd.Timestamp(instant)) + MOMENT
    absurd = dict.fromkeys(VALUES["system_price_revision"], -market.ABSURD)
    fetched = fetched.dt.as_unit("us")
    return newest.assign(version=newest["version"] + 1, fetched_utc=fetched, published_utc=fetched, **absurd)


def last_used(table: str, frames: market.Frames, known: np.ndarray, gate: datetime) -> int:
    """The latest of the known rows that a feature is made of."""
    frame, keys = frames[table], ["settlement_date", "settlement_period"]
    if table == "auction_clearing":
        known &= frame["product"].isin(market.PRODUCTS).to_numpy()
    if table == "system_price_revision":  # the newest version that was there
        known &= (there_utc(frame) <= gate).to_numpy()
        return int(frame[known].sort_values([*keys, "version"]).index[-1])
    if table == "system_price":  # one that has no versions
        known &= ~pd.MultiIndex.from_frame(frame[keys]).isin(kept_periods(frames))
    order = ["start_utc", "published_utc"] if table == "fundamental_forecast" else ["start_utc"]
    order = ["delivery_start_utc"] if table == "auction_clearing" else order
    return int(frame[known].sort_values(order).index[-1])


def kept_periods(frames: market.Frames) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frames["system_price_revision"][["settlement_date", "settlement_period"]])
