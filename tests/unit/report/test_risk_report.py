"""The risk sections of the report and its tables of strategies, against the rows they are made of."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import risk_rows as made
from storage_frames import day_ahead_price

from bess_pipeline import gb_time, schemas, warehouse
from bess_pipeline.figures import style
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import png_bytes, strategy_label
from bess_pipeline.report.captured import capture_section, ladder_section, waterfall_section
from bess_pipeline.report.not_included import comparison, not_included
from bess_pipeline.report.publish import settled_window, window_comparisons, write_figures, write_report
from bess_pipeline.report.risk import risk_sections, warning_items
from bess_pipeline.report.risk_figures import risk_pictures
from bess_pipeline.report.risk_rows import RiskRows, first_common_day, risk_rows
from bess_pipeline.report.sections import Section, share, with_interval
from bess_pipeline.report.tables import number
from bess_pipeline.report.window import Window
from bess_pipeline.risk.pnl import daily_totals
from bess_pipeline.settings import Settings
from bess_pipeline.workspace import Workspace

FIRST, DAYS, LATE = date(2024, 10, 20), 12, 5  # the clock change lies among them; some strategies start late
LAST = FIRST + timedelta(days=DAYS - 1)
WINDOW = Window(FIRST, LAST)
LATE_ONES = ("day_ahead_imbalance", "co_optimised", "co_optimised_cvar", "perfect_foresight_48h")
PNL = made.daily_pnl(FIRST, DAYS, missing=dict.fromkeys(LATE_ONES, LATE))
LATER = PNL[PNL["efa_date"] >= FIRST + timedelta(days=LATE)]
NOW = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Stored:
    workspace: Workspace
    tables: dict[str, pd.DataFrame]
    rows: RiskRows


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    place = Workspace(tmp_path_factory.mktemp("risk") / "demo")
    place.claim("recorded", "elexon_mid")
    for day in gb_time.days_between(FIRST - timedelta(days=1), LAST):
        place.lake.write("market/day_ahead_price", day, day_ahead_price(day, 60.0).assign(source="elexon_mid"))
    tables = made.store(place.lake, PNL)
    warehouse.publish(place)
    return Stored(place, tables, risk_rows(place, WINDOW))


def cells(section: Section, table: int = 0) -> dict[str, list[str]]:
    """Cells by the first of their row."""
    return {row[0]: list(row[1:]) for row in section.tables[table].rows}


# --- which rows -----------------------------------------------------------------------------------


def test_a_window_gets_the_statement_of_its_last_day(stored: Stored) -> None:
    assert stored.rows.as_of == LAST
    for name in ("ladder", "measure", "waterfall", "attribution", "stress", "warning"):
        own, wanted = getattr(stored.rows, name), stored.tables[f"risk/{name}"]
        assert len(own) == len(wanted), name
    assert stored.rows.caps_mw == [2.5, 0.0]
    assert first_common_day(stored.workspace, stored.rows) == FIRST + timedelta(days=LATE)
    earlier = risk_rows(stored.workspace, Window(FIRST, LAST - timedelta(days=1)))
    assert earlier.as_of is None
    assert earlier.ladder.empty
    assert len(earlier.limit_status) == 2


def test_a_statement_without_rows_gives_no_section(stored: Stored) -> None:
    nothing = RiskRows(
        as_of=None,
        **{name: schemas.empty_frame(f"risk/{name}") for name in RiskRows.__annotations__ if name != "as_of"},
    )
    assert warning_items(nothing, strategy_label) == []
    for sections in (
        ladder_section(nothing, strategy_label, ()),
        waterfall_section(nothing, strategy_label, ()),
        capture_section(nothing, strategy_label, ()),
        risk_sections(nothing, strategy_label, 0.95),
    ):
        assert sections == []
    assert nothing.caps_mw == []
    assert first_common_day(stored.workspace, nothing) is None


# --- strategies side by side ----------------------------------------------------------------------


def test_strategies_are_compared_over_the_days_they_share(stored: Stored) -> None:
    shared, own = window_comparisons(stored.workspace, WINDOW)
    assert f"{DAYS - LATE} days that all strategies have" in shared.title
    assert set(shared.pnl["efa_date"]) == {FIRST + timedelta(days=n) for n in range(LATE, DAYS)}
    assert shared.pnl["pnl_gbp"].sum() == pytest.approx(LATER["pnl_gbp"].sum())
    assert shared.cap_mw == 2.5
    days, all_days = daily_totals(LATER), daily_totals(PNL)
    bounds = made.bound_pnl(PNL, 2.5).groupby("strategy")["after_wear_gbp"].sum()
    value, whole = (part.groupby("strategy")["after_wear_gbp"].sum() for part in (days, all_days))
    of_all_markets = {
        name: value[name] / bounds["perfect_foresight"]
        for name in ("co_optimised", "co_optimised_cvar", "perfect_foresight_48h")
    } | {"day_ahead_imbalance": value["day_ahead_imbalance"] / bounds["energy_perfect_foresight"]}
    for one, own_value in ((shared, value), (own, whole)):
        bound = own_value["day_ahead_perfect_foresight"]
        day_ahead = {name: own_value[name] / bound for name in ("rule_based", "day_ahead_rolling")}
        assert one.capture.share == pytest.approx(day_ahead | of_all_markets)
    assert "compare rows of the same number of days alone" in own.title
    assert len(own.pnl) == len(PNL)


def test_strategies_of_the_same_days_make_one_table(stored: Stored) -> None:
    (one,) = window_comparisons(stored.workspace, Window(FIRST, FIRST + timedelta(days=LATE - 1)))
    assert one.title == "P&L by strategy and stream, £"
    assert set(one.capture.share) == {"rule_based", "day_ahead_rolling"}
    assert one.cap_mw is None, "days that no statement of the other strategies is of"


# --- words ----------------------------------------------------------------------------------------


def test_the_ladder_says_value_capture_and_lead_at_each_cap(stored: Stored) -> None:
    (section,) = ladder_section(stored.rows, strategy_label, ())
    assert [table.title.split(";")[0] for table in section.tables] == ["Imbalance cap 2.5 MW", "Imbalance cap 0 MW"]
    assert f"{DAYS - LATE} days, {LATE} left out" in section.tables[0].title
    for place, cap in enumerate((2.5, 0.0)):
        rows = stored.tables["risk/ladder"]
        rows = rows[rows["imbalance_cap_mw"] == cap].set_index(["strategy", "basis"])
        row, cash = rows.loc[("co_optimised", "after_wear")], rows.loc[("co_optimised", "cash")]
        found = cells(section, place)["co-optimised, risk-neutral"]
        assert found[0] == f"{row['value'] / 1e3:.1f}\n{row['ci_low'] / 1e3:.1f} to {row['ci_high'] / 1e3:.1f}"
        assert found[1] == f"{cash['value'] / 1e3:.1f}"
        assert found[2] == f"{row['capture']:.1%}\n{row['capture_low']:.1%} to {row['capture_high']:.1%}"
        assert found[3] == "perfect foresight of all markets (upper bound)"
        assert found[4].startswith(f"{row['lead'] / 1e3:.1f}\n")
        assert found[4].endswith("over day-ahead rolling")
    bound = cells(section)["perfect foresight of all markets (upper bound)"]
    assert bound[2:] == ["-", "-", "-"]
    assert section.items == []
    short = stored.rows.ladder[stored.rows.ladder["strategy"] != "co_optimised"]
    (section,) = ladder_section(replace(stored.rows, ladder=short), strategy_label, ())
    assert section.items == [
        "Not compared, for sharing fewer than five days with the others: co-optimised, risk-neutral."
    ]


def test_the_steps_of_the_waterfall_lead_from_its_first_level_to_its_last(stored: Stored) -> None:
    (section,) = waterfall_section(stored.rows, strategy_label, ())
    assert section.title == "From perfect foresight to co-optimised, mean and CVaR"
    for table in section.tables:
        amounts = [[float(cell.replace(",", "")) if cell != "-" else None for cell in row[3:]] for row in table.rows]
        start, *steps = amounts
        assert start[0] is None
        assert start[1] + sum(change for change, _ in steps) == pytest.approx(steps[-1][1], abs=len(steps))
    assert [row[0] for row in section.tables[0].rows] == ["start", "horizon", "forecast", "risk aversion", "wear"]


def test_a_waterfall_that_lacks_a_replay_says_which_and_is_no_warning_at_the_top(stored: Stored) -> None:
    lacking = stored.rows.warning.assign(kind="no_waterfall", words="it needs the replay of perfect_foresight")
    rows = replace(stored.rows, waterfall=stored.rows.waterfall.iloc[:0], warning=lacking)
    (section,) = waterfall_section(rows, strategy_label, ())
    assert section.items == ["it needs the replay of perfect_foresight"]
    assert warning_items(rows, strategy_label) == []
    (words,) = warning_items(stored.rows, strategy_label)
    assert words.startswith("co-optimised, mean and CVaR: ")


def test_measures_stand_beside_their_days_on_both_bases(stored: Stored) -> None:
    measures = next(one for one in risk_sections(stored.rows, strategy_label, 0.95) if one.title == "Measures of risk")
    titles = [table.title for table in measures.tables]
    assert titles[:4] == ["After wear", "VaR and CVaR of a day, after wear", "Cash", "VaR and CVaR of a day, cash"]
    own = PNL[PNL["strategy"] == "co_optimised"]
    days = daily_totals(own)
    row = cells(measures)["co-optimised, risk-neutral"]
    assert row[0] == str(DAYS - LATE)
    assert row[1].split("\n")[0] == number(days["after_wear_gbp"].mean())
    assert row[3].split("\n")[0] == number((days["after_wear_gbp"] > 0).mean() * 100.0, 1)
    assert cells(measures)["rule-based"][0] == str(DAYS)
    cash = cells(measures, 2)["co-optimised, risk-neutral"]
    assert cash[1].split("\n")[0] == number(days["cash_gbp"].mean())
    worst = cells(measures, 3)["co-optimised, risk-neutral"]
    assert measures.tables[3].columns[1:3] == ["VaR 95 %, £", "CVaR 95 %, £"]
    assert worst[1].split("\n")[0] == number(-days["cash_gbp"].min()), (
        "the worst 5 % of seven days lie in the worst day"
    )


def test_limits_back_tests_stress_and_tail_days_say_what_their_rows_say(stored: Stored) -> None:
    sections = {one.title: one for one in risk_sections(stored.rows, strategy_label, 0.95)}
    limits = sections["Limits of the desk"]
    assert limits.lead.startswith("1 limit was broken")
    day = LAST - timedelta(days=1)
    assert limits.tables[0].rows == [
        ["imbalance", "co-optimised, mean and CVaR", "1", "2", "1", "1,000 MWh", f"1,500 MWh on {day}", "within"]
    ]
    backtest = sections["Back-tests of VaR and CVaR at 95 %"]
    assert backtest.tables[0].rows[0][-1] == "insufficient data"
    assert backtest.items == [f"{DAYS - LATE} days of 250"]
    stress = sections["Stress"].tables[0].rows
    assert [row[2:6] for row in stress] == [[str(LAST), "-6,500", "410", "55.0"]]
    assert len(sections["The worst days"].tables[0].rows) == 3
    day_on_day = sections["Day on day, co-optimised, mean and CVaR"]
    assert day_on_day.tables[0].rows[-1] == ["sum", "90", "-10", "5", "85"]
    split = sections["Where P&L and bad days come from, co-optimised, mean and CVaR"]
    assert len({tuple(table.rows[-1][1:]) for table in split.tables}) == 1, "every kind sums to the same"
    assert len(split.tables) == 3


def test_without_limits_the_page_says_that_none_is_set(stored: Stored) -> None:
    free = replace(stored.rows, limit_status=stored.rows.limit_status.assign(status="no limit"))
    sections = {one.title: one for one in risk_sections(free, strategy_label, 0.95)}
    assert sections["Limits of the desk"].lead.startswith("No limit is set")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (with_interval(1234.5, -10.0, 2000.0), "1,234\n-10 to 2,000"),
        (with_interval(0.5, float("nan"), 1.0, 1), "0.5"),
        (with_interval(float("nan"), 0.0, 1.0), "-"),
        (share(0.5), "50.0%"),
        (share(-0.256, -0.5, 0.1), "-25.6%\n-50.0% to 10.0%"),
        (share(float("nan")), "-"),
    ],
)
def test_numbers_with_intervals(cell: str, text: str) -> None:
    assert cell == text


# --- what is not included -------------------------------------------------------------------------


def test_what_is_left_out_follows_the_settings() -> None:
    index, auction = Provenance("live", "elexon_mid", 2026), Provenance("live", "neso_n2ex", 2026)
    traded = ["co_optimised", "rule_based"]
    words = " ".join(not_included(Settings(), index, traded, ["assumed for DC", "assumed for DC"]))
    for part in (
        "market index stands in",
        "co-optimised, risk-neutral, marked optimistic",
        "Acceptances in the Balancing Mechanism are not included",
        "Capacity Market payments are not included",
        "exchange fees, clearing fees",
        "Energy that services move: assumed for DC.",
        "Intraday trades are off",
    ):
        assert part in words, part
    assert words.count("assumed for DC") == 1
    costs = {"day_ahead_fee_gbp_per_mwh": 0.1, "capacity_market_gbp_per_mw_year": 1000.0}
    mechanism = {"enabled": True, "offer_price_gbp_mwh": 150.0, "bid_price_gbp_mwh": 20.0, "skip_rate": 0.9}
    other = " ".join(not_included(Settings(costs=costs, balancing_mechanism=mechanism), auction, traded, []))
    for part in ("market index", "Capacity Market", "exchange fees", "Intraday"):
        assert part not in other, part
    assert "replayed under assumptions (offer at £150, bid at £20 per MWh, 90% passed over)" in other


def test_peers_are_named_with_period_and_rules_as_context() -> None:
    (table,) = comparison(["one"]).tables
    assert "Context only" in table.title
    assert all(len(row) == len(table.columns) == 5 and row[1] and row[4] for row in table.rows)


# --- pictures and page ----------------------------------------------------------------------------


def test_every_picture_is_drawn_and_stands_in_the_page(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "DPI", 20)  # what is drawn counts here, not how fine
    place = Workspace(tmp_path / "demo")
    shutil.copytree(stored.workspace.root, place.root)
    settings = Settings(workspace=place.root, report={"copy_figures_to": None})
    window = settled_window(place)
    assert window == WINDOW
    figures = write_figures(settings, place, window, NOW)
    assert set(figures) == {
        "cumulative_pnl", "ladder", "ladder_cap_0_mw", "waterfall_co_optimised_cvar", "capture_by_month",
        "waterfall_co_optimised_cvar_cap_0_mw", "capture_by_month_cap_0_mw", "tail_contribution_co_optimised_cvar",
        "stream_pnl_co_optimised_cvar", "stream_pnl_co_optimised", "stream_pnl_day_ahead_imbalance",
    }  # fmt: skip
    text = write_report(settings, place, window, figures, NOW).read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == len(figures)
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings[:3] == ["P&amp;L by strategy and stream", "What each strategy is worth a year",
                            "From perfect foresight to co-optimised, mean and CVaR [optimistic]"]  # fmt: skip
    assert "Not included, and what others report" in headings
    assert "captures 97.0% of its bound" in text
    assert "Chains of trading days begin anew once in this window" in text
    assert "rule-based 10.0 MWh" in text


def test_one_strategy_alone_has_its_streams_and_nothing_else(stored: Stored) -> None:
    alone = PNL[PNL["strategy"] == "rule_based"]
    nothing = risk_rows(stored.workspace, Window(FIRST, LAST - timedelta(days=1)))
    shown = risk_pictures(nothing, alone, None, 50.0, made.SETTINGS, Provenance("live", "neso_n2ex", 2026))
    assert [one.name for one in shown] == ["stream_pnl_rule_based"]
    assert png_bytes(shown[0].draw()).startswith(b"\x89PNG")


def test_a_warehouse_without_risk_tables_still_has_a_report(stored: Stored, tmp_path: Path) -> None:
    place = Workspace(tmp_path / "demo")
    shutil.copytree(stored.workspace.root, place.root)
    with duckdb.connect(place.database) as connection:
        for table in stored.tables:
            connection.execute(f"DROP TABLE {table.replace('/', '.')}")
        connection.execute("DROP VIEW trading.seam")
    settings = Settings(workspace=place.root, report={"copy_figures_to": None})
    figures = write_figures(settings, place, WINDOW, NOW)
    assert "ladder" not in figures
    text = write_report(settings, place, WINDOW, figures, NOW).read_text(encoding="utf-8")
    assert "What each strategy is worth a year" not in text
    assert "Chains of trading days" not in text
    assert "P&amp;L by strategy and stream over the 7 days" in text


# --- views ----------------------------------------------------------------------------------------


def test_views_of_risk_are_the_newest_statement(stored: Stored, tmp_path: Path) -> None:
    place = Workspace(tmp_path / "demo")
    place.claim("recorded", "elexon_mid")
    shutil.copytree(stored.workspace.root / "lake", place.root / "lake", dirs_exist_ok=True)
    older = LAST - timedelta(days=1)
    for table in ("risk/ladder", "risk/measure", "risk/capture"):
        place.lake.write(table, older, stored.tables[table].assign(as_of=older))
    database = warehouse.publish(place)
    for view, table in (("latest_ladder", "risk/ladder"), ("latest_measure", "risk/measure")):
        rows = warehouse.query(database, f"SELECT * FROM risk.{view}")
        assert len(rows) == len(stored.tables[table])
        assert set(rows["as_of"]) == {LAST}
    capture = warehouse.query(database, "SELECT * FROM risk.capture_by_month")
    assert len(capture) == len(stored.tables["risk/capture"])
    assert set(capture.loc[capture["strategy"] == "co_optimised", "days_of_strategy"]) == {DAYS - LATE}
    summary = warehouse.query(database, "SELECT * FROM risk.limit_summary").iloc[0]
    counted = ["days_measured", "days_not_measured", "days_breached", "worst_excess", "status_on_last_day", "allowed"]
    assert summary[counted].tolist() == [2, 1, 1, 500.0, "within", 1000.0]
    assert summary["last_breach"] == LAST - timedelta(days=1)
    for script in warehouse.sql_files("queries"):
        warehouse.query(database, script.read_text(encoding="utf-8"))
