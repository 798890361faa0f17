"""Why a day's P&L is not that of the day before: prices, volumes and revisions, summing to the change exactly.

What belongs here: the split of a change of sum(volume x price). What does not: P&L itself (`pnl.py`) and steps between
strategies (`waterfall.py`).

Half-hours of two days are matched by London clock time (the second of the hour that comes twice is a slot of its own),
so that an evening peak meets an evening peak on 23- and 25-hour days too. A stream that sells several things has a row
for each: a clearing price that falls moves the price effect of its product alone. Per stream, product and slot, with
volumes q and prices p of the day before (0) and of the day (1), and r the price its P&L was first reported with:

    revision = q0 (p0 - r0),   price = (q0 + q1)/2 (p1 - p0),   volume = (p0 + p1)/2 (q1 - q0)

and P&L now - P&L first reported = q1 p1 - q0 r0 is their sum (the symmetric split of Bennet 1920: the order of the days
does not matter). A slot that only one of the days has is all volume.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bess_pipeline import gb_time

SLOT = ["stream", "product", "slot"]
EFFECTS = ("price", "volume", "revision")


def explain(before: pd.DataFrame, day: pd.DataFrame) -> pd.DataFrame:
    """The change of P&L from `before` (as first reported) to `day`, per stream.

    Parameters
    ----------
    before, day : rows of one day each: stream, start_utc, volume, price, and in `before` first_price, the price its P&L
        was first reported with (NaN or no column: the same). volume x price is the row's P&L in GBP; the units are the
        stream's own (MWh and GBP/MWh, MW h and GBP/MW/h; an amount without a price is a volume at price 1). One row
        per stream, product (no column: the stream sells one thing) and half-hour.

    Returns
    -------
    DataFrame
        stream, price_gbp, volume_gbp, revision_gbp, change_gbp, a row per stream of either day.

    Raises
    ------
    ValueError
        A product of a stream with two rows in a half-hour, or a volume or price that is not finite.
    """
    first, second = _slots(before, "first_price"), _slots(day, None)
    both = first.add_suffix("_0").join(second.add_suffix("_1"), how="outer")
    q0, q1 = (both[name].fillna(0.0).to_numpy() for name in ("volume_0", "volume_1"))
    p0 = both["price_0"].fillna(both["price_1"]).to_numpy()
    p1 = both["price_1"].fillna(both["price_0"]).to_numpy()
    r0 = both["first_price_0"].fillna(both["price_0"]).fillna(both["price_1"]).to_numpy()
    effects = pd.DataFrame(
        {
            "price_gbp": (q0 + q1) / 2.0 * (p1 - p0),
            "volume_gbp": (p0 + p1) / 2.0 * (q1 - q0),
            "revision_gbp": q0 * (p0 - r0),
        },
        index=both.index,
    )
    result = effects.groupby(level="stream").sum()
    return result.assign(change_gbp=result.sum(axis=1)).reset_index()


def slot_of(start_utc: pd.Series) -> pd.Series:
    """London clock time of each half-hour as a label, with a mark where the hour comes for the second time."""
    local = start_utc.dt.tz_convert(gb_time.LONDON)
    repeated = [moment.fold == 1 for moment in local]
    return local.dt.strftime("%H:%M") + np.where(repeated, " again", "")


def _slots(rows: pd.DataFrame, first_price: str | None) -> pd.DataFrame:
    columns = ["volume", "price"]
    if not np.isfinite(rows[columns].to_numpy(dtype="float64")).all():
        raise ValueError("a volume or price to explain is missing: leave out what was not settled, it is no zero")
    product = rows["product"].to_numpy() if "product" in rows else ""
    frame = rows.assign(product=product, slot=slot_of(rows["start_utc"]).to_numpy())
    if frame.duplicated(SLOT).any():
        raise ValueError("a stream has two rows in one half-hour, or the rows are of more than one day")
    if first_price is not None:
        frame[first_price] = frame.get(first_price, np.nan)
        columns = [*columns, first_price]
    return frame.set_index(SLOT)[columns].astype("float64")
