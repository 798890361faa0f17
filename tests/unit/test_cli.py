"""The `bess` command: help, formats, exit statuses, and `bess optimise` on hand-made cases."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import small_workspace
from bess_command import done, run_bess

from bess_pipeline import __version__
from bess_pipeline.cli import bess
from bess_pipeline.schemas import columns
from bess_pipeline.warehouse import query, sql_files

COMMANDS = (
    "demo",
    "ui",
    "refresh",
    "backfill",
    "ingest",
    "plan",
    "optimise",
    "report",
    "price-check",
    "query",
    "rebuild",
    "serve-market",
    "doctor",
    "env",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_lists_every_command_and_what_it_does_today() -> None:
    text = done("--help").out
    assert set(bess.commands) == set(COMMANDS)
    for command in COMMANDS:
        assert re.search(rf"^  {command}  +\w", text, re.MULTILINE), command
    assert "--workspace" in text
    assert re.search(r"Today: .+ settled by stream.+ not part of it", " ".join(text.split()))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str) -> None:
    for option in ("--help", "-h"):
        text = done(command, option).out
        assert text.startswith(f"Usage: bess {command} [OPTIONS]")
        assert len(text.split("\n\n")[1].strip()) > 40


def test_version() -> None:
    assert done("--version").out == f"bess, version {__version__}\n"


def test_a_plan_of_the_short_day_has_46_half_hours_in_every_format(small: Path) -> None:
    plan = ("--workspace", small, "plan", "--date", "2026-03-29", "--strategy", "day_ahead_rolling")
    records = done(*plan, "--format", "json").json
    rows = list(csv.DictReader(io.StringIO(done(*plan, "--format", "csv").out)))
    lines = done(*plan).out.splitlines()
    assert len(records) == len(rows) == len(lines) - 1 == 46
    assert list(records[0]) == list(rows[0]) == lines[0].split()
    assert set(columns("trading/foresight_plan")) | {"london"} == set(rows[0])
    assert records[0]["start_utc"].startswith("2026-03-28T23:00:00")
    assert records[45]["start_utc"].startswith("2026-03-29T21:30:00")
    assert [row["london"] for row in rows[3:6]] == ["Sun 00:30", "Sun 02:00", "Sun 02:30"]
    for name in ("charge_mw", "discharge_mw", "energy_mwh"):
        assert [float(row[name]) for row in rows] == pytest.approx([record[name] for record in records])


def test_the_plan_shown_by_default_is_the_next_trading_days_of_all_markets(small: Path) -> None:
    records = done("--workspace", small, "plan", "--format", "json").json
    assert {record["efa_date"][:10] for record in records} == {"2026-04-02"}
    assert {record["strategy"] for record in records} == {"co_optimised_cvar"}
    assert len(records) == 48


def test_a_plan_is_that_of_the_strategy_asked_for(small: Path) -> None:
    plan = ("--workspace", small, "plan", "--date", "2026-03-29", "--format", "json")
    for strategy in ("day_ahead_rolling", "rule_based"):
        records = done(*plan, "--strategy", strategy).json
        assert {record["strategy"] for record in records} == {strategy}
        assert len(records) == 46
    result = run_bess(*plan, "--strategy", "day_ahead_perfect_foresight")
    assert (result.status, result.out) == (1, "")
    energy = "rule_based, day_ahead_rolling, day_ahead_imbalance"
    assert f"choose {energy}, co_optimised or co_optimised_cvar" in result.err


def test_a_plan_that_is_not_stored_is_a_failure(small: Path) -> None:
    result = run_bess("--workspace", small, "plan", "--date", "2026-05-01")
    assert (result.status, result.out) == (1, "")
    assert "has no day_ahead_rolling plan for 2026-05-01: run `bess refresh`" in result.err


def test_a_report_is_of_the_days_asked_for(small_copy: Path) -> None:
    report = ("--workspace", small_copy, "report", "--from", "2026-03-28", "--to", "2026-03-30")
    answer = done(*report, "--json").json
    page = Path(answer["report"]).read_text(encoding="utf-8")
    assert "2026-03-28" in page
    assert "2026-03-31" not in page
    found = {row["strategy"]: row for row in answer["pnl"]}
    cash = query(
        small_copy / "bess.duckdb",
        "SELECT strategy, sum(amount_gbp) FILTER (stream = 'day_ahead') AS day_ahead, "
        "sum(amount_gbp) AS after_wear FROM trading.cashflow "
        "WHERE efa_date BETWEEN DATE '2026-03-28' AND DATE '2026-03-30' GROUP BY ALL",
    ).set_index("strategy")
    assert set(found) == set(cash.index) == {*small_workspace.STRATEGIES, *small_workspace.MARKET_STRATEGIES}
    for strategy, row in found.items():
        assert row["day_ahead"] == pytest.approx(cash.loc[strategy, "day_ahead"])
        assert row["after_wear_gbp"] == pytest.approx(cash.loc[strategy, "after_wear"])
        assert row["days"] == 3
    text = done(*report).out
    assert text.startswith("P&L by strategy and stream")
    assert text.endswith(f"report: {answer['report']}\n")
    for row in found.values():
        assert f"{row['after_wear_gbp']:,.0f}" in text


def test_a_report_of_days_that_are_not_stored_is_a_failure(small: Path) -> None:
    result = run_bess("--workspace", small, "report", "--from", "2025-12-01", "--to", "2025-12-31")
    assert (result.status, result.out) == (1, "")
    assert "has no trading day in that window" in result.err


def test_a_query_prints_a_table_json_or_csv(small: Path) -> None:
    where = "efa_date = DATE '2026-03-29' AND strategy IN ('rule_based', 'day_ahead_rolling')"
    sql = f"SELECT efa_date, count(*) AS n FROM trading.plan WHERE {where} GROUP BY ALL"
    ask = ("--workspace", small, "query", sql)
    assert done(*ask).out.split() == ["efa_date", "n", "2026-03-29", "92"]
    assert done(*ask, "--format", "csv").out == "efa_date,n\n2026-03-29,92\n"
    for option in (("--json",), ("--format", "json")):
        (record,) = done(*ask, *option).json
        assert (record["efa_date"][:10], record["n"]) == ("2026-03-29", 92)
    assert done("--workspace", small, "query", "SELECT 1 AS n WHERE false").out == "no rows\n"


@pytest.mark.parametrize("script", sql_files("queries"), ids=lambda path: path.stem)
def test_every_example_query_runs(small: Path, script: Path) -> None:
    assert done("--workspace", small, "query", "--file", script, "--json").json


@pytest.mark.parametrize(
    ("sql", "saying"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM market.nothing", "does not exist"),
        ("DELETE FROM trading.plan", "read-only"),
        ("CREATE TABLE mine AS SELECT 1", "read-only"),
        ("SELECT * FROM read_csv('/etc/hostname')", "disabled"),
        ("", "no statement"),
    ],
)
def test_a_query_that_cannot_be_run_is_one_sentence(small: Path, sql: str, saying: str) -> None:
    result = run_bess("--workspace", small, "query", sql)
    assert (result.status, result.out) == (1, "")
    (sentence,) = result.err.splitlines()
    assert saying in sentence


def test_a_backfill_of_finished_days_does_nothing_and_says_so(small: Path) -> None:
    result = small_workspace.backfill(small)
    assert "nothing to do: all 5 days are complete with these settings" in result.err
    assert result.out == ""


def test_days_that_have_not_ended_are_listed_and_the_status_says_so(small: Path) -> None:
    result = run_bess("--workspace", small, "backfill", "--from", "2026-03-31", "--to", "2026-04-02")
    assert result.status == 1
    lines = result.out.splitlines()
    assert [line[:10] for line in lines] == ["2026-04-01", "2026-04-02"]
    assert all("the trading day has not ended" in line for line in lines)


# --- bess optimise ----------------------------------------------------------------------------


VECTOR_B = "start_utc,price_gbp_mwh\n2026-01-05T10:00:00Z,20\n2026-01-05T10:30:00Z,120\n"
BATTERY_B = "energy_mwh = 2\npower_mw = 1\ncharge_efficiency = 0.95\ndischarge_efficiency = 0.95\n"
OUTPUT_COLUMNS = ["start_utc", "price_gbp_mwh", "charge_mw", "discharge_mw", "energy_mwh", "cash_gbp"]


def optimise(folder: Path, prices: str, battery: str) -> tuple[dict[str, object], pd.DataFrame]:
    """Summary and schedule of a price CSV and a battery TOML."""
    (folder / "prices.csv").write_text(prices)
    (folder / "battery.toml").write_text(battery)
    options = ("--prices", "prices.csv", "--battery", "battery.toml", "--output", "schedule.csv", "--json")
    summary = done("optimise", *options).json
    assert summary["schedule"] == "schedule.csv"
    return summary, pd.read_csv(folder / "schedule.csv")


def test_vector_b_of_the_domain_reference(folder: Path) -> None:
    """Domain reference 7.1, vector B: charge 1 MW at 20, discharge 0.9025 MW at 120: £44.15."""
    summary, schedule = optimise(folder, VECTOR_B, BATTERY_B)
    assert list(schedule.columns) == OUTPUT_COLUMNS
    assert schedule["start_utc"].tolist() == ["2026-01-05T10:00:00Z", "2026-01-05T10:30:00Z"]
    assert schedule["charge_mw"].tolist() == pytest.approx([1.0, 0.0], abs=1e-6)
    assert schedule["discharge_mw"].tolist() == pytest.approx([0.0, 0.9025], abs=1e-6)
    assert schedule["energy_mwh"].tolist() == pytest.approx([0.475, 0.0], abs=1e-6)
    assert schedule["cash_gbp"].tolist() == pytest.approx([-10.0, 54.15], abs=1e-4)
    assert summary["cash_gbp"] == 44.15
    assert summary["profit_after_wear_gbp"] == 44.15
    assert summary["gap"] == pytest.approx(0.0, abs=1e-6)
    assert (summary["periods"], summary["step_minutes"]) == (2, 30)
    assert summary["equivalent_cycles"] == pytest.approx(0.45125 / 2, abs=1e-3)


def test_vector_a_burns_no_energy_at_a_negative_price(folder: Path) -> None:
    """Domain reference 7.1, vector A: full, at -£50; charging while discharging would 'earn' £2.44."""
    prices = VECTOR_B.replace(",20\n", ",-50\n").replace(",120\n", ",-50\n")
    battery = BATTERY_B + "initial_soc = 0.5\nfinal_soc = 0.5\n"
    _, schedule = optimise(folder, prices, battery)
    assert (schedule[["charge_mw", "discharge_mw"]].min(axis=1) < 1e-6).all()


def test_a_key_absent_from_the_battery_file_means_no_limit_and_no_loss(folder: Path) -> None:
    summary, schedule = optimise(folder, VECTOR_B, "energy_mwh = 2\n")
    assert summary["power_mw"] == "no limit"
    assert summary["cash_gbp"] == pytest.approx(2 * (120 - 20))
    assert summary["wear_gbp"] == 0
    assert schedule["charge_mw"].tolist() == pytest.approx([4.0, 0.0], abs=1e-6)


def test_hourly_prices_and_the_house_battery(folder: Path) -> None:
    (folder / "prices.csv").write_text(
        "price_gbp_mwh,start_utc,note\n"
        + "".join(
            f"{price},2026-01-05T{hour:02}:00:00+00:00,x\n" for hour, price in enumerate([30, 10, 10, 40, 150, 150])
        )
    )
    refused = run_bess("optimise", "--prices", "prices.csv", "--time-limit", "0")
    assert (refused.status, refused.out) == (1, "")
    assert "a time limit of 0 s leaves no time" in refused.err
    text = done("optimise", "--prices", "prices.csv").out
    found = dict(re.findall(r"^(\w+) +(\S+)$", text, re.MULTILINE))
    assert found["step_minutes"] == "60.0"
    assert (found["power_mw"], found["energy_mwh"]) == ("50.0", "100.0")
    assert float(found["profit_after_wear_gbp"]) == pytest.approx(
        float(found["cash_gbp"]) - float(found["wear_gbp"]), abs=0.02
    )
    assert float(found["cash_gbp"]) > 0


def test_optimise_draws_its_schedule(folder: Path) -> None:
    (folder / "prices.csv").write_text(VECTOR_B)
    (folder / "battery.toml").write_text(BATTERY_B)
    options = ("optimise", "--prices", "prices.csv", "--battery", "battery.toml", "--json", "--figure")
    assert done(*options, "schedule.png").json["figure"] == "schedule.png"
    assert (folder / "schedule.png").read_bytes()[:4] == b"\x89PNG"
    refused = run_bess(*options, "picture.svg", "--output", "other.csv")
    assert refused.status != 0
    assert "ends in .png" in refused.err
    assert not (folder / "other.csv").exists()


def test_optimise_says_what_a_larger_battery_would_earn(folder: Path) -> None:
    """A MW more buys 0.5 MWh at 20 and sells 0.45125 MWh at 120; there is no cycle limit to relax."""
    (folder / "prices.csv").write_text(VECTOR_B)
    (folder / "battery.toml").write_text(BATTERY_B)
    options = ("--prices", "prices.csv", "--battery", "battery.toml", "--shadow-prices", "--json")
    summary = done("optimise", *options).json
    assert summary["value_of_1_mw_gbp"] == 44.15
    assert summary["value_of_1_mwh_gbp"] == 0
    assert summary["value_of_1_point_efficiency_gbp"] == 0.6
    assert summary["value_of_0.1_cycle_a_day_gbp"] == "no limit"


def test_ingest_fetches_every_table_of_the_dates_and_trades_nothing(small_copy: Path) -> None:
    def days(table: str) -> list[object]:
        column = "cast(published_utc AS DATE)" if table.endswith("forecast") else "settlement_date"
        sql = f"SELECT DISTINCT {column} AS day FROM {table} ORDER BY 1"
        return pd.to_datetime(query(small_copy / "bess.duckdb", sql)["day"]).dt.date.tolist()

    first, last = date(2026, 3, 10), date(2026, 3, 11)  # before the history that the workspace holds
    traded = query(small_copy / "bess.duckdb", "SELECT * FROM trading.plan ORDER BY ALL")
    assert not {first, last} & set(days("market.fundamental_forecast"))
    asked = ("--workspace", small_copy, "ingest", "--from", first, "--to", last)
    result = done(*asked)
    assert result.out == ""
    assert "2 days are complete" in result.err
    for table in (
        "market.fundamental_forecast",
        "market.system_price",
        "market.market_index_price",
        "market.day_ahead_price",
    ):
        assert set(days(table)) >= {first, last}, table
    assert traded.equals(query(small_copy / "bess.duckdb", "SELECT * FROM trading.plan ORDER BY ALL"))
    assert "ingest:" not in done(*asked).err  # nothing is asked for again
    refused = run_bess("--workspace", small_copy, "ingest", "--from", last, "--to", first)
    assert refused.status == 1
    assert "give the earlier day first" in refused.err


def test_a_reader_that_goes_away_is_no_error(small: Path) -> None:
    """`bess query … | head -1`: the pipe is closed long before the rows are written."""
    command = [sys.executable, "-m", "bess_pipeline.cli", "--workspace", str(small), "query"]
    process = subprocess.Popen(
        [*command, "--format", "csv", "SELECT range AS n FROM range(500000)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(2)
    process.stdout.close()
    with process.stderr as stream:
        assert stream.read() == b""
    process.wait(timeout=60)
