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
from matplotlib.figure import Figure
from storage_frames import day_ahead_price

from bess_pipeline import gb_time, schemas, warehouse
from bess_pipeline.figures import style
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import png_bytes, strategy_label
from bess_pipeline.report.captured import at_cap, capture_section, ladder_section, waterfall_section
from bess_pipeline.report.comparisons import comparisons
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


def words_of(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.texts)


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
    assert "compare rows of the same number of days alone" in own.title
    assert len(own.pnl) == len(PNL)


def test_the_printed_captures_are_stored_captures_of_the_same_days(stored: Stored) -> None:
    """Of the shared days as the ladder has them, of all days as the months do; at the cap that was traded under."""
    shared, own = window_comparisons(stored.workspace, WINDOW)
    ladder, months = (
        warehouse.query(stored.workspace.database, f"SELECT * FROM risk.{view} WHERE imbalance_cap_mw = 2.5")
        for view in ("latest_ladder", "capture_by_month")
    )
    ladder = ladder[ladder["basis"] == "after_wear"].set_index("strategy")["capture"].dropna()
    assert set(shared.capture) == set(ladder.index) == {*LATE_ONES, "rule_based", "day_ahead_rolling"}
    assert months["month"].nunique() == 1
    months = months.set_index("strategy")["capture"]
    assert own.capture == pytest.approx(months.to_dict())
    for name in ("rule_based", "day_ahead_rolling"):  # the ladder's days are not all of theirs
        assert shared.capture[name] == pytest.approx(ladder[name])
        assert shared.capture[name] != pytest.approx(months[name], abs=1e-6)


def test_days_that_no_stored_capture_is_of_have_none(stored: Stored) -> None:
    (one,) = window_comparisons(stored.workspace, Window(FIRST, FIRST + timedelta(days=LATE - 1)))
    assert one.title == "P&L by strategy and stream, £"
    assert (one.capture, one.cap_mw) == ({}, None)
    shorter = stored.rows.capture.assign(pnl_gbp=stored.rows.capture["pnl_gbp"] + 1.0)
    ladder = stored.rows.ladder.assign(days=stored.rows.ladder["days"] + 1)
    for found in comparisons(PNL, replace(stored.rows, capture=shorter, ladder=ladder)):
        assert found.capture == {}


def test_a_share_of_a_bound_at_another_cap_is_no_capture(stored: Stored) -> None:
    (section,) = ladder_section(stored.rows, strategy_label, ())
    loose, tight = section.tables
    assert loose.columns[3] == "capture of its bound"
    assert tight.columns[3] == "share of the bound at cap 0 MW"
    assert tight.title.startswith("Bound at an imbalance cap of 0 MW, strategies traded under 2.5 MW; ")
    assert "no capture: they had an imbalance" in section.note
    (months,) = capture_section(stored.rows, strategy_label, ())
    assert [table.title for table in months.tables] == [
        "Imbalance cap 2.5 MW",
        "Bound at an imbalance cap of 0 MW, strategies traded under 2.5 MW: share of the bound at cap 0 MW",
    ]
    only_tight = at_cap(stored.rows.ladder, 0.0), at_cap(stored.rows.capture, 0.0)
    for found in comparisons(PNL, replace(stored.rows, ladder=only_tight[0], capture=only_tight[1])):
        assert set(found.capture) == {"rule_based", "day_ahead_rolling"}
    pictures = risk_pictures(stored.rows, PNL, FIRST, 50.0, made.SETTINGS, Provenance("live", "neso_n2ex", 2026))
    shown = {one.name: one for one in pictures}
    for name in ("ladder_cap_0_mw", "capture_by_month_cap_0_mw"):
        assert "hare of the bound at cap 0 MW" in shown[name].caption
        assert "strategies traded under 2.5 MW" in shown[name].caption
        assert "traded under 2.5 MW" in words_of(shown[name].draw())
        assert "apture" not in words_of(shown[name].draw())
    assert "apture" in words_of(shown["ladder"].draw())


def test_a_workspace_at_cap_0_has_true_captures(stored: Stored) -> None:
    at_0 = at_cap(stored.rows.ladder, 0.0)
    at_0 = at_0.assign(traded_cap_mw=at_0["traded_cap_mw"].where(at_0["traded_cap_mw"].isna(), 0.0))
    (section,) = ladder_section(replace(stored.rows, ladder=at_0), strategy_label, ())
    (table,) = section.tables
    assert table.title.startswith("Imbalance cap 0 MW; ")
    assert table.columns[3] == "capture of its bound"
    assert "no capture" not in section.note


# --- words ----------------------------------------------------------------------------------------


def test_the_ladder_says_value_capture_and_lead_at_each_cap(stored: Stored) -> None:
    ends = {"worth": "worth", "ci": "value", "capture": "capture", "lead": "lead"}
    given = {f"{name}_low": stored.rows.ladder[of] - 0.01 for name, of in ends.items()}
    given |= {f"{name}_high": stored.rows.ladder[of] + 0.01 for name, of in ends.items()}
    ladder = stored.rows.ladder.assign(**given)
    (section,) = ladder_section(replace(stored.rows, ladder=ladder), strategy_label, ())
    assert section.tables[0].title.startswith("Imbalance cap 2.5 MW; ")
    assert f"{DAYS - LATE} days, {LATE} left out" in section.tables[0].title
    for place, cap in enumerate((2.5, 0.0)):
        rows = ladder[ladder["imbalance_cap_mw"] == cap].set_index(["strategy", "basis"])
        row, cash = rows.loc[("co_optimised", "after_wear")], rows.loc[("co_optimised", "cash")]
        found = cells(section, place)["co-optimised, risk-neutral"]
        assert found[0] == f"{row['worth'] / 1e3:.1f}\n{row['worth_low'] / 1e3:.1f} to {row['worth_high'] / 1e3:.1f}"
        assert row["worth"] != pytest.approx(row["value"])
        assert found[1] == f"{cash['value'] / 1e3:.1f}"
        assert found[2] == f"{row['capture']:.1%}\n{row['capture_low']:.1%} to {row['capture_high']:.1%}"
        assert found[3] == "perfect foresight of all markets (upper bound)"
        assert found[4].startswith(f"{row['lead'] / 1e3:.1f}\n")
        assert found[4].endswith("over day-ahead rolling")
    bound = cells(section)["perfect foresight of all markets (upper bound)"]
    assert bound[2:] == ["-", "-", "-"]
    assert section.items == []
    short = ladder[ladder["strategy"] != "co_optimised"]
    (section,) = ladder_section(replace(stored.rows, ladder=short), strategy_label, ())
    assert section.items == [
        "Not compared, for sharing fewer than five days with the others: co-optimised, risk-neutral."
    ]


def test_few_days_have_no_interval_and_the_page_says_why(stored: Stored) -> None:
    assert stored.tables["risk/ladder"][["ci_low", "capture_low", "lead_low"]].isna().all(axis=None)
    assert stored.tables["risk/measure"]["ci_low"].isna().all()
    (ladder,) = ladder_section(stored.rows, strategy_label, ())
    why = "that is less than 10 mean blocks of the bootstrap, and of so few blocks it covers far less than it says."
    assert ladder.items == [f"No intervals of {DAYS - LATE} days: {why}"]
    assert not any("\n" in row[1] for table in ladder.tables for row in table.rows)
    measures = {one.title: one for one in risk_sections(stored.rows, strategy_label, 0.95)}["Measures of risk"]
    few = f"{DAYS - LATE} to {DAYS} days"
    assert measures.items == [
        f"No intervals of {DAYS - LATE} to {DAYS} days: {why}",
        f"Less than one day lies beyond VaR at 95 % of {few}, at 97.5 % of {few}, at 99 % of {few}: VaR and CVaR there "
        "are both the worst day.",
    ]
    long = stored.rows.measure.assign(days=28, ci_low=0.0, ci_high=0.0)
    measures = {one.title: one for one in risk_sections(replace(stored.rows, measure=long), strategy_label, 0.95)}
    assert measures["Measures of risk"].items == [
        "Less than one day lies beyond VaR at 97.5 % of 28 days, at 99 % of 28 days: VaR and CVaR there are both the "
        "worst day."
    ]
    long = stored.rows.measure.assign(days=100, ci_low=0.0, ci_high=0.0)
    measures = {one.title: one for one in risk_sections(replace(stored.rows, measure=long), strategy_label, 0.95)}
    assert measures["Measures of risk"].items == []


def test_the_steps_of_the_waterfall_lead_from_its_first_level_to_its_last(stored: Stored) -> None:
    (section,) = waterfall_section(stored.rows, strategy_label, ())
    assert section.title == "From perfect foresight to co-optimised, mean and CVaR"
    for table in section.tables:
        amounts = [[float(cell.replace(",", "")) if cell != "-" else None for cell in row[3:5]] for row in table.rows]
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


def test_a_rejected_back_test_says_on_the_page_which_way_it_is_wrong(stored: Stored) -> None:
    (row,) = stored.rows.var_backtest.to_dict("records")
    note = "too few exceptions: risk is overstated"
    rejected = row | {"verdict": "rejected", "test": "kupiec", "source": "historical", "note": note}
    rows = replace(stored.rows, var_backtest=pd.DataFrame([row | {"source": "ex_ante"}, rejected]))
    (found,) = [one for one in risk_sections(rows, strategy_label, 0.95) if one.title.startswith("Back-tests")]
    assert f"co-optimised, mean and CVaR, historical, kupiec: {note}" in found.items
    assert row["note"] in found.items


def test_limits_back_tests_stress_and_tail_days_say_what_their_rows_say(stored: Stored) -> None:
    sections = {one.title: one for one in risk_sections(stored.rows, strategy_label, 0.95)}
    limits = sections["Limits of the desk"]
    assert limits.lead.startswith("1 limit was broken")
    day = LAST - timedelta(days=1)
    assert limits.tables[0].rows == [
        ["imbalance", "co-optimised, mean and CVaR", "1", "2", "1", "1,000 MWh", f"1,500 MWh on {day}", "within"]
    ]
    backtest = sections["Back-tests of VaR and CVaR at 95 %"]
    one = stored.rows.var_backtest
    others = [one.assign(test=test) for test in ("christoffersen_independence", "acerbi_szekely_z2")]
    many = replace(stored.rows, var_backtest=pd.concat([one, *others], ignore_index=True))
    (row,) = {s.title: s for s in risk_sections(many, strategy_label, 0.95)}[backtest.title].tables[0].rows
    assert (row[2], row[-1]) == ("all tests", "insufficient data")
    tested = replace(many, var_backtest=many.var_backtest.assign(verdict=["rejected", *["not rejected"] * 2]))
    rows = {s.title: s for s in risk_sections(tested, strategy_label, 0.95)}[backtest.title].tables[0].rows
    assert [row[2] for row in rows] == ["kupiec", "christoffersen independence", "acerbi szekely z2"]
    assert backtest.items == [f"{DAYS - LATE} days of 250"]
    stress = sections["Stress"].tables[0].rows
    assert [row[2:6] for row in stress] == [[str(LAST), "-6,500", "410", "55.0"]]
    assert len(sections["The worst days"].tables[0].rows) == 3
    day_on_day = sections["Day on day, co-optimised, mean and CVaR"]
    assert day_on_day.tables[0].rows[-1] == ["sum", "90", "-10", "5", "85"]
    split = sections["Where P&L and bad days come from, co-optimised, mean and CVaR"]
    assert len({tuple(table.rows[-1][1:]) for table in split.tables}) == 1, "every kind sums to the same"
    assert [table.title for table in split.tables] == ["By stream", "By EFA block", "By driver"]
    assert f"CVaR at 95 % (the worst day of {DAYS - LATE})" in split.lead


def test_without_limits_the_page_says_that_none_is_set(stored: Stored) -> None:
    free = replace(stored.rows, limit_status=stored.rows.limit_status.assign(status="no limit"))
    sections = {one.title: one for one in risk_sections(free, strategy_label, 0.95)}
    assert sections["Limits of the desk"].lead.startswith("No limit is set")


def test_limits_of_risk_are_apart_by_where_it_is_from(stored: Stored) -> None:
    one = stored.rows.limit_status.iloc[[0]].assign(limit_name="var_gbp", unit="GBP", allowed=100.0, excess=0.0)
    days = [
        one.assign(source="ex_ante", measured=80.0, status="within"),
        one.assign(source="historical", measured=120.0, status="breached", excess=20.0),
        one.assign(source="not_measured", measured=float("nan"), status="not measured"),
    ]
    rows = replace(stored.rows, limit_status=pd.concat(days, ignore_index=True))
    (table,) = {s.title: s for s in risk_sections(rows, strategy_label, 0.95)}["Limits of the desk"].tables
    found = {row[0]: (row[2], row[3], row[4]) for row in table.rows}
    assert found == {
        "VaR (ex ante)": ("0", "1", "0"),
        "VaR (historical)": ("1", "1", "0"),
        "VaR": ("0", "0", "1"),
    }


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
    mixed = " ".join(not_included(Settings(), index, traded, ["none", "assumed for DC"]))
    assert "Energy that services move: assumed for DC." in mixed
    assert "move: none" not in mixed
    assert "Energy that services move: none." in not_included(Settings(), index, traded, ["none"])
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


STATEMENTS = {  # view -> its table
    "latest_attribution": "risk/attribution",
    "latest_backtest": "risk/var_backtest",
    "latest_drawdown": "risk/drawdown",
    "latest_explain": "risk/explain",
    "latest_ladder": "risk/ladder",
    "latest_stress": "risk/stress",
    "latest_tail_day": "risk/tail_day",
    "latest_warning": "risk/warning",
    "latest_waterfall": "risk/waterfall",
    "capture_by_month": "risk/capture",
}


def test_a_statement_that_the_newest_day_no_longer_makes_is_no_longer_shown(stored: Stored, tmp_path: Path) -> None:
    place, older = Workspace(tmp_path / "demo"), LAST - timedelta(days=1)
    place.claim("recorded", "elexon_mid")
    falls = pd.DataFrame(
        [(LAST, "rule_based", "cash", 5.0, 0.1, 0.0, None, None, None, 1, 1)],
        columns=list(schemas.columns("risk/drawdown")),
    )
    held = stored.tables | {"risk/drawdown": falls}
    keys = {table: "as_of" if "as_of" in held[table] else "efa_date" for table in STATEMENTS.values()}
    for table, key in keys.items():
        place.lake.write(table, older, held[table].assign(**{key: older}))
        place.lake.write(table, LAST, schemas.empty_frame(table))
    place.lake.write("risk/measure", older, stored.tables["risk/measure"].assign(as_of=older))
    database = warehouse.publish(place)
    shown = {view: len(warehouse.query(database, f"SELECT * FROM risk.{view}")) for view in STATEMENTS}
    assert shown == {view: len(held[table]) for view, table in STATEMENTS.items()}
    place.lake.write("risk/measure", LAST, stored.tables["risk/measure"])
    database = warehouse.publish(place)
    for view in STATEMENTS:
        assert warehouse.query(database, f"SELECT * FROM risk.{view}").empty, view


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
