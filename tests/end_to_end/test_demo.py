"""The demo through the installed `bess` command, once for all tests here; then what must hold of its results."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import market_frames
import pandas as pd
import poisoned_lake
import pytest
import small_workspace
from bess_command import Done, done, run_bess, tree

from bess_pipeline import gb_time
from bess_pipeline.commands.run import DEMO_FORECAST, DEMO_SCENARIOS
from bess_pipeline.figures.style import strategy_label
from bess_pipeline.forecasting.forecast import forget_trained
from bess_pipeline.lake import Lake
from bess_pipeline.report.tables import number
from bess_pipeline.sample_dates import DEMO_FIRST_DAY, DEMO_FORECAST_FIRST_DAY, DEMO_LAST_DAY, FIRST_DATE, NOW_UTC
from bess_pipeline.sample_market import simulate
from bess_pipeline.scenarios.daily import MADE_TABLES
from bess_pipeline.scenarios.gates import GateMaker
from bess_pipeline.schemas import SCHEMA_VERSION, validate
from bess_pipeline.settings import RollingSettings, Settings, SolverSettings
from bess_pipeline.trading import market_strategies
from bess_pipeline.trading.co_optimised_names import CO_OPTIMISED, PLANNED
from bess_pipeline.trading.replay import Replay
from bess_pipeline.warehouse import query, table_hashes
from bess_pipeline.workspace import Workspace

pytestmark = pytest.mark.slow  # the whole graph runs in less over the small workspace (orchestration/test_runs.py)
BESS = Path(sys.executable).with_name("bess")
DAYS = gb_time.days_between(DEMO_FIRST_DAY, DEMO_LAST_DAY)
SHORT_DAY = date(2026, 3, 29)
LOWEST_PRICE_DAY = date(2026, 4, 3)  # below zero
STRATEGIES = small_workspace.STRATEGIES
MARKET_DAYS = DAYS[-7:]  # those that are planned by the strategies of all markets
GATES = ("day_ahead", "response")
DAILY_FIGURES = ("dependence", "rank_histograms", "interval_coverage", "skill_by_hour")
FORECAST_FIGURES = {
    *(f"{kind}_{gate}.png" for kind in DAILY_FIGURES for gate in GATES),
    *(f"fan_{gate}_{DEMO_LAST_DAY}.png" for gate in GATES),
    "fan_day_ahead_2026-04-13.png",
}
RISK_FIGURES = ("stream_pnl_", "ladder", "waterfall_", "capture_by_month", "tail_contribution_")
PLAN_FIGURES = {  # of the coming day, and of the newest Wednesday, which gets a frontier
    *(f"{kind}_{strategy}_2026-04-13.png" for kind in ("plan", "offers") for strategy in CO_OPTIMISED),
    "frontier_2026-04-08.png",
    "activation_2026-04-08.png",
}


class Demo(NamedTuple):
    """The folder the demo was run in, its workspace, and how the command ended."""

    folder: Path
    workspace: Path
    result: Done

    def sql(self, text: str) -> pd.DataFrame:
        """Rows of the published warehouse."""
        return query(self.workspace / "bess.duckdb", text)


def bess(folder: Path, *arguments: str) -> Done:
    """The installed command in another process, without any of the user's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BESS_")}
    environment.pop("ENTSOE_API_TOKEN", None)
    ended = subprocess.run(
        [BESS, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=1500, check=False
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """`bess demo` in an empty folder."""
    folder = tmp_path_factory.mktemp("demo")
    result = bess(folder, "demo")
    assert result.status == 0, result.err
    return Demo(folder, folder / "data" / "demo", result)


@pytest.fixture
def beside(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """The demo, its folder as the working directory."""
    monkeypatch.chdir(demo.folder)
    return demo


def test_it_says_what_it_does_and_how_to_go_on(demo: Demo) -> None:
    said = demo.result.err.splitlines()
    assert said[0].startswith("the sample market listens on http://127.0.0.1:")
    jobs = [line.split(":")[0] for line in said[1:]]
    said_of = [job for job in dict.fromkeys(jobs) if job.startswith(("forecast", "publishing", "plans"))]
    told = ["publishing warehouse, figures and report", "forecasts, scenarios and scores", "plans of all markets"]
    assert [job for job in said_of if job != "forecast"] == told
    done_jobs = [job for job in dict.fromkeys(jobs) if job not in said_of]
    assert done_jobs == ["ingest", "scenarios", "co_optimise", "trade", "plan_ahead", "risk"]
    for step in ("report.html", "ui", "query", "plan"):
        assert re.search(rf"^  \w+: .*{step}", demo.result.out, re.MULTILINE), step
    assert "Simulated data: not real prices." in demo.result.out


def test_28_days_are_complete_for_each_strategy(demo: Demo) -> None:
    status = demo.sql("SELECT strategy, status, count(*) AS days FROM trading.run_status GROUP BY ALL ORDER BY ALL")
    days = dict.fromkeys(STRATEGIES, 28) | dict.fromkeys(market_strategies.NAMES, 7)
    assert status.to_dict("records") == [{"strategy": s, "status": "complete", "days": days[s]} for s in sorted(days)]
    assert demo.sql("SELECT * FROM market.incomplete_day WHERE settlement_date <= DATE '2026-04-11'").empty


def test_every_half_hour_is_there_once_and_the_short_day_has_46(demo: Demo) -> None:
    for table in ("dispatch", "foresight_plan"):
        rows = demo.sql(f"SELECT strategy, efa_date, start_utc FROM trading.{table}")
        for strategy, own in rows.groupby("strategy"):
            market = strategy in market_strategies.NAMES
            assert len(own) == own["start_utc"].nunique() == (7 * 48 if market else 27 * 48 + 46)
            assert (own["efa_date"] == SHORT_DAY).sum() == (0 if market else 46)
        assert (
            set(rows["strategy"])
            == {
                "dispatch": {*STRATEGIES, *market_strategies.NAMES},
                "foresight_plan": {"day_ahead_perfect_foresight"},
            }[table]
        )
    ahead = [date(2026, 4, 12), date(2026, 4, 13)]
    for strategies, days in (
        (("rule_based", "day_ahead_rolling"), [*DAYS, *ahead]),
        (PLANNED, [*MARKET_DAYS, *ahead]),
    ):
        plans = demo.sql(
            "SELECT efa_date, strategy, gate, count(*) AS n FROM trading.plan "
            f"WHERE strategy IN {tuple(strategies)} GROUP BY ALL"
        )
        assert sorted(plans["efa_date"].unique()) == days
        assert all(row.n == (46 if row.efa_date == SHORT_DAY else 48) for row in plans.itertuples())


def test_the_history_is_that_of_the_sample_market_value_for_value(demo: Demo) -> None:
    """All 162 settlement dates from 2025-11-01, through HTTP and three wire formats."""
    market = simulate()
    days = gb_time.days_between(FIRST_DATE, DEMO_LAST_DAY)
    for table, column, truth in (
        ("system_price", "system_price_gbp_mwh", market.system_price),
        ("market_index_price", "market_index_price_gbp_mwh", market.market_index),
    ):
        got = demo.sql(f"SELECT start_utc, {column} FROM market.{table} ORDER BY start_utc").set_index("start_utc")
        wanted = truth[truth["settlement_date"].isin(days)].set_index("start_utc")[column]
        assert len(wanted) == sum(gb_time.periods_in_day(day) for day in days)
        pd.testing.assert_series_equal(got[column].reindex(wanted.index), wanted, check_freq=False, atol=0.005, rtol=0)


def printed_tables(text: str) -> list[list[dict[str, str]]]:
    """Rows of each table of strategies, by column."""
    lines = text.splitlines()
    tables = []
    for head in (place for place, line in enumerate(lines) if line.startswith("strategy ")):
        names = re.split(r" {2,}", lines[head])
        rows = []
        for line in lines[head + 2 :]:
            cells = re.split(r" {2,}", line)
            if len(cells) != len(names):
                break
            rows.append(dict(zip(names, cells, strict=True)))
        tables.append(rows)
    return tables


def test_the_printed_tables_equal_the_warehouse(demo: Demo) -> None:
    """Over the days that all strategies have, and each over its own."""
    rows = demo.sql("SELECT strategy, efa_date, stream, pnl_gbp FROM risk.daily_pnl")
    days = rows.groupby("strategy")["efa_date"].agg(lambda own: frozenset(own))
    shared = frozenset.intersection(*days)
    tables = printed_tables(demo.result.out)
    assert len(tables) == (2 if days.nunique() > 1 and shared else 1)
    for table, part in zip(tables, (rows[rows["efa_date"].isin(shared)], rows)[-len(tables) :], strict=True):
        sums = part.pivot_table(index="strategy", columns="stream", values="pnl_gbp", aggfunc="sum", fill_value=0.0)
        labels = {strategy_label(strategy): strategy for strategy in sums.index}
        assert {row["strategy"] for row in table} == set(labels)
        for row in table:
            own = sums.loc[labels[row["strategy"]]]
            count = part.loc[part["strategy"] == labels[row["strategy"]], "efa_date"].nunique()
            assert row["day-ahead"] == number(own["day_ahead"])
            assert row["imbalance"] == number(own["imbalance"])
            assert row["wear"] == number(own["wear"])
            assert row["cash"] == number(own.drop("wear").sum())
            assert row["after wear"] == number(own.sum())
            assert row["days"] == str(count)
            assert row["£/MW/day"] == number(own.sum() / 50 / count, 2)
    assert {row["days"] for row in tables[-1] if row["strategy"] == strategy_label("rule_based")} == {"28"}


def test_the_printed_capture_is_the_ratio_to_the_bound(demo: Demo) -> None:
    """P&L after wear and stored energy at the price of the bound's window, over the same of the bound."""
    window = f"efa_date BETWEEN DATE '{DAYS[0]}' AND DATE '{DAYS[-1]}'"
    kept = "arg_max(closing_energy_mwh, efa_date) - arg_min(opening_energy_mwh, efa_date)"
    value = demo.sql(
        f"""
        WITH bound AS (SELECT * FROM risk.bound WHERE bound = 'day_ahead_perfect_foresight' AND {window}),
        price AS (SELECT any_value(energy_price_gbp_mwh) AS gbp FROM bound),
        kept AS (SELECT strategy, {kept} AS mwh FROM trading.run_status WHERE {window} GROUP BY strategy)
        SELECT strategy, sum(pnl_gbp) + any_value(mwh) * any_value(price.gbp) AS gbp
        FROM risk.daily_pnl JOIN kept USING (strategy), price GROUP BY strategy
        UNION ALL SELECT 'the bound', sum(pnl_gbp) + ({kept}) * any_value(price.gbp) FROM bound, price
        """
    ).set_index("strategy")["gbp"]
    for strategy in ("rule_based", "day_ahead_rolling"):
        share = value[strategy] / value["the bound"]
        assert 0.3 < share <= 1.0
        (row,) = (one for one in printed_tables(demo.result.out)[-1] if one["strategy"] == strategy_label(strategy))
        assert row["capture"] == f"{share:.1%}"


def test_cash_is_recomputed_from_dispatch_and_prices(demo: Demo) -> None:
    found = demo.sql(
        """
        WITH recomputed AS (
            SELECT strategy, sum(contracted_mwh * day_ahead_price_gbp_mwh) AS day_ahead,
                   sum((metered_mwh - contracted_mwh) * system_price_gbp_mwh) AS imbalance,
                   -5 * sum(charge_mw + discharge_mw) * 0.5 AS wear
            FROM trading.dispatch JOIN market.day_ahead_price USING (start_utc)
            JOIN market.system_price USING (start_utc)
            WHERE strategy NOT IN (SELECT strategy FROM trading.market_dispatch)
            GROUP BY strategy)
        SELECT r.strategy, day_ahead + imbalance + wear AS recomputed,
               (SELECT sum(amount_gbp) FROM trading.cashflow c WHERE c.strategy = r.strategy) AS stored
        FROM recomputed r
        """
    )
    assert len(found) == len(STRATEGIES)
    assert found["recomputed"].tolist() == pytest.approx(found["stored"].tolist(), abs=0.01)


def test_cash_of_all_markets_is_recomputed_from_dispatch_and_prices(demo: Demo) -> None:
    found = demo.sql(
        """
        WITH recomputed AS (
            SELECT strategy,
                   sum(day_ahead_mwh * day_ahead_price_gbp_mwh + coalesce(intraday_mwh * intraday_price_gbp_mwh, 0)
                       + (metered_mwh - contracted_mwh - absvd_mwh) * system_price_gbp_mwh
                       - 5 * ((charge_mw + discharge_mw) * 0.5 + activation_export_mwh + activation_import_mwh)) AS gbp
            FROM trading.market_dispatch JOIN market.day_ahead_price USING (start_utc)
            JOIN market.system_price USING (start_utc) GROUP BY strategy)
        SELECT strategy, gbp, (SELECT sum(amount_gbp) FROM trading.cashflow c
                               WHERE c.strategy = r.strategy AND stream NOT IN ('response', 'reserve')) AS stored
        FROM recomputed r
        """
    )
    assert set(found["strategy"]) == set(market_strategies.NAMES)
    assert found["gbp"].tolist() == pytest.approx(found["stored"].tolist(), abs=0.01)


def test_no_strategy_beats_its_bound_nor_leaves_the_battery(demo: Demo) -> None:
    after_wear = demo.sql("SELECT strategy, sum(pnl_gbp) AS gbp FROM risk.daily_pnl GROUP BY ALL").set_index("strategy")
    for strategy in ("rule_based", "day_ahead_rolling"):
        assert 0 < after_wear.loc[strategy, "gbp"] <= after_wear.loc["day_ahead_perfect_foresight", "gbp"]
    limits = demo.sql(
        "SELECT min(energy_mwh) AS low, max(energy_mwh) AS high, max(greatest(charge_mw, discharge_mw)) AS mw, "
        "max(least(charge_mw, discharge_mw)) AS both_ways FROM trading.dispatch"
    ).iloc[0]
    assert limits["low"] >= 5 - 1e-6
    assert limits["high"] <= 95 + 1e-6
    assert limits["mw"] <= 50 + 1e-6
    assert limits["both_ways"] <= 1e-6


def test_the_state_is_carried_over_every_midnight(demo: Demo) -> None:
    status = demo.sql("SELECT * FROM trading.run_status ORDER BY strategy, efa_date")
    for _, own in status.groupby("strategy"):
        assert own["opening_energy_mwh"].iloc[0] == 50.0
        assert own["opening_energy_mwh"].tolist()[1:] == pytest.approx(own["closing_energy_mwh"].tolist()[:-1])
        assert set(own["chain_start"]) == {own["efa_date"].min()}


def test_the_plan_of_the_next_trading_day_is_there(beside: Demo) -> None:
    for form in ("table", "csv"):
        energy = done("--workspace", beside.workspace, "plan", "--strategy", "day_ahead_rolling", "--format", form)
        assert len(energy.out.splitlines()) == 49
    default = done("--workspace", beside.workspace, "plan", "--format", "json").json
    asked = done("--workspace", beside.workspace, "plan", "--date", "2026-04-13", "--format", "json").json
    assert default == asked
    assert len(asked) == 48
    assert asked[0]["start_utc"].startswith("2026-04-12T22:00")
    short = done("--workspace", beside.workspace, "plan", "--date", "2026-03-29", "--format", "json").json
    assert len(short) == 46


def test_figures_are_pictures_of_a_sane_size(demo: Demo) -> None:
    figures = sorted((demo.workspace / "reports" / "figures").glob("*.png"))
    days = (SHORT_DAY, DEMO_LAST_DAY)
    names = {f"dispatch_{strategy}_{day}.png" for strategy in STRATEGIES for day in days}
    names |= {f"dispatch_co_optimised_cvar_{day}.png" for day in (DEMO_LAST_DAY,)}
    names |= {f"dispatch_{strategy}_{LOWEST_PRICE_DAY}.png" for strategy in ("day_ahead_rolling", "rule_based")}
    names |= {"cumulative_pnl.png", "coverage.png", "wear.png"} | FORECAST_FIGURES | PLAN_FIGURES
    of_risk = {path.name for path in figures if path.name.startswith(RISK_FIGURES)}
    assert {path.name for path in figures} - of_risk == names
    assert {"stream_pnl_co_optimised_cvar.png", "ladder.png", "capture_by_month.png"} <= of_risk
    for path in figures:
        content = path.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", content[16:24])
        assert 800 <= width <= 4000
        assert 400 <= height <= 3000
        assert len(content) > 15_000
        assert (demo.folder / "reports" / "figures" / path.name).read_bytes() == content


def test_the_report_names_the_origin_of_its_data(demo: Demo) -> None:
    page = (demo.workspace / "reports" / "report.html").read_text(encoding="utf-8")
    figures = demo.workspace / "reports" / "figures"
    assert "simulated" in page.lower()
    assert page.count("data:image/png;base64,") == len(json.loads((figures / "newest.json").read_text()))
    published = demo.sql("SELECT * FROM meta.publication").iloc[0]
    assert published["origin"] == "simulated"
    assert published["schema_version"] == SCHEMA_VERSION


def test_again_it_computes_nothing_and_says_so(beside: Demo) -> None:
    before = tree(beside.workspace)
    again = done("demo")
    assert "nothing to compute: all 28 days are complete with these settings" in again.err
    assert not re.search(r"^(ingest|scenarios|co_optimise|trade|plan_ahead|risk|publishing)", again.err, re.MULTILINE)
    printed, first = (result.out.split("\n\nworkspace ")[0] for result in (again, beside.result))
    assert printed == first
    after = tree(beside.workspace)
    stored = [name for name in before if not name.endswith(".lock")]  # a lock names its last holder
    kept = [name for name in stored if name.startswith(("raw", "lake", "reports", "bess.duckdb", "workspace"))]
    assert len(kept) > 2000
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
    runs = [name for name in after if re.fullmatch(r"dagster_home/history/runs/[0-9a-f-]{36}\.db", name)]
    assert runs == [name for name in before if name in set(runs)]


@contextmanager
def held_open(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the database open, and counts trading days whenever it is sent a line."""
    reader = (
        "import sys, duckdb\n"
        "connection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "for _ in sys.stdin:\n"
        "    (days,) = connection.execute('SELECT count(DISTINCT efa_date) FROM trading.run_status').fetchone()\n"
        "    print(days, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", reader, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def count(process: subprocess.Popen[str]) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def test_an_analysts_session_and_the_pipeline_do_not_meet(small_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process keeps the database open while a day is added: it keeps its snapshot and stops nobody."""
    with held_open(small_copy / "bess.duckdb") as analyst:
        assert count(analyst) == small_workspace.DAYS
        monkeypatch.setenv("BESS_CLOCK__NOW_UTC", "2026-04-02T12:00:00Z")
        refreshed = done("--workspace", small_copy, "refresh")
        assert "settled 1 days, planned 2026-04-02, 2026-04-03" in refreshed.err
        assert count(analyst) == small_workspace.DAYS
    with held_open(small_copy / "bess.duckdb") as analyst:
        assert count(analyst) == small_workspace.DAYS + 1


def test_forced_it_computes_everything_again_to_equal_tables(demo: Demo, tmp_path: Path) -> None:
    shutil.copytree(demo.folder, tmp_path / "again")
    copy = tmp_path / "again" / "data" / "demo"
    before = table_hashes(copy / "bess.duckdb")
    with held_open(copy / "bess.duckdb") as analyst:
        forced = bess(tmp_path / "again", "demo", "--force")
        assert count(analyst) == 28
    assert forced.status == 0, forced.err
    assert re.search(r"^ingest: ", forced.err, re.MULTILINE)
    assert table_hashes(copy / "bess.duckdb") == before
    for figure in (demo.workspace / "reports" / "figures").glob("*.png"):
        assert (copy / "reports" / "figures" / figure.name).read_bytes() == figure.read_bytes()


def test_a_day_outside_the_demo_is_no_part_of_it(beside: Demo) -> None:
    result = run_bess("--workspace", beside.workspace, "plan", "--date", str(DEMO_FIRST_DAY - timedelta(days=1)))
    assert (result.status, result.out) == (1, "")
    assert "has no day_ahead_rolling plan for 2026-03-14" in result.err


# --- forecasts and scenarios -------------------------------------------------------------------

FORECAST_DAYS = gb_time.days_between(DEMO_FORECAST_FIRST_DAY, DEMO_LAST_DAY)
MADE_DAYS = [*FORECAST_DAYS, date(2026, 4, 12), date(2026, 4, 13)]  # and the coming two
RESPONSE = 6  # products
ASSUMED = 4  # of them, whose energy has a published figure


def half_hours(day: date) -> int:
    return sum(gb_time.periods_in_day(one) for one in (day, day + timedelta(days=1)))


def test_each_gate_of_each_day_has_forecasts_scenarios_and_scores(demo: Demo) -> None:
    status = demo.sql("SELECT * FROM scenario.gate_status ORDER BY efa_date, gate, step")
    assert len(status) == len(MADE_DAYS) * len(GATES) * 3
    ended = status[pd.to_datetime(status["efa_date"]).dt.date <= DEMO_LAST_DAY]
    assert set(ended["status"]) == {"complete"}
    coming = status[pd.to_datetime(status["efa_date"]).dt.date > DEMO_LAST_DAY]
    assert set(coming.loc[coming["step"] == "score", "status"]) == {"not_published"}
    open_gates = coming[(coming["step"] != "score") & (coming["status"] != "complete")]
    assert {(str(row["efa_date"])[:10], row["gate"], row["status"]) for row in open_gates.to_dict("records")} == {
        ("2026-04-13", "response", "provisional")
    }
    assert "forecasts, scenarios and scores: 14 of 14 days are complete" in demo.result.err
    assert "the last 14 of the days" in demo.result.err


def test_every_period_of_both_days_is_forecast_once_for_each_stream(demo: Demo) -> None:
    for table in ("price_forecast", "baseline_forecast"):
        rows = demo.sql(f"SELECT efa_date, gate, stream, count(*) AS n FROM forecast.{table} GROUP BY ALL")
        for (day, gate), found in rows.groupby(["efa_date", "gate"]):
            count, n = found.set_index("stream")["n"], half_hours(pd.Timestamp(day).date())
            expected = {"day_ahead": n // 2, "system_price": n, "market_index": n}
            assert {name: count[name] for name in expected} == expected, (day, gate)
            assert count.filter(like="response_").tolist() == [12] * RESPONSE
            assert count.filter(like="activation_").tolist() == [n] * ASSUMED
        assert len(rows) == len(MADE_DAYS) * len(GATES) * (3 + RESPONSE + ASSUMED)
    paths = demo.sql(
        "SELECT efa_date, gate, stream, count(DISTINCT scenario) AS paths, count(*) AS n, "
        "sum(probability) / count(DISTINCT start_utc) AS total FROM scenario.price_path GROUP BY ALL"
    )
    forecast = demo.sql("SELECT efa_date, gate, stream, count(*) AS n FROM forecast.price_forecast GROUP BY ALL")
    both = paths.merge(forecast, on=["efa_date", "gate", "stream"], suffixes=("", "_forecast"))
    assert len(both) == len(paths) == len(forecast)
    assert set(paths["paths"]) == {DEMO_SCENARIOS["reduced"]}
    assert (both["n"] == both["n_forecast"] * both["paths"]).all()
    assert paths["total"].to_numpy() == pytest.approx(1.0)


def test_no_gate_used_what_it_did_not_know(demo: Demo) -> None:
    """The stamp of each partition says when the newest value became known; gates by the clock, written anew here."""
    lake = Workspace(demo.workspace).lake
    for day in MADE_DAYS:
        stamp = lake.stamp("forecast/price_forecast", day)
        assert stamp["seed"] == "20260329"
        for gate in GATES:
            known = datetime.fromisoformat(stamp[f"known_utc.{gate}"])
            closes = market_frames.gate(day, gate)
            assert closes - timedelta(days=1) < known <= closes, (day, gate)


def test_fallbacks_are_kept_in_words(demo: Demo) -> None:
    notes = "\n".join(demo.sql("SELECT DISTINCT notes FROM scenario.gate_status WHERE step = 'forecast'")["notes"])
    assert "activation_DCL: assumed, 0.003125 MWh/MW in every half-hour, because nothing was measured" in notes
    assert "activation_DML: not forecast, nothing was measured and no figure is published" in notes
    assert "final-run prices used as features" in notes
    assert re.search(
        r"day_ahead: \w+ chosen on the last 14 known days \(similar_day .* CRPS .*; combination .*\)", notes
    )


def test_scores_have_skill_where_the_sample_market_has_signal(beside: Demo) -> None:
    skill = demo_table(beside, "--file", Path(__file__).parents[2] / "sql/queries/skill_over_baselines.sql")
    assert {(row["gate"], row["stream"]) for row in skill} >= {(gate, "market_index") for gate in GATES}
    page = (beside.workspace / "reports" / "forecasts.html").read_text(encoding="utf-8")
    for words in ("simulated", "day-ahead gate", "response gate", "coverage"):
        assert words in page.lower(), words
    assert page.count("data:image/png;base64,") == len(FORECAST_FIGURES)


def demo_table(demo: Demo, *arguments: object) -> list[dict[str, object]]:
    rows = done("--workspace", demo.workspace, "query", *arguments, "--json").json
    assert isinstance(rows, list)
    return rows


class Poisoned(NamedTuple):
    """A copy of the demo whose settings plan with stored forecasts, and the day that is made again in it."""

    lake: Lake
    settings: Settings
    day: date

    def made(self, gate: str) -> dict[str, bytes]:
        """Tables of a gate of the day as they come out of the lake as it is now, by name."""
        maker = GateMaker(self.settings, self.lake, [self.day])
        forget_trained()
        rows = maker.make(self.day, gate).rows  # type: ignore[arg-type]
        return {table: content(validate(table, frame)) for table, frame in rows.items()}

    def stored(self, gate: str) -> dict[str, bytes]:
        frames = {table: self.lake.read(table, self.day, self.day) for table in MADE_TABLES}
        return {table: content(frame[frame["gate"] == gate]) for table, frame in frames.items()}

    def plan(self) -> bytes:
        """The plans of the day, made from the stored forecast of its day-ahead gate."""
        replay = Replay(self.settings, self.lake, lambda: NOW_UTC, lambda: [DEMO_FIRST_DAY], lambda day: None)
        statuses = replay.plan([self.day])
        assert {one.status for one in statuses} == {"complete"}
        return content(self.lake.read("trading/plan", self.day, self.day))


def content(frame: pd.DataFrame) -> bytes:
    return frame.reset_index(drop=True).to_csv().encode()


@pytest.fixture
def poisonable(demo: Demo, tmp_path: Path) -> Poisoned:
    shutil.copytree(demo.workspace / "lake", tmp_path / "lake")
    settings = Settings(
        forecast=Settings().forecast.model_copy(update=DEMO_FORECAST),
        scenarios=Settings().scenarios.model_copy(update=DEMO_SCENARIOS),
        rolling=RollingSettings(forecast="chosen"),
        solver=SolverSettings(guarded=False),
    )
    return Poisoned(Lake(tmp_path / "lake", tmp_path / "quarantine"), settings, date(2026, 4, 8))


def test_what_became_known_after_a_gate_changes_no_forecast_scenario_or_plan(poisonable: Poisoned) -> None:
    """Prices, versions, auctions, fundamentals and activation: all absurd from the gate on; then what was known, too.

    What was stored came from another process, before: so the same seed gives the same bytes as well.
    """
    day = poisonable.day
    clean, planned = {gate: poisonable.stored(gate) for gate in GATES}, poisonable.plan()
    for gate in reversed(GATES):  # the earlier gate knows less: what is absurd then was so at the later one
        instant = market_frames.gate(day, gate)
        assert poisoned_lake.poison(poisonable.lake, instant, day - timedelta(days=9), date(2026, 4, 13)) > 1000
        assert poisonable.made(gate) == clean[gate], gate
    assert poisonable.plan() == planned
    poisoned_lake.change_known_evenings(poisonable.lake, day, 30)
    rows = GateMaker(poisonable.settings, poisonable.lake, [day]).make(day, "day_ahead").rows["forecast/price_forecast"]
    assert content(validate("forecast/price_forecast", rows)) != clean["day_ahead"]["forecast/price_forecast"]
    poisonable.lake.write("forecast/price_forecast", day, rows)
    assert poisonable.plan() != planned
