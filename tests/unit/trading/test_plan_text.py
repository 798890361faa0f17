"""A co-optimised plan in a terminal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.trading.plan_text import WIDTH, plan_text

DAY = pd.Timestamp("2026-10-25").date()  # the clocks go back: 25 hours
EXPLAINED = ["start_utc", "market", "product", "committed_mw", "why"]
ORDERED = ["market", "product", "start_utc", "limit_price", "offered_mw", "clearing_price", "accepted_mw"]


def rows() -> pd.DataFrame:
    starts = gb_time.efa_half_hours(DAY)
    count = len(starts)
    frame = pd.DataFrame({"start_utc": starts, "day_ahead_mw": 0.0, "charge_mw": 0.0, "discharge_mw": 0.0})
    frame["energy_mwh"] = np.linspace(50, 60, count)
    frame["dcl_mw"], frame["drh_mw"] = 0.0, np.where(np.arange(count) < 8, 12.0, 0.0)
    frame["energy_floor_mwh"], frame["energy_ceiling_mwh"] = 5.0 + np.arange(count) % 2, 95.0 - np.arange(count) % 2
    frame.loc[36:37, ["day_ahead_mw", "discharge_mw"]] = 41.2
    return frame


def explained(why: str, mw: float = 41.2) -> pd.DataFrame:
    return pd.DataFrame([(rows()["start_utc"][36], "day_ahead", "hour", mw, why)], columns=EXPLAINED)


NO_ORDERS = pd.DataFrame(columns=ORDERED)


def test_there_is_a_line_for_every_hour_with_only_the_services_that_are_held() -> None:
    text = plan_text(rows(), pd.DataFrame(columns=EXPLAINED), NO_ORDERS, None)
    lines = text.splitlines()
    assert len(lines) == 1 + 25 + 1
    assert "DRH" in lines[0]
    assert "DCL" not in lines[0]
    clocks = [line.split()[1] for line in lines[1:26]]
    assert clocks[:4] == ["23:00", "00:00", "01:00", "01:00"]
    assert clocks[-1] == "22:00"
    assert [line.split()[0] for line in lines[1:26]] == ["1"] * 5 + [str(b) for b in range(2, 7) for _ in range(4)]
    first = lines[1].split()
    assert first[2:7] == ["0.0", "12", "0.0", "0.0", f"{rows()['energy_mwh'][1]:.1f}"]
    assert first[7] == "6.0-94.0"
    assert lines[19].split()[1:6] == ["16:00", "41.2", "0", "0.0", "41.2"]


def test_reasons_carry_limit_price_and_outcome_and_no_line_is_too_wide() -> None:
    start = rows()["start_utc"][36]
    offers = pd.DataFrame(
        [("day_ahead", "hour", start, 71.3, 20.0, 88.1, 20.0), ("day_ahead", "hour", start, 80.0, 21.2, 88.1, 21.2)],
        columns=ORDERED,
    )
    why = "sells 41.2 MW at an expected 92.10 GBP/MWh; " + "the energy is worth 71.30 in storage; " * 5
    text = plan_text(rows(), explained(why), offers, None)
    flat = " ".join(text.split())
    assert "16:00 sells 41.2 MW at an expected 92.10 GBP/MWh" in flat
    assert "limit price 71.30 to 80.00 in 2 steps; cleared at 88.10, accepted 41.2 MW" in flat
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    open_offer = offers.iloc[:1].assign(clearing_price=np.nan, accepted_mw=np.nan)
    flat = " ".join(plan_text(rows(), explained("sells"), open_offer, None).split())
    assert "sells; limit price 71.30" in flat
    assert "cleared" not in flat


def test_the_note_on_conduct_stands_once() -> None:
    deviating = rows().assign(discharge_mw=1.0)
    alone = plan_text(deviating, explained("sells"), NO_ORDERS, None)
    assert alone.count("Conduct:") == 1
    noted = plan_text(deviating, explained("sells"), NO_ORDERS, {"notes": "Conduct: 3 MWh. DMH is off: no volume"})
    assert noted.count("Conduct:") == 1
    assert "DMH is off" in noted
    assert "Conduct" not in plan_text(rows(), explained("sells"), NO_ORDERS, None)


@pytest.mark.parametrize("as_series", [True, False])
def test_risk_is_told_where_it_is_known(as_series: bool) -> None:
    values = {
        "confidence": 0.95,
        "expected_pnl_gbp": 12345.6,
        "var_gbp": -900.0,
        "cvar_gbp": 1234.0,
        "oos_expected_pnl_gbp": float("nan"),
        "risk_aversion": 0.5,
        "scenarios": 200,
        "notes": None,
    }
    given = pd.Series(values, dtype=object) if as_series else values
    text = plan_text(rows(), explained("sells"), NO_ORDERS, given)
    assert "expected profit 12,346 GBP, VaR 95 % -900 GBP, CVaR 95 % 1,234 GBP" in text
    assert "fresh scenarios" not in text
    assert "risk aversion 0.5, scenarios 200" in text
