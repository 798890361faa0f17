"""The volume cap: from past auctions only, block by block, half-hour by half-hour."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ancillary_cases import auctions, blocks, day_of

from bess_pipeline.ancillary.volume_cap import expected_cleared_mw, volume_cap_breaches, volume_cap_mw

PAST = auctions(
    [
        ("DCL", "2025-01-12T23:00", 400.0),  # EFA 13 January block 1
        ("DCL", "2025-01-13T23:00", 600.0),
        ("DCL", "2025-01-13T03:00", 900.0),  # block 2
        ("PQR", "2025-01-13T07:00", 300.0),
        ("PQR", "2025-01-14T07:30", 100.0),
    ]
)


def test_response_is_the_mean_of_the_same_block_and_reserve_counts_absent_windows_as_nothing() -> None:
    horizon = day_of(date(2025, 1, 15))
    expected = expected_cleared_mw(PAST, ("DCL", "PQR", "DRH"), horizon)
    assert expected[0] == pytest.approx(horizon.spread(np.array([500.0, 900, 0, 0, 0, 0])))
    assert np.flatnonzero(expected[1]).tolist() == [16, 17]  # 07:00 and 07:30 London
    assert expected[1, 16:18] == pytest.approx([150.0, 50.0])
    assert (expected[2] == 0).all()
    assert volume_cap_mw(expected, 0.1)[0, 0] == pytest.approx(50.0)


def test_a_later_result_is_refused_and_an_older_one_than_the_days_does_not_count() -> None:
    with pytest.raises(ValueError, match="EFA day 2025-01-14 are not known when 2025-01-14 is decided"):
        expected_cleared_mw(PAST, ("DCL",), day_of(date(2025, 1, 14)))
    one_day = expected_cleared_mw(PAST, ("DCL",), day_of(date(2025, 1, 15)), days=1)
    assert one_day[0, 0] == 600.0
    assert (expected_cleared_mw(PAST, ("DCL",), day_of(date(2025, 6, 1))) == 0).all()
    assert (expected_cleared_mw(PAST.iloc[:0], ("DCL", "PQR"), day_of()) == 0).all()


def test_blocks_and_half_hours_keep_the_london_clock() -> None:
    summer = auctions([("DCL", "2025-06-02T02:00", 100.0), ("PQR", "2025-06-02T06:00", 80.0)])
    expected = expected_cleared_mw(summer, ("DCL", "PQR"), day_of(date(2025, 6, 3)))
    assert np.flatnonzero(expected[0]).tolist() == list(range(8, 16))  # block 2, 03:00 London
    assert np.flatnonzero(expected[1]).tolist() == [16]  # 07:00 London


def test_more_than_the_cap_is_a_breach() -> None:
    horizon = blocks(1, date(2025, 1, 15))
    cap = volume_cap_mw(expected_cleared_mw(PAST, ("DCL",), horizon), 0.1)
    assert volume_cap_breaches(("DCL",), np.full((1, 8), 50.0), cap) == []
    assert [one.amount for one in volume_cap_breaches(("DCL",), np.full((1, 8), 51.0), cap)] == [pytest.approx(1)] * 8


def test_recorded_auctions_give_a_mean_of_28_days(realdata: Path) -> None:
    recorded = pd.read_parquet(realdata / "tables" / "response_auction.parquet")
    recorded["efa_date"] = pd.to_datetime(recorded["efa_date"]).dt.date
    day = date(2024, 3, 1)
    known = recorded[recorded["efa_date"] < day]
    expected = expected_cleared_mw(known, ("DCL", "DMH"), blocks(6, day))
    rows = known[(known["product"] == "DMH") & (known["efa_block"] == 4) & (known["efa_date"] >= date(2024, 2, 2))]
    assert len(rows) == 28
    assert expected[1, 26] == pytest.approx(sum(rows["cleared_volume_mw"]) / 28)
