"""Ladder, capture, waterfall, drawdown and warnings of histories that are made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from risk_frames import bound_rows, history_of
from trading_frames import BATTERY, day_ahead, efa_starts

from bess_pipeline import schemas
from bess_pipeline.lake import Lake
from bess_pipeline.risk import stored_measures
from bess_pipeline.risk.history import History
from bess_pipeline.risk.stored_warnings import (
    PART_DAYS,
    capture_warnings,
    history_warnings,
    rich_warnings,
    warning_rows,
)
from bess_pipeline.risk_settings import RiskSettings

POWER_MW, SETTINGS = 50.0, RiskSettings(bootstrap_replicates=100)
CAP = 2.5


def series(values: list[float] | np.ndarray, first: date = date(2026, 1, 30)) -> pd.Series:
    return pd.Series(values, index=[first + timedelta(days=n) for n in range(len(values))], dtype="float64")


def full_history(**bound: float) -> History:
    """Four days over the end of a month; P&L falls with every step away from perfect foresight."""
    days = {
        "perfect_foresight_48h": series([950.0, 940.0, 960.0, 930.0]),
        "co_optimised": series([800.0, 700.0, 810.0, 690.0]),
        "co_optimised_cvar": series([790.0, 710.0, 800.0, 700.0]),
        "day_ahead_imbalance": series([500.0, 400.0, 510.0, 390.0]),
        "day_ahead_rolling": series([450.0, 330.0, 440.0, 340.0]),
    }
    bounds = bound_rows("perfect_foresight", series([1000.0, 990.0, 1010.0, 980.0]), **bound)
    return history_of(days, wear_gbp=10.0, bound=bounds)


def test_a_waterfall_goes_from_the_bound_to_what_was_realised_without_a_rest() -> None:
    rows, warnings = stored_measures.waterfalls(full_history(), CAP)
    assert warnings == []
    rolling = rows[rows["strategy"] == "day_ahead_rolling"].sort_values("place")
    assert list(rolling["step"]) == [
        *("start", "horizon", "forecast", "access to services", "access to imbalance", "wear"),
    ]
    assert list(rolling["place"]) == list(range(6))
    change = dict(zip(rolling["step"], rolling["change_gbp"], strict=True))
    assert change["horizon"] == (950.0 + 940.0 + 960.0 + 930.0 + 40.0) - (1000.0 + 990.0 + 1010.0 + 980.0 + 40.0)
    assert change["access to services"] == 500.0 + 400.0 + 510.0 + 390.0 - (800.0 + 700.0 + 810.0 + 690.0)
    assert change["wear"] == -40.0
    for _, part in rows.groupby("strategy"):
        ordered = part.sort_values("place")
        levels = ordered["level_gbp"].to_numpy()
        assert levels[0] + ordered["change_gbp"].sum() == pytest.approx(levels[-1], abs=1e-9)
        assert list(ordered["from_replay"][1:]) == list(ordered["to_replay"][:-1])
    assert set(rows["days"]) == {4}
    schemas.validate("risk/waterfall", rows)


def test_a_waterfall_without_a_replay_says_which_is_missing() -> None:
    days = {"co_optimised": series([1.0, 2.0]), "day_ahead_perfect_foresight": series([3.0, 4.0])}
    rows, warnings = stored_measures.waterfalls(history_of(days), CAP)
    assert rows.empty
    (kind, strategy, words), *others = warnings
    assert (kind, strategy, others) == ("no_waterfall", "co_optimised", [])
    assert "perfect_foresight, perfect_foresight_48h" in words


def test_a_lead_counts_what_was_taken_from_the_store_by_hand() -> None:
    """Who ends with 10 of 50 MWh has 40 MWh less, at the bound's price of a MWh; cash is cash."""
    given = full_history()
    status, last = given.status.copy(), given.as_of
    status.loc[(status["efa_date"] == last) & (status["strategy"] == "co_optimised"), "closing_energy_mwh"] = 10.0
    history = History(last, given.daily, given.totals, status, given.bound.assign(energy_price_gbp_mwh=20.0))
    rows = stored_measures.ladder(history, POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP).set_index(
        ["basis", "strategy"]
    )
    ahead = 3000.0 - 1560.0
    assert rows.loc[("after_wear", "co_optimised"), "lead"] == pytest.approx((ahead - 40.0 * 20.0) / 4 * 365 / 50.0)
    assert rows.loc[("cash", "co_optimised"), "lead"] == pytest.approx(ahead / 4 * 365 / 50.0)


def test_the_ladder_holds_bounds_captures_and_leads() -> None:
    rows = stored_measures.ladder(full_history(), POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP)
    after = rows[rows["basis"] == "after_wear"].set_index("strategy")
    assert after.loc["co_optimised", "value"] == pytest.approx(750.0 * 365 / 50.0)
    assert after.loc["co_optimised", "capture"] == pytest.approx(3000.0 / 3980.0)
    assert after.loc["co_optimised", "bound"] == "perfect_foresight"
    assert after.loc["co_optimised", "lead"] == pytest.approx((750.0 - 390.0) * 365 / 50.0)
    assert np.isnan(after.loc["day_ahead_rolling", "lead"])
    assert after.loc["perfect_foresight", "kind"] == "bound"
    assert pd.isna(after.loc["perfect_foresight", "bound"])
    assert np.isnan(after.loc["perfect_foresight", "capture"])
    assert set(rows["imbalance_cap_mw"]) == {CAP}
    assert set(rows["unit"]) == {"GBP/MW/year"}
    schemas.validate("risk/ladder", rows)


def test_each_cap_has_a_ladder_of_its_own() -> None:
    history = full_history()
    tighter = bound_rows("perfect_foresight", series([900.0, 900.0, 900.0, 900.0]), cap_mw=0.0)
    both = pd.concat([history.bound, tighter], ignore_index=True)
    history = History(history.as_of, history.daily, history.totals, history.status, both)
    rows = stored_measures.ladder(history, POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP)
    assert sorted(rows["imbalance_cap_mw"].unique()) == [0.0, CAP]
    capture = rows[(rows["strategy"] == "co_optimised") & (rows["basis"] == "after_wear")].set_index("imbalance_cap_mw")
    assert capture.loc[0.0, "capture"] == pytest.approx(3000.0 / 3600.0)


def test_capture_by_month_with_the_pounds_on_both_sides() -> None:
    rows = stored_measures.capture_months(full_history(), traded_cap_mw=CAP)
    january = rows[(rows["strategy"] == "co_optimised") & (rows["month"] == date(2026, 1, 1))].iloc[0]
    assert (january["pnl_gbp"], january["bound_gbp"], january["days"]) == (1500.0, 1990.0, 2)
    assert january["capture"] == pytest.approx(1500.0 / 1990.0)
    schemas.validate("risk/capture", rows)


def test_captures_count_stored_energy_on_both_sides() -> None:
    """A day that ends 10 MWh fuller is worth GBP 800 more, on the first day of each; the bound keeps 5 MWh, GBP 400."""
    bound = bound_rows("perfect_foresight", series([1000.0, 1000.0]))
    bound.loc[0, "closing_energy_mwh"] = 55.0
    plain = history_of({"co_optimised": series([500.0, 500.0])}, bound=bound)
    status = plain.status.assign(closing_energy_mwh=[60.0, 50.0])
    history = replace(plain, status=status)
    (month,) = stored_measures.capture_months(history, traded_cap_mw=CAP).to_dict("records")
    assert (month["pnl_gbp"], month["stored_gbp"], month["bound_stored_gbp"]) == (1000.0, 800.0, 400.0)
    assert month["capture"] == pytest.approx(1800.0 / 2400.0)
    rows = stored_measures.ladder(history, POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP)
    own = rows[(rows["strategy"] == "co_optimised") & (rows["basis"] == "after_wear")].iloc[0]
    assert own["capture"] == pytest.approx(1800.0 / 2400.0)
    assert own["value"] == pytest.approx(500.0 * 365 / 50.0)  # what it earned holds no energy
    assert own["worth"] == pytest.approx(900.0 * 365 / 50.0)  # what it is worth does


def test_the_bound_stands_above_a_strategy_that_emptied_the_store() -> None:
    """The bound earned less and kept 45 MWh at GBP 80: in worth it is ahead, and capture is worth over worth."""
    bound = bound_rows("day_ahead_perfect_foresight", series([300.0] * 5), cap_mw=0.0)
    bound.loc[4, "closing_energy_mwh"] = 95.0
    rows = stored_measures.ladder(
        history_of({"rule_based": series([400.0] * 5)}, bound=bound), POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP
    )
    after = rows[rows["basis"] == "after_wear"].set_index("strategy")
    assert list(after.index) == ["rule_based", "day_ahead_perfect_foresight"]  # ordered by worth
    assert after.loc["day_ahead_perfect_foresight", "value"] < after.loc["rule_based", "value"]
    assert after.loc["day_ahead_perfect_foresight", "worth"] == pytest.approx((1500.0 + 45.0 * 80.0) / 5 * 365 / 50.0)
    assert after.loc["rule_based", "capture"] == pytest.approx(2000.0 / 5100.0)


def two_families() -> History:
    """Bounds of all markets at two caps and of the day-ahead market at cap 0 alone, over windows of other prices."""
    days = {
        "co_optimised": series([500.0] * 6),
        "perfect_foresight_48h": series([800.0] * 6),
        "rule_based": series([200.0] * 6),
        "day_ahead_perfect_foresight": series([290.0] * 6),  # the replay, which is not the bound
    }
    day_ahead = bound_rows("day_ahead_perfect_foresight", series([300.0] * 6), cap_mw=0.0)
    day_ahead["energy_price_gbp_mwh"] = 60.0
    day_ahead.loc[5, "closing_energy_mwh"] = 70.0
    loose = bound_rows("perfect_foresight", series([1000.0] * 6), cap_mw=CAP)
    loose.loc[5, "closing_energy_mwh"] = 90.0
    tight = bound_rows("perfect_foresight", series([700.0] * 6), cap_mw=0.0)
    history = history_of(days, wear_gbp=10.0, bound=pd.concat([day_ahead, loose, tight], ignore_index=True))
    last = (history.status["efa_date"] == history.as_of) & (history.status["strategy"] == "co_optimised")
    return replace(history, status=history.status.assign(closing_energy_mwh=np.where(last, 20.0, 50.0)))


def test_no_capture_moves_between_caps_without_imbalance() -> None:
    rows = stored_measures.ladder(two_families(), POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP)
    months = stored_measures.capture_months(two_families(), traded_cap_mw=CAP)
    for name, captures in (("rule_based", 1), ("co_optimised", 2)):
        ladder = rows[(rows["strategy"] == name) & (rows["basis"] == "after_wear")]
        for found in (ladder, *(part for _, part in months[months["strategy"] == name].groupby("month"))):
            assert sorted(found["imbalance_cap_mw"]) == [0.0, CAP]
            assert found["capture"].round(12).nunique() == captures
            assert found["traded_cap_mw"].isna().all() if captures == 1 else set(found["traded_cap_mw"]) == {CAP}
    bound = rows[(rows["strategy"] == "day_ahead_perfect_foresight") & (rows["basis"] == "after_wear")]
    assert bound["value"].tolist() == pytest.approx([300.0 * 7.3] * 2)
    assert bound["traded_cap_mw"].isna().all()
    february = months[(months["strategy"] == "rule_based") & (months["month"] == date(2026, 2, 1))]
    assert february["capture"].tolist() == pytest.approx([800.0 / (1200.0 + 20.0 * 60.0)] * 2)


def test_levels_of_the_waterfall_divided_are_captures() -> None:
    """Of the bound in cash, as the ladder has them; the bound keeps 40 MWh and the strategy takes 30, at GBP 80."""
    history = two_families()
    steps, _ = stored_measures.waterfalls(history, CAP)
    own = steps[steps["strategy"] == "co_optimised"].set_index("step")
    assert own["level_gbp"].to_dict() == pytest.approx(
        {"start": 6060.0 + 3200.0, "horizon": 4860.0, "forecast": 3060.0 - 2400.0, "wear": 3000.0 - 2400.0}
    )
    assert own["stored_gbp"].to_dict() == {"start": 3200.0, "horizon": 0.0, "forecast": -2400.0, "wear": -2400.0}
    rows = stored_measures.ladder(history, POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP)
    at_cap = rows[rows["imbalance_cap_mw"] == CAP].set_index(["basis", "strategy"])
    share = own["level_gbp"] / own.loc["start", "level_gbp"]
    assert share["forecast"] == pytest.approx(at_cap.loc[("cash", "co_optimised"), "capture"])
    assert share["horizon"] == pytest.approx(at_cap.loc[("cash", "perfect_foresight_48h"), "capture"])
    bound_wear = 60.0
    after = own.loc["wear", "level_gbp"] / (own.loc["start", "level_gbp"] - bound_wear)
    assert after == pytest.approx(at_cap.loc[("after_wear", "co_optimised"), "capture"])


def test_a_strategy_with_few_days_does_not_shorten_the_ladder() -> None:
    days = {"a": series([1.0] * 10), "b": series([2.0] * 10), "new": series([5.0] * 2)}
    rows = stored_measures.ladder(history_of(days), POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP)
    assert set(rows["strategy"]) == {"a", "b"}
    assert set(rows["days"]) == {10}
    longer = stored_measures.ladder(
        history_of(days | {"new": series([5.0] * 5)}), POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP
    )
    assert set(longer["strategy"]) == {"a", "b", "new"}
    assert set(zip(longer["days"], longer["left_out"], strict=True)) == {(5, 5)}


def test_a_drawdown_has_its_dates() -> None:
    """+100, -300, +50, +300 after wear: down from the first day, made good on the fourth."""
    found = stored_measures.drawdowns(history_of({"a": series([100.0, -300.0, 50.0, 300.0])}), POWER_MW)
    row = found[found["basis"] == "after_wear"].iloc[0]
    first = date(2026, 1, 30)
    assert (row["depth_gbp"], row["depth_gbp_per_mw"]) == (300.0, 6.0)
    assert (row["peak_date"], row["trough_date"]) == (first, first + timedelta(days=1))
    assert (row["recovery_date"], row["length_days"]) == (first + timedelta(days=3), 3)
    schemas.validate("risk/drawdown", found)


def test_a_single_day_has_values_and_no_intervals() -> None:
    rows = stored_measures.measures(history_of({"a": series([-80.0])}), POWER_MW, SETTINGS, seed=1)
    assert set(rows["window"]) == {"all"}
    assert rows[["ci_low", "ci_high"]].isna().all(axis=None)
    var = rows[(rows["measure"] == "var_gbp") & (rows["basis"] == "after_wear")]
    assert set(var["value"]) == {80.0}
    schemas.validate("risk/measure", rows)


def prices(tmp_path: Path, price_gbp_mwh: float) -> Lake:
    lake = Lake(tmp_path / "lake", tmp_path / "bad")
    first, last = date(2026, 1, 30), date(2026, 2, 2)
    rows = day_ahead(first, last, lambda _: price_gbp_mwh)
    assert len(rows) == len(efa_starts(first, last))
    for day, part in rows.groupby("settlement_date"):
        lake.write("market/day_ahead_price", day, part)  # type: ignore[arg-type]
    return lake


def above(history: History, lake: Lake) -> list[str]:
    found = history_warnings(history, BATTERY, CAP, lake)
    return [words for kind, strategy, words in found if (kind, strategy) == ("above_bound", "co_optimised")]


def test_a_strategy_above_its_bound_and_gap_is_warned_of(tmp_path: Path) -> None:
    """£3,000 against a bound of £2,000: 90 MWh at £5 may cross over, and a gap of £600 covers the rest."""
    low = series([500.0, 500.0, 500.0, 500.0])
    days = {"co_optimised": series([800.0, 700.0, 810.0, 690.0])}
    lake = prices(tmp_path, 5.0)
    (words, *months) = above(history_of(days, bound=bound_rows("perfect_foresight", low)), lake)
    assert words.startswith(
        "2026-01-30 to 2026-02-02: co_optimised earned £3,000.00, £549.99 more than perfect_foresight"
    )
    assert len(months) == 2
    assert above(history_of(days, bound=bound_rows("perfect_foresight", low, gap_gbp=600.0)), lake) == []
    dear = prices(tmp_path / "dear", 12.0)
    assert above(history_of(days, bound=bound_rows("perfect_foresight", low)), dear) == []  # 90 MWh at £12
    looser = bound_rows("perfect_foresight", low, cap_mw=0.0)  # a bound of a tighter cap than was traded under
    assert above(history_of(days, bound=looser), lake) == []


def rows_of(history: History) -> list[tuple[str, str, str]]:
    """Warnings of what is stored of a history."""
    ladder = stored_measures.ladder(history, POWER_MW, SETTINGS, seed=1, traded_cap_mw=CAP)
    months = stored_measures.capture_months(history, traded_cap_mw=CAP)
    measured = stored_measures.measures(history, POWER_MW, SETTINGS, seed=1)
    return capture_warnings(ladder, months) + rich_warnings(history, measured, BATTERY)


def test_too_rich_too_good_and_provisional_days_are_warned_of(tmp_path: Path) -> None:
    rich = 50.0 * 260_000.0 / 365
    days = {"co_optimised": series([rich, rich]), "perfect_foresight_48h": series([rich, rich])}
    bounds = bound_rows("perfect_foresight", series([rich, rich]))
    history = history_of(days, bound=bounds, status="provisional")
    found = history_warnings(history, BATTERY, CAP, prices(tmp_path, 5.0)) + rows_of(history)
    kinds = {(kind, strategy) for kind, strategy, _ in found}
    assert {("too_rich", "co_optimised"), ("captures_too_much", "co_optimised")} <= kinds
    assert ("captures_too_much", "perfect_foresight_48h") not in kinds  # it sees prices, and may
    assert ("provisional", "co_optimised") in kinds
    rows = warning_rows(date(2026, 1, 31), [*found, *found])
    assert len(rows) == len(found)
    schemas.validate("risk/warning", rows)
    assert warning_rows(date(2026, 1, 31), []).empty


@pytest.mark.parametrize(("days", "warned"), [(PART_DAYS, True), (PART_DAYS - 1, False)])
def test_one_bad_month_of_a_good_history_is_warned_of(days: int, warned: bool) -> None:
    """January earns too much, and 97 % of its bound; February makes the whole look plausible."""
    much = 50.0 * 300_000.0 / 365
    earned, most = [0.97 * much] * days + [1000.0] * 28, [much] * days + [5000.0] * 28
    first = date(2026, 2, 1) - timedelta(days=days)
    bound = bound_rows("perfect_foresight", series(most, first))
    history = history_of({"co_optimised": series(earned, first)}, bound=bound)
    whole = sum(earned) / sum(most)
    assert sum(earned) / len(earned) * 7.3 < 250_000.0
    assert whole < 0.95
    found = rows_of(history)
    january = [(kind, words.split(":")[0]) for kind, _, words in found]
    wanted = [("captures_too_much", "in 2026-01"), ("too_rich", "in 2026-01")]
    assert january == (wanted if warned else [])


def test_a_trailing_window_that_is_too_rich_is_warned_of() -> None:
    """Neither of its months is: one began lean, the other is too short."""
    much = 50.0 * 300_000.0 / 365
    lean = series([100.0] * 60, date(2025, 11, 21))
    rich = series([much] * 25, date(2026, 1, 20))
    quiet = RiskSettings(bootstrap_replicates=100, windows_days=(25,))
    history = history_of({"co_optimised": pd.concat([lean, rich])})
    measured = stored_measures.measures(history, POWER_MW, quiet, seed=1)
    found = rich_warnings(history, measured, BATTERY)
    assert [(kind, words.split(":")[0]) for kind, _, words in found] == [("too_rich", "window 25d")]


def test_a_capture_counts_stored_energy_before_it_is_too_much() -> None:
    """99 % in money alone; the bound kept 45 MWh at GBP 80. At a tighter cap than was traded under all is allowed."""
    bound = bound_rows("perfect_foresight", series([1000.0] * 5))
    bound.loc[4, "closing_energy_mwh"] = 95.0
    assert rows_of(history_of({"co_optimised": series([990.0] * 5)}, bound=bound)) == []
    tight = bound_rows("perfect_foresight", series([900.0] * 5), cap_mw=0.0)
    both = pd.concat([bound, tight], ignore_index=True)
    assert rows_of(history_of({"co_optimised": series([990.0] * 5)}, bound=both)) == []
    plain = bound_rows("perfect_foresight", series([1000.0] * 5))
    (kind, _, words) = rows_of(history_of({"co_optimised": series([990.0] * 5)}, bound=plain))[0]
    assert (kind, words.split(":")[0]) == ("captures_too_much", "over 5 days shared with others")
