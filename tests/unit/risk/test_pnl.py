"""Sums and per-MW figures against hand cases."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from bess_pipeline import gb_time, schemas
from bess_pipeline.risk import pnl as risk

FIRST = date(2024, 3, 30)


def cashflow(amounts: dict[tuple[int, str, str], float]) -> pd.DataFrame:
    """trading/cashflow rows that spread each (day, strategy, stream) total over its half-hours."""
    parts = []
    for (offset, strategy, stream), total in amounts.items():
        day = FIRST + timedelta(days=offset)
        starts = gb_time.efa_half_hours(day)
        parts.append(
            pd.DataFrame({"start_utc": starts, "amount_gbp": total / len(starts)}).assign(
                efa_date=[day] * len(starts), strategy=strategy, stream=stream
            )
        )
    return schemas.validate("trading/cashflow", pd.concat(parts, ignore_index=True))


AMOUNTS = {
    (0, "a", "day_ahead"): 1000.0,
    (0, "a", "wear"): -100.0,
    (0, "a", "imbalance"): -50.0,
    (1, "a", "day_ahead"): -400.0,
    (1, "a", "wear"): -20.0,
    (1, "b", "day_ahead"): 10.0,
}


def test_daily_pnl_sums_each_day_strategy_and_stream() -> None:
    daily = risk.daily_pnl(cashflow(AMOUNTS), 50.0)
    assert len(daily) == len(AMOUNTS)
    for (offset, strategy, stream), total in AMOUNTS.items():
        row = daily[
            (daily["efa_date"] == FIRST + timedelta(days=offset))
            & (daily["strategy"] == strategy)
            & (daily["stream"] == stream)
        ]
        assert row["pnl_gbp"].item() == pytest.approx(total)
        assert row["pnl_gbp_per_mw"].item() == pytest.approx(total / 50.0)


def test_no_cash_gives_an_empty_typed_frame() -> None:
    daily = risk.daily_pnl(schemas.empty_frame("trading/cashflow"), 50.0)
    assert list(daily.columns) == list(schemas.columns("risk/daily_pnl"))
    assert risk.daily_totals(daily).empty
    assert risk.totals(daily).empty


def test_cash_leaves_wear_out_and_after_wear_counts_it() -> None:
    daily = risk.daily_totals(risk.daily_pnl(cashflow(AMOUNTS), 50.0)).set_index(["strategy", "efa_date"])
    assert daily.loc[("a", FIRST)].to_dict() == pytest.approx({"cash_gbp": 950.0, "after_wear_gbp": 850.0})
    assert daily.loc[("a", FIRST + timedelta(days=1))].to_dict() == pytest.approx(
        {"cash_gbp": -400.0, "after_wear_gbp": -420.0}
    )


def test_totals_by_strategy_and_stream() -> None:
    table = risk.totals(risk.daily_pnl(cashflow(AMOUNTS), 50.0))
    assert list(table.index) == ["b", "a"]  # the least first
    assert list(table.columns[:3]) == ["day_ahead", "imbalance", "wear"]
    a = table.loc["a"]
    assert a["day_ahead"] == pytest.approx(600.0)
    assert a["cash_gbp"] == pytest.approx(550.0)
    assert a["after_wear_gbp"] == pytest.approx(430.0)
    assert a["days"] == 2
    assert a["after_wear_gbp_per_mw_day"] == pytest.approx(430.0 / 50.0 / 2)
    assert a["after_wear_kgbp_per_mw_year"] == pytest.approx(430.0 / 50.0 / 2 * 365 / 1000)
    assert table.loc["b", "imbalance"] == 0.0
    assert table.loc["b", "days"] == 1
