"""Views of positions, trades and monthly cash, against rows counted by hand and against `risk.daily_pnl`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from storage_frames import auction_clearing, daily_pnl, day_ahead_price, system_price

from bess_pipeline import gb_time, schemas, warehouse
from bess_pipeline.risk.pnl import daily_pnl as summed
from bess_pipeline.risk.pnl import totals
from bess_pipeline.trading.status import status_row
from bess_pipeline.workspace import Workspace

DAY = date(2024, 10, 27)  # clocks go back: block 1 has 5 h
STARTS = gb_time.efa_half_hours(DAY)
DAY_AHEAD_GBP, SYSTEM_GBP = 60.0, -50.0


def dispatch_rows(
    table: str, strategy: str, half_hours: Mapping[int, dict[str, float]], all_day: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Rows of a dispatch table that are zero but for what is given by half-hour or for all of them."""
    columns = schemas.columns(table)
    rows = pd.DataFrame(0.0, index=range(len(STARTS)), columns=list(columns))
    nullable = [name for name, column in columns.items() if column.nullable]
    rows = rows.astype(dict.fromkeys(nullable, "float64")).assign(**dict.fromkeys(nullable, float("nan")))
    rows = rows.assign(efa_date=DAY, strategy=strategy, start_utc=STARTS, energy_mwh=50.0, **(all_day or {}))
    for place, values in half_hours.items():
        rows.loc[place, list(values)] = list(values.values())
    return schemas.validate(table, rows)


def cash_rows(strategy: str, stream: str, amounts: Mapping[int, float]) -> pd.DataFrame:
    rows = [(DAY, strategy, STARTS[n], stream, amount) for n, amount in amounts.items()]
    return pd.DataFrame(rows, columns=list(schemas.columns("trading/cashflow")))


MARKET = dispatch_rows(
    "trading/market_dispatch",
    "co_optimised",
    {
        0: {"day_ahead_mwh": 10.0, "contracted_mwh": 10.0, "metered_mwh": 8.0, "imbalance_mwh": -2.0,
            "planned_discharge_mw": 22.0, "discharge_mw": 16.0},
        1: {"day_ahead_mwh": -4.0, "intraday_mwh": 1.0, "intraday_price_gbp_mwh": 72.5, "contracted_mwh": -3.0,
            "metered_mwh": -3.5, "absvd_mwh": -0.5, "charge_mw": 6.0, "activation_import_mwh": 0.5,
            "planned_charge_mw": 8.0},
        20: {"accepted_mwh": 3.0, "accepted_price_gbp_mwh": 140.0, "metered_mwh": 3.0, "discharge_mw": 6.0},
    },
)  # fmt: skip
DR_HOURS = 5.0  # DRL in block 1, all ten half-hours of it
MARKET.loc[: DR_HOURS * 2 - 1, "drl_mw"] = 10.0
PQR_PRICE = 8.0
RESERVE_HOUR = (30, 31)  # two auction windows, one of them called for
MARKET.loc[list(RESERVE_HOUR), "pqr_mw"] = 6.0
MARKET.loc[30, ["reserve_mwh", "absvd_mwh", "metered_mwh", "activation_export_mwh"]] = 2.0
MARKET["delivered_low_share"] = MARKET["delivered_high_share"] = 1.0
RULE = dispatch_rows(
    "trading/dispatch",
    "rule_based",
    {3: {"contracted_mwh": 5.0, "metered_mwh": 4.0, "imbalance_mwh": -1.0, "discharge_mw": 8.0}},
)
DRL_GBP_MW_H = 41.0  # `auction_clearing`: 10 x place of the product + block
CASH = pd.concat(
    [
        cash_rows("co_optimised", "day_ahead", {0: 600.0, 1: -240.0}),
        cash_rows("co_optimised", "intraday", {1: 72.5}),
        cash_rows("co_optimised", "imbalance", {0: 100.0}),
        cash_rows("co_optimised", "balancing_mechanism", {20: 420.0}),
        cash_rows("co_optimised", "response", dict.fromkeys(range(10), 10.0 * DRL_GBP_MW_H / 2)),
        cash_rows("co_optimised", "reserve", {30: 6.0 * PQR_PRICE / 2 + 2.0 * 95.0, 31: 6.0 * PQR_PRICE / 2}),
        cash_rows("co_optimised", "penalty", {1: -205.0, 4: 0.0}),
        cash_rows("co_optimised", "wear", {0: -40.0}),
        cash_rows("rule_based", "day_ahead", {3: 300.0}),
        cash_rows("rule_based", "imbalance", {3: 50.0}),
    ],
    ignore_index=True,
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Workspace(tmp_path_factory.mktemp("views") / "demo")
    place.claim("simulated", "neso_n2ex")
    lake = place.lake
    for day in (date(2024, 10, 26), DAY):
        lake.write("market/system_price", day, system_price(day, SYSTEM_GBP))
        lake.write("market/day_ahead_price", day, day_ahead_price(day, DAY_AHEAD_GBP))
        lake.write("market/auction_clearing", day, pd.concat([auction_clearing(day), reserve_windows(day)]))
    lake.write("trading/market_dispatch", DAY, MARKET)
    lake.write("trading/dispatch", DAY, RULE)
    lake.write("trading/plan", DAY, plan_rows("rule_based", "day_ahead", 10.0))
    lake.write("trading/co_optimised_plan", DAY, plan_rows("co_optimised", "response", 99.0))
    lake.write("trading/cashflow", DAY, CASH)
    statuses = [status_row(DAY, name, "complete") for name in ("co_optimised", "rule_based")]
    lake.write("trading/run_status", DAY, pd.concat(statuses, ignore_index=True))
    lake.write("risk/daily_pnl", DAY, summed(CASH, 50.0))
    return warehouse.publish(place)


def reserve_windows(day: date) -> pd.DataFrame:
    """PQR windows of two half-hours of the trading day on their settlement date."""
    starts = [STARTS[n] for n in RESERVE_HOUR if gb_time.settlement_date_of(STARTS[n]) == day]
    rows = [
        ("PQR", start, start + pd.Timedelta(minutes=30), *gb_time.efa_block_of(start), PQR_PRICE, 50.0)
        for start in starts
    ]
    return pd.DataFrame(rows, columns=list(schemas.columns("market/auction_clearing")))


def plan_rows(strategy: str, gate: str, discharge_mw: float) -> pd.DataFrame:
    columns = list(schemas.columns("trading/plan"))
    rows = pd.DataFrame({"efa_date": DAY, "strategy": strategy, "gate": gate, "start_utc": STARTS})
    amounts = {"day_ahead_mw": 0.0, "charge_mw": 0.0, "discharge_mw": discharge_mw, "energy_mwh": 50.0}
    return rows.assign(**amounts).reindex(columns=columns)


def test_trades_are_those_made_with_their_prices(database: Path) -> None:
    rows = warehouse.query(database, "SELECT * FROM trading.blotter").set_index(["strategy", "market", "start_utc"])
    expected = {
        ("co_optimised", "day_ahead", 0): ("sell", 10.0, 60.0, 600.0),
        ("co_optimised", "day_ahead", 1): ("buy", -4.0, 60.0, -240.0),
        ("co_optimised", "intraday", 1): ("sell", 1.0, 72.5, 72.5),
        ("co_optimised", "imbalance", 0): ("buy", -2.0, -50.0, 100.0),
        ("co_optimised", "balancing_mechanism", 20): ("sell", 3.0, 140.0, 420.0),
        ("co_optimised", "response", 0): ("provide", 50.0, DRL_GBP_MW_H, 2050.0),
        ("co_optimised", "reserve", 31): ("provide", 3.0, PQR_PRICE, 24.0),
        ("co_optimised", "penalty", 1): ("pay", None, None, -205.0),
        ("rule_based", "day_ahead", 3): ("sell", 5.0, 60.0, 300.0),
        ("rule_based", "imbalance", 3): ("buy", -1.0, -50.0, 50.0),
    }
    assert len(rows) == len(expected) + 2
    for (strategy, market, place), values in expected.items():
        row = rows.loc[(strategy, market, STARTS[place])]
        found = tuple(None if pd.isna(row[name]) else row[name] for name in ("side", "volume", "price", "cash_gbp"))
        assert found == values, (strategy, market)
    called = rows.loc[("co_optimised", "reserve", STARTS[30])].set_index("product")
    assert called.loc["energy", ["side", "volume", "price", "cash_gbp"]].tolist() == ["sell", 2.0, 95.0, 190.0]
    assert called.loc["PQR", ["side", "volume", "price", "cash_gbp"]].tolist() == ["provide", 3.0, PQR_PRICE, 24.0]
    response = rows.loc[("co_optimised", "response", STARTS[0])]
    assert (response["product"], response["volume_unit"], response["end_utc"]) == ("DRL", "MW h", STARTS[10])


def test_the_cash_of_trades_is_the_cash_of_the_day(database: Path) -> None:
    both = warehouse.query(
        database,
        "SELECT strategy, sum(cash_gbp) AS traded, any_value(total_cash_gbp) AS cash FROM trading.blotter "
        "JOIN risk.daily_pnl_by_stream USING (efa_date, strategy) GROUP BY strategy ORDER BY strategy",
    )
    assert both["cash"].tolist() == [3035.5, 350.0]
    assert both["traded"].tolist() == pytest.approx(both["cash"].tolist())


def test_positions_of_all_strategies_balance(database: Path) -> None:
    rows = warehouse.query(database, "SELECT * FROM trading.position")
    assert len(rows) == 2 * 50
    left = rows["metered_mwh"] - rows["contracted_mwh"] - rows["absvd_mwh"] - rows["accepted_mwh"]
    assert (left - rows["imbalance_mwh"]).abs().max() == 0.0
    assert (rows["contracted_mwh"] - rows["day_ahead_mwh"] - rows["intraday_mwh"]).abs().max() == 0.0
    at = rows.set_index(["strategy", "start_utc"])
    first = at.loc[("co_optimised", STARTS[1])]
    assert first[["pn_mwh", "baseline_mwh", "activation_mwh", "response_mw"]].tolist() == [-4.0, -3.0, -0.5, 10.0]
    assert set(at.loc["rule_based"]["pn_mwh"]) == {5.0}, "of its own plan, not of another strategy"


def test_the_final_notification_is_the_baseline_after_re_dispatch_without_acceptances(database: Path) -> None:
    rows = warehouse.query(database, "SELECT * FROM trading.position").set_index(["strategy", "start_utc"])
    notified = {0: (11.0, 8.0), 1: (-4.0, -3.0), 20: (0.0, 0.0)}  # 20: all of its 3 MWh is an acceptance
    for place, found in notified.items():
        assert tuple(rows.loc[("co_optimised", STARTS[place]), ["pn_mwh", "final_pn_mwh"]]) == found
    assert rows.loc[("co_optimised", STARTS[20]), "baseline_mwh"] == 3.0
    assert rows.loc[("rule_based", STARTS[3]), "final_pn_mwh"] == 4.0


def test_blocks_of_positions_are_efa_blocks(database: Path) -> None:
    at = warehouse.query(database, "SELECT * FROM trading.position").set_index(["strategy", "start_utc"])
    assert at.loc[("rule_based", STARTS[10])]["efa_block"] == 2


def test_energy_of_a_day_counts_what_services_moved(database: Path) -> None:
    rows = warehouse.query(database, "SELECT * FROM trading.daily_operation").set_index("strategy")
    moved = ["charged_mwh", "discharged_mwh"]
    assert rows.loc["co_optimised", moved].tolist() == [3.0 + 0.5, 8.0 + 3.0 + 2.0]
    assert rows.loc["rule_based", moved].tolist() == [0.0, 4.0]


def test_seams_are_what_chain_starts_give_and_take_between_days_that_closed(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "demo")
    place.claim("simulated", "neso_n2ex")
    first, second, third = date(2024, 1, 31), date(2024, 2, 1), date(2024, 3, 1)
    states = {
        (first, "rule_based"): (50.0, 5.0, first),
        (second, "rule_based"): (50.0, 30.0, second),
        (date(2024, 2, 2), "rule_based"): (30.0, 80.0, second),
        (date(2024, 2, 3), "rule_based"): (None, None, None),  # refused without a state
        (third, "rule_based"): (50.0, 50.0, third),
        (second, "co_optimised"): (50.0, 10.0, second),  # its first chain
        (date(2024, 2, 2), "co_optimised"): (10.0, 10.0, second),
    }
    for day in sorted({day for day, _ in states}):
        rows = [
            status_row(
                day,
                name,
                "refused" if opening is None else "complete",
                "none" if opening is None else "",
                opening_energy_mwh=opening,
                closing_energy_mwh=closing,
                chain_start=start,
            )
            for (one, name), (opening, closing, start) in states.items()
            if one == day
        ]
        place.lake.write("trading/run_status", day, schemas.validate("trading/run_status", pd.concat(rows)))
    for day, price in ((first, 60.0), (second, 80.0)):  # settlement dates, of which a trading day has 2 and 46
        place.lake.write("market/day_ahead_price", day, day_ahead_price(day, price))
    seams = warehouse.query(warehouse.publish(place), "SELECT * FROM trading.seam")
    found = seams[["efa_date", "closed_on", "closing_energy_mwh", "opening_energy_mwh", "difference_mwh"]]
    assert found.to_numpy().tolist() == [
        [second, first, 5.0, 50.0, 45.0],
        [third, date(2024, 2, 2), 80.0, 50.0, -30.0],
    ]
    assert set(seams["strategy"]) == {"rule_based"}
    assert seams["worth_gbp"].iloc[0] == pytest.approx(45.0 * (2 * 60.0 + 46 * 80.0) / 48)
    assert pd.isna(seams["worth_gbp"].iloc[1])  # there is no price of that day


def test_monthly_cash_is_that_of_its_days_and_wear_is_none(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "demo")
    place.claim("simulated", "neso_n2ex")
    days = {
        date(2024, 2, 28): {"day_ahead": 100.0, "wear": -10.0},
        date(2024, 2, 29): {"day_ahead": -40.0, "response": 30.0, "wear": -5.0},
        date(2024, 3, 1): {"fee": -2.0},
    }
    for day, streams in days.items():
        other = daily_pnl(day, {"day_ahead": 1.0}, "other")
        place.lake.write("risk/daily_pnl", day, pd.concat([daily_pnl(day, streams), other], ignore_index=True))
    database = warehouse.publish(place)
    own = "WHERE strategy = 'rule_based' ORDER BY ALL"
    monthly = warehouse.query(database, f"SELECT * FROM risk.monthly_pnl {own}")
    assert monthly[["month", "stream", "days", "days_in_month", "cash_gbp"]].to_numpy().tolist() == [
        [date(2024, 2, 1), "day_ahead", 2, 29, 60.0],
        [date(2024, 2, 1), "response", 2, 29, 30.0],
        [date(2024, 3, 1), "fee", 1, 31, -2.0],
    ]
    assert monthly["cash_gbp_per_mw_year"].tolist() == pytest.approx([60 / 50 * 365 / 2, 30 / 50 * 365 / 2, -14.6])
    total = warehouse.query(database, f"SELECT * FROM risk.monthly_total {own}")
    assert total[["days", "cash_gbp", "wear_gbp", "after_wear_gbp"]].to_numpy().tolist() == [
        [2, 90.0, -15.0, 75.0],
        [1, -2.0, 0.0, -2.0],
    ]
    assert total["after_wear_gbp_per_mw_year"].tolist() == pytest.approx([75 / 50 * 365 / 2, -14.6])
    sums = totals(place.lake.read_all("risk/daily_pnl"))
    all_of_it = warehouse.query(
        database, "SELECT strategy, sum(cash_gbp) AS cash FROM risk.monthly_pnl GROUP BY strategy"
    ).set_index("strategy")["cash"]
    assert all_of_it.to_dict() == pytest.approx(sums["cash_gbp"].to_dict())


def test_a_refused_or_stale_day_is_no_day_without_earnings(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "demo")
    place.claim("simulated", "neso_n2ex")
    days = {1: ("complete", 100.0), 2: ("refused", 0.0), 3: ("stale", 7.0), 4: ("provisional", 20.0)}
    for number, (status, cash) in days.items():
        day, reason = date(2024, 2, number), "" if status == "complete" else "why"
        place.lake.write("risk/daily_pnl", day, daily_pnl(day, {"day_ahead": cash}))
        place.lake.write("trading/run_status", day, status_row(day, "rule_based", status, reason))
    database = warehouse.publish(place)
    for view in ("monthly_pnl", "monthly_total"):
        (row,) = warehouse.query(database, f"SELECT * FROM risk.{view}").to_dict("records")
        assert (row["days"], row["cash_gbp"]) == (2, 120.0)
        assert row["cash_gbp_per_mw_year"] == pytest.approx(120 / 50 * 365 / 2)
