"""What a stored day offers to strategies that trade within it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from gate_cases import DAY
from market_desk import INDEX, unplanned_desk

from bess_pipeline import gb_time
from bess_pipeline.trading.condition import Condition
from bess_pipeline.trading.intraday import IntradayMarket
from bess_pipeline.trading.stored_market import StoredMarket


def test_whether_a_half_hour_has_an_index_changes_what_is_filled_and_no_decision(tmp_path: Path) -> None:
    desk = unplanned_desk(tmp_path, [DAY])

    def market() -> IntradayMarket | None:
        stored = StoredMarket(desk.settings, desk.lake, Condition(desk.settings, desk.lake), [DAY])
        return stored.intraday(DAY, stored.horizon(DAY))

    whole = market()
    for day in (DAY - timedelta(days=1), DAY):
        rows = desk.lake.read(INDEX, day, day)
        start = pd.Timestamp(gb_time.efa_half_hours(DAY)[20])
        desk.lake.write(INDEX, day, rows[rows["start_utc"] != start].assign(market_index_volume_mwh=20.0))
    thin = market()
    assert whole is not None
    assert thin is not None
    assert thin.most_mwh.tolist() == whole.most_mwh.tolist()
    assert not whole.most_mwh[48:].any()
    wanted = np.full(48, 3.0)
    assert whole.filled_mwh(wanted).tolist() == wanted.tolist()
    assert thin.filled_mwh(wanted).tolist() == [0.0 if t == 20 else 1.0 for t in range(48)]
    for day in (DAY - timedelta(days=1), DAY):
        desk.lake.path(INDEX, day).unlink()
    assert market() is None
