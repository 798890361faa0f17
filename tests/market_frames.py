"""A random market in the form of the stored tables, with all their weaknesses, and independent rules of what is known.

The rules are written anew here, row by row with `datetime`, so that tests of information sets compare two things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting.information import DispatchInformation, Information
from bess_pipeline.settings import DataSettings

LONDON = ZoneInfo("Europe/London")
HALF_HOUR = timedelta(minutes=30)
PRODUCTS = ("DCL", "DMH")
SERIES = ("wind", "demand", "indicated_margin")
ABSURD = 9e5
FILE_DAYS = 1  # after a month's end, so that a short market has response energy that is known
SETTINGS = DataSettings(frequency_publication_days=FILE_DAYS)

Frames = Mapping[str, pd.DataFrame]  # by table, without its schema: the arguments of panel_of_frames


def random_market(first: date, last: date, seed: int, *, source: str = "neso_n2ex", resolution: int = 60) -> Frames:
    """Every market table over EFA days, with holes, auctions without a price, and versions of most system prices."""
    rng = np.random.default_rng(seed)
    start = gb_time.half_hours(gb_time.efa_day_bounds_utc(first)[0], gb_time.efa_day_bounds_utc(last)[1])
    periods = gb_time.settlement_columns(start).assign(start_utc=start)
    system = periods.assign(
        system_price_gbp_mwh=rng.normal(80, 40, len(start)).round(2),
        net_imbalance_volume_mwh=np.where(rng.random(len(start)) < 0.1, np.nan, rng.normal(0, 200, len(start)).round()),
        price_derivation_code="P",
        published_utc=pd.Series(pd.NaT, index=range(len(start)), dtype=gb_time.UTC_DTYPE),
    )
    index = periods.assign(market_index_price_gbp_mwh=rng.normal(70, 30, len(start)), market_index_volume_mwh=5.0)
    activation = pd.concat([
        pd.DataFrame({"product": one, "start_utc": start, "energy_mwh_per_mw": rng.random(len(start)) / 10})
        for one in PRODUCTS
    ]).assign(coverage=1.0, basis="simulated")  # fmt: skip
    frames = {
        "day_ahead_price": _day_ahead(periods, rng, source, resolution),
        "system_price": _with_holes(system, rng),
        "market_index_price": _with_holes(index, rng),
        "auction_clearing": _with_holes(_auctions(first, last, rng), rng),
        "response_energy": _with_holes(activation, rng),
        "fundamental_forecast": _fundamentals(first, last, rng),
    }
    frames["system_price_revision"] = _versions(frames["system_price"], rng)
    frames["system_price"] = _latest(frames["system_price"], frames["system_price_revision"])
    return frames


def _with_holes(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return frame[rng.random(len(frame)) > 0.02]


def _day_ahead(periods: pd.DataFrame, rng: np.random.Generator, source: str, resolution: int) -> pd.DataFrame:
    product = np.arange(len(periods)) // (resolution // 30)
    price = rng.normal(75, 30, len(periods)).round(2)[product]
    hole = (rng.random(len(periods)) < 0.02)[product]
    frame = periods.assign(day_ahead_price_gbp_mwh=price, source=source, native_resolution_minutes=resolution)
    return frame[~hole]


def _auctions(first: date, last: date, rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        (product, *gb_time.efa_block_bounds_utc(day, block), day, block)
        for day in gb_time.days_between(first, last)
        for block in range(1, 7)
        for product in (*PRODUCTS, "NBR")
    ]
    names = ["product", "delivery_start_utc", "delivery_end_utc", "efa_date", "efa_block"]
    frame = pd.DataFrame(rows, columns=names)
    price = np.where(rng.random(len(frame)) < 0.05, np.nan, rng.normal(4, 2, len(frame)).round(2))
    return frame.assign(clearing_price_gbp_mw_h=price, cleared_volume_mw=500.0)


def _versions(system: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Up to three versions of nine in ten periods: fetched within the hour, a week later, much later or in between."""
    columns = ["settlement_date", "settlement_period", "system_price_gbp_mwh", "net_imbalance_volume_mwh"]
    kept = system[[*columns, "start_utc"]].rename(columns={"start_utc": "fetched_utc"})
    parts = []
    for version, share in ((1, 0.9), (2, 0.4), (3, 0.3)):
        kept = kept[rng.random(len(kept)) < share].copy()
        wait = pd.to_timedelta(rng.choice([1, 20, 170, 4000], len(kept)) * version, unit="h")
        kept["fetched_utc"] = (kept["fetched_utc"] + wait).dt.as_unit("us")
        if version > 1:
            kept["system_price_gbp_mwh"] += rng.normal(0, 20, len(kept)).round(2)
            kept["net_imbalance_volume_mwh"] += rng.normal(0, 20, len(kept)).round(1)
        published = (kept["fetched_utc"] - pd.to_timedelta(rng.integers(-30, 60, len(kept)), unit="min")).dt.as_unit(
            "us"
        )
        parts.append(kept.assign(version=version, published_utc=published.where(rng.random(len(kept)) < 0.8)))
    return pd.concat(parts, ignore_index=True)


def _latest(system: pd.DataFrame, versions: pd.DataFrame) -> pd.DataFrame:
    """`system` as it is stored: the newest version of each period, where versions are kept."""
    keys = ["settlement_date", "settlement_period"]
    newest = versions.sort_values("version").drop_duplicates(keys, keep="last").set_index(keys)["system_price_gbp_mwh"]
    found = newest.reindex(pd.MultiIndex.from_frame(system[keys])).to_numpy()
    return system.assign(system_price_gbp_mwh=np.where(np.isnan(found), system["system_price_gbp_mwh"], found))


def _fundamentals(first: date, last: date, rng: np.random.Generator) -> pd.DataFrame:
    """Rounds at 02, 08 and 16 UTC, published up to two hours later, of 44 hours each."""
    days = gb_time.days_between(first - timedelta(days=3), last)
    made = np.array([np.datetime64(day, "m") + np.timedelta64(hour, "h") for day in days for hour in (2, 8, 16)])
    parts = []
    for series in SERIES:
        start = made[:, None] + np.arange(0, 44 * 60, 60 if series == "wind" else 30).astype("timedelta64[m]")
        late = rng.integers(0, 120, made.size).astype("timedelta64[m]")
        published = np.broadcast_to((made + late)[:, None], start.shape)
        columns = {"published_utc": _utc(published), "start_utc": _utc(start)}
        parts.append(pd.DataFrame({"series": series, **columns, "value": rng.normal(9000, 3000, start.size).round()}))
    return _with_holes(pd.concat(parts, ignore_index=True), rng).assign(unit="MW")


def _utc(instants: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(instants.ravel().astype("datetime64[us]"), tz="UTC")


# --- what is known when, independently ----------------------------------------------------------------


def london(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, tzinfo=LONDON).astimezone(UTC)


def gate(day: date, name: str) -> datetime:
    """The gate of EFA day `day`, on the day before."""
    return london(day - timedelta(days=1), {"day_ahead": time(9, 50), "response": time(14)}[name])


def efa_date(start: datetime) -> date:
    local = start.astimezone(LONDON)
    return local.date() + timedelta(days=local.hour == 23)


def _month_file(start: datetime) -> datetime:
    following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return following.replace(hour=0, minute=0) + timedelta(days=FILE_DAYS)


def _auction(row: object) -> datetime:
    return london(row.efa_date - timedelta(days=1), time(15))  # type: ignore[attr-defined]


def _price(row: object) -> datetime:
    start: datetime = row.start_utc  # type: ignore[attr-defined]
    if row.source == "elexon_mid":  # type: ignore[attr-defined]
        return start + HALF_HOUR
    return london(efa_date(start) - timedelta(days=1), time(10))


KNOWN: Mapping[str, Callable[[object], datetime]] = {
    "day_ahead_price": _price,
    "system_price": lambda row: row.start_utc + HALF_HOUR + timedelta(minutes=60),  # type: ignore[attr-defined]
    "market_index_price": lambda row: row.start_utc + HALF_HOUR,  # type: ignore[attr-defined]
    "auction_clearing": _auction,
    "response_energy": lambda row: _month_file(row.start_utc),  # type: ignore[attr-defined]
    "fundamental_forecast": lambda row: row.published_utc,  # type: ignore[attr-defined]
}


def known_by(name: str, frame: pd.DataFrame, instant: datetime) -> np.ndarray:
    """Which rows of a table were known at an instant (by the clock; versions of system prices apart)."""
    return np.array([KNOWN[name](row) <= instant for row in frame.itertuples(index=False)], dtype=bool)


def content(known: Information | DispatchInformation) -> bytes:
    """Everything that an information set says, as bytes."""
    parts: list[bytes] = []
    for name, value in vars(known).items():
        parts.append(name.encode())
        if isinstance(value, Mapping):
            parts += [repr((key, getattr(one, "shape", one))).encode() + _bytes(one) for key, one in value.items()]
        else:
            parts.append(_bytes(value))
    return b"|".join(parts)


def _bytes(value: object) -> bytes:
    if isinstance(value, pd.DatetimeIndex):
        return value.asi8.tobytes()
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return repr(value).encode()
