"""Imbalance of a strategy of all markets in two parts: what it meant to leave open, and what happened to it.

What belongs here: the split in MWh and GBP per half-hour; `sql/views/trading.imbalance_split.sql` is the same as a
view. What does not: imbalance and its forced part (`market_day.py`) and its cash (`market_settlement.py`).

* physical deviation: what physics forced, and response energy that settlement does not take out of imbalance
  (activation - absvd, which is nothing where ABSVD applies);
* spread position: the rest of the imbalance, which is intended dispatch less contract: the baseline that was decided,
  without acceptances, less what was sold. Long (more intended than sold) is positive, as imbalance is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bess_pipeline.trading.plans import values_at

KEYS = ["efa_date", "strategy", "start_utc"]


def imbalance_split(dispatch: pd.DataFrame, system_price: pd.DataFrame) -> pd.DataFrame:
    """Rows of KEYS, imbalance_mwh, spread_position_mwh, physical_deviation_mwh, and the last two in GBP.

    `dispatch` are `trading/market_dispatch` rows, `system_price` `market/system_price` rows that may cover more days.
    The two parts add up to the imbalance; GBP are NaN where there is no system price.
    """
    activation = dispatch["activation_export_mwh"] - dispatch["activation_import_mwh"]
    physical = (dispatch["forced_imbalance_mwh"] + activation - dispatch["absvd_mwh"]).to_numpy(dtype="float64")
    imbalance = dispatch["imbalance_mwh"].to_numpy(dtype="float64")
    price = values_at(system_price, "system_price_gbp_mwh", dispatch["start_utc"])
    spread = imbalance - physical
    return dispatch[KEYS].assign(
        imbalance_mwh=imbalance,
        spread_position_mwh=spread + 0.0,
        physical_deviation_mwh=physical + 0.0,
        spread_position_gbp=np.asarray(spread * price) + 0.0,
        physical_deviation_gbp=np.asarray(physical * price) + 0.0,
    )
