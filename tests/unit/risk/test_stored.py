"""Tables of risk written from a small lake, against numbers taken from its cash and dispatch in another way."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from risk_lake import risk_lake, set_status

from bess_pipeline import gb_time
from bess_pipeline.errors import UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.risk import stored_tail
from bess_pipeline.risk.day_parts import read_parts
from bess_pipeline.risk.history import read_history
from bess_pipeline.risk.stored import AS_OF_TABLES, Measured, StoredRisk
from bess_pipeline.risk.stored_warnings import limit_warnings
from bess_pipeline.settings import Settings

FIRST, LAST = date(2026, 3, 27), date(2026, 3, 31)  # the night of 29 March has 23 hours
STRATEGIES = ("day_ahead_rolling", "co_optimised", "day_ahead_perfect_foresight")
SETTINGS = Settings(
    risk={  # type: ignore[arg-type]
        "bootstrap_replicates": 100,
        "windows_days": [4],
        "worst_days": 3,
        "explain_days": 3,
        "limits": {"imbalance_mwh": 0.5},
    }
)
Stored = tuple[StoredRisk, Lake, Measured]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    lake = risk_lake(tmp_path_factory.mktemp("risk"), gb_time.days_between(FIRST, LAST), STRATEGIES)
    risk = StoredRisk(SETTINGS, lake)
    return risk, lake, risk.measure(LAST)


def cash(lake: Lake, strategy: str) -> pd.DataFrame:
    rows = lake.read("trading/cashflow", FIRST, LAST)
    return rows[rows["strategy"] == strategy]


def after_wear(lake: Lake, strategy: str) -> pd.Series:
    return cash(lake, strategy).groupby("efa_date")["amount_gbp"].sum()


def of(lake: Lake, table: str, strategy: str) -> pd.DataFrame:
    rows = lake.read(table, LAST, LAST)
    return rows[rows["strategy"] == strategy].reset_index(drop=True)


def test_every_table_has_the_partition_of_its_day(stored: Stored) -> None:
    risk, lake, measured = stored
    assert risk.as_of(FIRST, LAST + timedelta(days=3)) == LAST
    assert measured.days == 5
    assert set(measured.strategies) == set(STRATEGIES)
    for table in AS_OF_TABLES:
        assert lake.days(table) == [LAST]
        assert lake.count(table) == measured.rows[table]
    assert lake.days("risk/limit_status") == gb_time.days_between(FIRST, LAST)


def test_measures_are_those_of_the_cash(stored: Stored) -> None:
    _, lake, _ = stored
    rows = of(lake, "risk/measure", "co_optimised")
    pnl, found = after_wear(lake, "co_optimised"), rows[rows["basis"] == "after_wear"]
    value = found.set_index(["window", "measure"])["value"]
    assert value["all", "mean_gbp_per_day"] == pytest.approx(pnl.mean(), rel=1e-12)
    assert value["4d", "mean_gbp_per_day"] == pytest.approx(pnl.iloc[-4:].mean(), rel=1e-12)
    assert value["all", "annualised_gbp_per_mw_year"] == pytest.approx(pnl.mean() * 365 / 50.0)
    assert value["all", "var_gbp"].to_numpy() == pytest.approx([-pnl.min()] * 3)  # the worst 5 % of five days is one
    assert value["all", "sharpe"] == pytest.approx(pnl.mean() / pnl.std() * 365**0.5)
    own = cash(lake, "co_optimised")
    without_wear = own[own["stream"] != "wear"].groupby("efa_date")["amount_gbp"].sum()
    of_cash = rows[rows["basis"] == "cash"].set_index(["window", "measure"])["value"]
    assert of_cash["all", "mean_gbp_per_day"] == pytest.approx(without_wear.mean(), rel=1e-12)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_kind_of_component_sums_to_the_same_risk(stored: Stored, strategy: str) -> None:
    _, lake, _ = stored
    rows, pnl = of(lake, "risk/attribution", strategy), after_wear(lake, strategy)
    assert set(rows["component_kind"]) == {"stream", "block", "driver"}
    for _, part in rows.groupby(["component_kind", "confidence"]):
        assert part["expected_gbp"].sum() == pytest.approx(pnl.mean(), rel=1e-9)
        assert part["cvar_contribution_gbp"].sum() == pytest.approx(-pnl.min(), rel=1e-9)


def test_blocks_and_drivers_of_the_worst_day_are_its_own(stored: Stored) -> None:
    """At 95 % of five days the tail is the worst day alone: contributions are its parts with the sign turned."""
    _, lake, _ = stored
    own, worst = cash(lake, "co_optimised"), after_wear(lake, "co_optimised").idxmin()
    day, rows = own[own["efa_date"] == worst], of(lake, "risk/attribution", "co_optimised")
    part = rows[rows["confidence"] == 0.95].set_index("component")["cvar_contribution_gbp"]
    for block in range(1, 7):
        start, end = gb_time.efa_block_bounds_utc(worst, block)
        inside = (day["start_utc"] >= start) & (day["start_utc"] < end)
        assert part[f"EFA block {block}"] == pytest.approx(-day.loc[inside, "amount_gbp"].sum(), rel=1e-9)
    dispatch = lake.read("trading/market_dispatch", worst, worst)
    prices = lake.read("market/system_price", worst - timedelta(days=1), worst).set_index("start_utc")
    price = prices["system_price_gbp_mwh"].reindex(dispatch["start_utc"]).to_numpy()
    planned = (dispatch["planned_discharge_mw"] - dispatch["planned_charge_mw"]) / 2.0
    paid = day.pivot(index="start_utc", columns="stream", values="amount_gbp").loc[dispatch["start_utc"]]
    day_ahead_price = paid["day_ahead"].to_numpy() / dispatch["day_ahead_mwh"]  # as it was settled
    spread = ((planned - dispatch["day_ahead_mwh"]) * (price - day_ahead_price)).sum()
    assert part["spread_position"] == pytest.approx(-spread, rel=1e-9)


def test_the_worst_days_say_what_happened(stored: Stored) -> None:
    _, lake, _ = stored
    rows, pnl = of(lake, "risk/tail_day", "co_optimised"), after_wear(lake, "co_optimised").sort_values()
    assert list(rows["efa_date"]) == list(pnl.index[:3])
    assert rows["pnl_gbp"].to_numpy() == pytest.approx(pnl.iloc[:3].to_numpy())
    assert list(rows["tail_weight"]) == [1.0, 0.0, 0.0]
    first = rows.iloc[0]
    assert first["weekday"] == f"{first['efa_date']:%A}"
    dispatch = lake.read("trading/market_dispatch", first["efa_date"], first["efa_date"])
    assert first["imbalance_mwh"] == pytest.approx(dispatch["imbalance_mwh"].abs().sum())
    assert first["lowest_system_price_gbp_mwh"] < 0.0  # prices of the lake are negative at night
    assert first["words"].startswith(f"{first['weekday']} {first['efa_date']}: ")
    assert f"imbalance {first['imbalance_mwh']:,.1f} MWh" in first["words"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_change_from_day_to_day_is_explained_to_the_penny(stored: Stored, strategy: str) -> None:
    """All system prices were first reported £1 lower, so the day before was first worth £1 less per MWh long."""
    _, lake, _ = stored
    rows, pnl = of(lake, "risk/explain", strategy), after_wear(lake, strategy)
    table = "trading/market_dispatch" if strategy == "co_optimised" else "trading/dispatch"
    dispatch = lake.read(table, FIRST, LAST)
    dispatch = dispatch[dispatch["strategy"] == strategy]
    long_mwh = dispatch.groupby("efa_date")["imbalance_mwh"].sum()
    assert sorted(rows["efa_date"].unique()) == gb_time.days_between(LAST - timedelta(days=2), LAST)
    for day, part in rows.groupby("efa_date"):
        before = day - timedelta(days=1)  # type: ignore[operator]
        assert part["revision_gbp"].sum() == pytest.approx(long_mwh[before], abs=1e-9)
        assert part["change_gbp"].sum() == pytest.approx(pnl[day] - (pnl[before] - long_mwh[before]), abs=1e-6)
        effects = part[["price_gbp", "volume_gbp", "revision_gbp"]].sum(axis=1)
        assert effects.to_numpy() == pytest.approx(part["change_gbp"].to_numpy(), abs=1e-9)


def test_a_clearing_price_that_moves_is_a_price_effect(tmp_path: Path) -> None:
    """From 30 to 31 March DCL goes from £5.00 to £5.50 and DML from £3.00 to £2.75; twice the 10 MW of DCL are held.

    Two whole days of 24 hours: price 15 MW x 0.50 - 5 MW x 0.25, volume 10 MW at £5.25 in the mean.
    """
    days = [LAST - timedelta(days=1), LAST]
    lake = risk_lake(tmp_path, days, ("co_optimised",))
    dispatch, paid = (lake.read(table, LAST, LAST) for table in ("trading/market_dispatch", "trading/cashflow"))
    response, penalty = paid["stream"] == "response", -7.0
    paid.loc[response, "amount_gbp"] = (20.0 * 5.5 + 5.0 * 2.75) * 0.5
    lost = paid[response].assign(stream="penalty", amount_gbp=penalty)
    reserve = paid[response].assign(stream="reserve", amount_gbp=10.0 * 2.0 * 0.5 + 30.0)  # capacity, and energy
    lake.write("trading/market_dispatch", LAST, dispatch.assign(dcl_mw=20.0, pqr_mw=10.0))
    lake.write("trading/cashflow", LAST, pd.concat([paid, lost, reserve]))
    auctions = lake.read("market/auction_clearing", LAST - timedelta(days=1), LAST)
    for day, part in auctions[auctions["product"] == "DML"].groupby(auctions["delivery_start_utc"].dt.date):
        held = lake.read("market/auction_clearing", day, day)  # type: ignore[arg-type]
        cleared = part.assign(product="PQR", clearing_price_gbp_mw_h=2.0)
        lake.write("market/auction_clearing", day, pd.concat([held, cleared]))  # type: ignore[arg-type]

    history = read_history(lake, LAST)
    found = stored_tail.explains(history, lake, StoredRisk(SETTINGS, lake).battery, SETTINGS.risk)
    effects = found.set_index("stream")[["price_gbp", "volume_gbp"]]
    assert effects.loc["response"].tolist() == pytest.approx([24 * (15.0 * 0.5 - 5.0 * 0.25), 24 * 10.0 * 5.25])
    assert effects.loc["penalty"].tolist() == pytest.approx([0.0, 48 * penalty])
    assert effects.loc["reserve"].tolist() == pytest.approx([0.0, 48 * (10.0 + 30.0)])
    own = cash(lake, "co_optimised").groupby("efa_date")["amount_gbp"].sum()
    revised = lake.read("trading/market_dispatch", days[0], days[0])["imbalance_mwh"].sum()
    assert found["change_gbp"].sum() == pytest.approx(own[LAST] - own[days[0]] + revised, abs=1e-6)


def test_positions_and_limits_of_each_day(stored: Stored) -> None:
    _, lake, _ = stored
    rows = lake.read("risk/limit_status", FIRST, LAST).set_index(["limit_name", "strategy", "efa_date"])
    day = date(2026, 3, 29)
    dispatch = lake.read("trading/market_dispatch", day, day)
    planned = (dispatch["planned_discharge_mw"] - dispatch["planned_charge_mw"]) / 2.0
    open_mwh = (dispatch["day_ahead_mwh"] - planned).abs().sum()
    assert rows.loc[("open_day_ahead_mwh", "co_optimised", day), "measured"] == pytest.approx(open_mwh)
    assert rows.loc[("min_response_share", "co_optimised", day), "measured"] == pytest.approx(15.0 / 50.0)
    assert np.isnan(rows.loc[("min_response_share", "day_ahead_rolling", day), "measured"])
    breached = rows.loc[("imbalance_mwh", "co_optimised", day)]
    assert (breached["status"], breached["allowed"]) == ("breached", 0.5)
    assert breached["excess"] == pytest.approx(dispatch["imbalance_mwh"].abs().sum() - 0.5)
    assert rows.loc[("var_gbp", "co_optimised", day), "status"] == "no limit"


def test_a_breach_of_a_replay_that_nobody_trades_is_no_warning() -> None:
    row = {"efa_date": FIRST, "limit_name": "min_response_share", "source": None, "unit": "", "status": "breached"}
    row |= {"measured": 0.1, "allowed": 0.2, "excess": 0.1, "words": ""}
    names = ("rule_based", "day_ahead_perfect_foresight", "perfect_foresight_48h")
    found = limit_warnings(pd.DataFrame([row | {"strategy": name} for name in names]))
    words = f"share of response was below its least of 0.2 on 1 of 1 day, at worst 0.1 on {FIRST}"
    assert found == [("limit_breached", "rule_based", words)]


def test_a_broken_limit_is_a_warning_with_its_days(stored: Stored) -> None:
    _, lake, measured = stored
    words = of(lake, "risk/warning", "co_optimised").set_index("kind").loc["limit_breached", "words"]
    imbalance = lake.read("trading/market_dispatch", FIRST, LAST).groupby("efa_date")["imbalance_mwh"]
    moved = imbalance.apply(lambda half_hours: half_hours.abs().sum())
    assert (moved > 0.5).all()
    assert words == (
        f"imbalance was above its limit of 0.5 MWh on 5 of 5 days, at worst {moved.max():,.4g} MWh on "
        f"{moved.idxmax()}; the last was {LAST}"
    )
    assert f"co_optimised: {words}" in measured.warnings


def test_shocks_of_the_last_and_the_worst_days(stored: Stored) -> None:
    _, lake, _ = stored
    rows = of(lake, "risk/stress", "co_optimised")
    worst = set(of(lake, "risk/tail_day", "co_optimised")["efa_date"])
    assert set(rows["efa_date"]) == worst | {LAST}
    assert (rows.groupby("efa_date")["shock"].nunique() == 6).all()
    own = cash(lake, "co_optimised")
    paid = own[own["stream"] == "response"].groupby("efa_date")["amount_gbp"].sum()
    collapse = rows[rows["shock"] == "response_price_collapse"].set_index("efa_date")["pnl_change_gbp"]
    for day in collapse.index:
        assert collapse[day] == pytest.approx(-0.8 * paid[day])
    usual = rows[rows["shock"] == "as_it_was"]
    assert (usual["pnl_change_gbp"] == 0.0).all()
    assert (usual["margin_before_mwh"] == usual["margin_after_mwh"]).all()
    dispatch = lake.read("trading/market_dispatch", LAST, LAST)
    least = np.minimum(dispatch["energy_mwh"] - 5.0, 95.0 - dispatch["energy_mwh"]).min()
    assert usual.set_index("efa_date").loc[LAST, "margin_before_mwh"] == pytest.approx(least)


def test_days_that_do_not_count_are_left_out_and_said(tmp_path: Path) -> None:
    days = gb_time.days_between(FIRST, FIRST + timedelta(days=2))
    lake = risk_lake(tmp_path, days, ("day_ahead_rolling", "co_optimised"))
    set_status(lake, days[0], "co_optimised", "refused")
    set_status(lake, days[1], "co_optimised", "provisional")
    history = read_history(lake, days[2])
    assert list(history.days_of("co_optimised")["efa_date"]) == days[1:]
    assert list(history.days_of("day_ahead_rolling")["efa_date"]) == days
    parts = read_parts(lake, history, StoredRisk(SETTINGS, lake).battery)
    assert sorted(parts.blocks.loc[parts.blocks["strategy"] == "co_optimised", "efa_date"].unique()) == days[1:]
    for strategy in ("co_optimised", "day_ahead_rolling"):
        set_status(lake, days[2], strategy, "stale")
    risk = StoredRisk(SETTINGS, lake)
    assert risk.as_of(FIRST, LAST) == days[1]
    for day in days[:2]:
        for strategy in ("co_optimised", "day_ahead_rolling"):
            set_status(lake, day, strategy, "refused")
    assert risk.as_of(FIRST, LAST) is None
    assert not risk.behind()
    with pytest.raises(UserInputError, match="no trading day up to 2026-03-31 has settled"):
        risk.measure(LAST)


def test_a_measurement_stands_until_cash_or_settings_change(tmp_path: Path) -> None:
    """One settled day: everything that needs more is empty or has no interval, and older days stay as they were."""
    day = date(2026, 10, 25)  # 25 hours
    lake = risk_lake(tmp_path, [day], ("day_ahead_rolling",))
    risk = StoredRisk(SETTINGS, lake)
    assert risk.behind()
    measured = risk.measure(day)
    assert measured.rows["risk/explain"] == measured.rows["risk/forecast_pnl"] == 0
    assert risk.stands(day)
    assert not risk.behind()
    other = StoredRisk(Settings(risk={"limits": {"imbalance_mwh": 1.0}}), lake)  # type: ignore[arg-type]
    assert other.behind()
    before = {table: lake.path(table, day).read_bytes() for table in AS_OF_TABLES}
    assert risk.measure(day) == measured
    assert {table: lake.path(table, day).read_bytes() for table in AS_OF_TABLES} == before
    pnl = lake.read("risk/daily_pnl", day, day)
    lake.write("risk/daily_pnl", day, pnl.assign(pnl_gbp=pnl["pnl_gbp"] + 1.0))
    assert risk.behind()
