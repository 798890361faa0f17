"""The page of plans: numbers of stored rows, each market from its gate, one sentence where there is no plan."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from decision_frames import hourly_orders, plan_rows, price_rows, response_orders, shape

from bess_pipeline import gb_time, schemas, warehouse
from bess_pipeline.errors import UserInputError
from bess_pipeline.report import plan_tables
from bess_pipeline.report.plans import WrittenPlans, write_plans_page
from bess_pipeline.settings import Settings, load_settings
from bess_pipeline.trading.status import status_row
from bess_pipeline.workspace import Workspace

DAY = date(2025, 2, 4)
NEXT = DAY + timedelta(days=1)
NOW = datetime(2025, 2, 3, 15, 0, tzinfo=UTC)
HOUR = gb_time.efa_half_hours(DAY)[36]
BLOCK = gb_time.efa_block_bounds_utc(DAY, 2)[0]
NO_NUMBER, TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
NOTES = "DML is off: <no> figure\nConduct: this plan holds a position against cash-out"
REFUSED = "the scenarios of the gate are missing"
CLEARING = shape(gb_time.efa_half_hours(DAY))


def values(strategy: str, gate: str, **changes: Any) -> pd.DataFrame:
    row = {
        "efa_date": DAY, "strategy": strategy, "gate": gate, "risk_aversion": 0.5, "confidence": 0.95,
        "objective_gbp": 4000.0, "bound_gbp": 4001.0, "gap": 2.5e-4, "expected_pnl_gbp": 5000.0, "var_gbp": -900.0,
        "cvar_gbp": -800.0, "penalty_gbp": 1.25, "oos_expected_pnl_gbp": 4444.0, "oos_var_gbp": -700.0,
        "oos_cvar_gbp": -123.0, "oos_violation_mwh": 0.31, "headroom_day_ahead_mwh": 12.3,
        "headroom_response_mw_h": 45.6, "headroom_value_gbp": 789.0, "scenarios": 20, "fresh_scenarios": 200,
        "method": "extensive", "binaries": 0, "activation_basis": "assumed: DCL", "notes": NOTES,
    }  # fmt: skip
    return pd.DataFrame([row | changes])


def reason(market: str, product: str, start: pd.Timestamp, mw: float, why: str, gate: str) -> dict[str, Any]:
    return {
        "efa_date": DAY, "strategy": "co_optimised", "gate": gate, "market": market, "product": product,
        "start_utc": start, "committed_mw": mw, "expected_price": 91.25, "displaced_value": 71.5, "margin": 19.75,
        "displaces": "wear 5.00", "binding": "the rating", "why": why,
    }  # fmt: skip


EXPLANATION = pd.DataFrame(
    [
        reason("day_ahead", "hour", HOUR, 30.04, "sells for a good price", "day_ahead"),
        reason("day_ahead", "hour", HOUR, 30.04, "has sold already", "response"),
        reason("response", "DCL", BLOCK, 8.0, "thinks of offering DCL", "day_ahead"),
        reason("response", "DCL", BLOCK, 10.0, "offers DCL", "response"),
        reason("response", "DRL", BLOCK, 0.0, "leaves DRL", "response"),
    ]
)
INFORMATION = pd.DataFrame(
    [
        {"efa_date": DAY, "strategy": "co_optimised", "gate": "day_ahead", "fixed": fixed, "risk_aversion": 0.0,
         "wait_and_see_gbp": 9000.0, "recourse_problem_gbp": 7000.0, "gap_gbp": 0.1, "mean_scenario_gbp": 6900.0,
         "expected_value_gbp": 6500.0, "evpi_gbp": 2000.0, "vss_gbp": vss, "slack_cost_gbp": 3.0}
        for fixed, vss in (("day-ahead", 501.0), ("day-ahead and response", 502.0))
    ]
)  # fmt: skip


def frontier(day: date) -> pd.DataFrame:
    aversion = np.linspace(0.0, 1.0, 3)
    rows = {
        "efa_date": day, "risk_aversion": aversion, "expected_pnl_gbp": 3000.0 - 800.0 * aversion, "var_gbp": 7.0,
        "cvar_gbp": 500.0 - 1500.0 * aversion, "gap": 1e-6, "oos_expected_pnl_gbp": 2711.0, "oos_var_gbp": 8.0,
        "oos_cvar_gbp": np.nan, "oos_violation_mwh": 0.25, "day_ahead_mwh": 80.0, "response_mw_h": 200.0,
        "scenarios": 20, "fresh_scenarios": 100,
    }  # fmt: skip
    return pd.DataFrame(rows)


def sensitivity(day: date) -> pd.DataFrame:
    rows = {
        "efa_date": day, "strategy": "co_optimised_cvar", "gate": "day_ahead", "risk_aversion": 0.5,
        "multiplier": [0.0, 1.0, 2.0], "expected_pnl_gbp": [1100.0, 1200.0, 1050.0], "cvar_gbp": -10.0,
        "response_mw_h": 640.0, "equivalent_cycles": [0.5, 0.75, 1.25],
        "activation_basis": ["assumed: DCL (x 0)", "assumed: DCL", "assumed: DCL (x 2)"],
    }  # fmt: skip
    return pd.DataFrame(rows)


def forecasts() -> pd.DataFrame:
    rows = pd.concat([price_rows(DAY, gate=gate) for gate in ("day_ahead", "response")], ignore_index=True)
    rows = rows.assign(duration_minutes=np.where(rows["stream"] == "day_ahead", 60, 30), unit="GBP/MWh", model="x")
    levels = [name for name in schemas.columns("forecast/price_forecast") if re.fullmatch(r"q\d.*", name)]
    for name in levels:
        level = float(name[1:].replace("_", ".")) / 100.0
        known = rows["q05"] if level <= 0.05 else rows["q95"] if level >= 0.95 else rows["mean"]
        rows[name] = known
    return rows[list(schemas.columns("forecast/price_forecast"))]


def orders() -> pd.DataFrame:
    energy = hourly_orders(DAY, {18: (80.0, 30.0), 3: (20.0, -5.0)}, CLEARING)
    return pd.concat([energy, response_orders(DAY, {(2, "DCL"): (3.33, 10.0)})], ignore_index=True).astype(
        {"basket": "float64"}
    )


STAMP = {f"reason.{strategy}.{gate}": "" for strategy in ("co_optimised", "co_optimised_cvar")
         for gate in ("day_ahead", "response")} | {
    "closed.co_optimised.day_ahead": "yes",
    "closed.co_optimised.response": "yes",
    "reason.co_optimised_cvar.response": REFUSED,
}  # fmt: skip


def fill(place: Workspace) -> None:
    """A day planned at both gates by one strategy and at the first by the other, an earlier frontier, a later refusal.

    The plan of the other strategy sells 2 MW more than it dispatches, and has no notes.
    """
    place.claim("simulated", "neso_n2ex")
    lake, monday = place.lake, DAY - timedelta(days=1)
    averse = plan_rows(DAY, {"DCH": 5.0}).assign(strategy="co_optimised_cvar")
    averse["day_ahead_mw"] += 2.0
    refused = {name: REFUSED for name in STAMP if name.startswith("reason.")}
    lake.write("trading/co_optimised_plan", NEXT, schemas.empty_frame("trading/co_optimised_plan"), refused)
    plans = [plan_rows(DAY), plan_rows(DAY, {"DCL": 10.0}, gate="response"), averse]
    lake.write("trading/co_optimised_plan", DAY, pd.concat(plans, ignore_index=True), STAMP)
    lake.write("trading/orders", DAY, orders())
    lake.write("trading/plan_explanation", DAY, EXPLANATION)
    nothing = {name: np.nan for name in values("", "").columns if name.startswith(("oos_", "headroom_"))}
    worth = [
        values("co_optimised", "day_ahead"),
        values("co_optimised", "response", **nothing, notes="no fresh scenarios"),
        values("co_optimised_cvar", "day_ahead", expected_pnl_gbp=3210.0, notes=None),
    ]
    lake.write("risk/plan_value", DAY, pd.concat(worth, ignore_index=True))
    lake.write("risk/information_value", DAY, INFORMATION)
    lake.write("risk/frontier", monday, frontier(monday))
    lake.write("risk/activation_sensitivity", monday, sensitivity(monday))
    lake.write("forecast/price_forecast", DAY, forecasts())
    warehouse.publish(place)


class _Page(HTMLParser):
    """Text, addresses and the balance of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words = ""
        self.addresses: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(workspace="nowhere")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("plans") / "demo")
    fill(made)
    return made


@pytest.fixture(scope="module")
def written(place: Workspace, settings: Settings) -> WrittenPlans:
    return write_plans_page(settings, place, NOW)


def test_both_strategies_are_shown_with_their_pictures_and_state(written: WrittenPlans) -> None:
    page = _Page(written.page)
    assert (written.page.name, written.day) == ("plans.html", DAY)
    assert set(written.figures) == {
        f"plan_co_optimised_{DAY}", f"offers_co_optimised_{DAY}", f"plan_co_optimised_cvar_{DAY}",
        "frontier_2025-02-03", "activation_2025-02-03",
    }  # fmt: skip
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in written.figures.values())
    assert len([one for one in page.addresses if one.startswith("data:image/png")]) == 5
    assert len(page.addresses) == 5, "nothing is fetched, and no page is linked that is not there"
    for part in (
        "co-optimised, risk-neutral", "co-optimised, mean and CVaR", "not carried out yet", "simulated data",
        "Day-ahead gate: complete. Response gate: complete.", f"Response gate: refused, {REFUSED}.",
        "Day-ahead gate: provisional, made before its gate closed at 2025-02-03T09:50Z.",
    ):  # fmt: skip
        assert part in page.words, part


def test_numbers_and_notes_are_those_of_the_tables(written: WrittenPlans) -> None:
    words = _Page(written.page).words
    for part in (
        "5,000", "4,444", "-556", "-800", "-123", "677", "0.31", "3,210", "12.3 MWh", "45.6", "£789", "£4,001",
        "penalties £1.25", "activation assumed: DCL;", "DML is off: <no> figure", "no fresh scenarios",
        "Day-ahead gate. Conduct: this plan holds", "501", "502", "9,000", "2,711", "2,600", "-1,000",
    ):  # fmt: skip
        assert part in words, part


def test_each_market_is_explained_by_the_gate_that_decided_it(written: WrittenPlans) -> None:
    words = _Page(written.page).words
    for part in ("sells for a good price", "offers DCL", "leaves DRL"):
        assert words.count(part) == 1, part
    assert "has sold already" not in words
    assert "thinks of" not in words
    assert words.index("Services that are left") < words.index("leaves DRL")


def test_a_plan_without_a_note_on_conduct_gets_that_of_its_rows(written: WrittenPlans) -> None:
    words = _Page(written.page).words
    assert words.count("Conduct: ") == 2
    assert "by 48.0 MWh (long 0.0, short 48.0) in 48 of 48" in words


def test_a_later_day_without_a_plan_is_told_with_its_reason(written: WrittenPlans) -> None:
    assert f"There is no plan of all markets for {NEXT}: {REFUSED}." in _Page(written.page).words


def test_why_table_shows_limit_and_outcome_of_the_offer() -> None:
    rows = plan_tables.why_table(EXPLANATION[EXPLANATION["gate"] == "response"], orders())
    by_what = {row["what"]: row for row in rows.to_dict("records")}
    assert list(by_what) == ["DCL", "DRL", "day-ahead"]
    assert by_what["day-ahead"] == {
        "London": "17:00", "what": "day-ahead", "MW": "30.0", "expected price": "91.25", "displaces": "71.50",
        "margin": "19.75", "limit price": "80.00", "accepted, MW": "30.0", "why": "has sold already",
    }  # fmt: skip
    assert (by_what["DCL"]["limit price"], by_what["DCL"]["accepted, MW"]) == ("3.33", NO_NUMBER)
    assert (by_what["DRL"]["limit price"], by_what["DRL"]["accepted, MW"]) == (NO_NUMBER, NO_NUMBER)


def test_a_curve_of_steps_shows_its_range_and_what_was_accepted_in_all() -> None:
    sold = orders().query("offered_mw == 30.0")
    steps = pd.concat([sold.assign(step=1, limit_price=70.0, accepted_mw=12.0, offered_mw=12.0), sold.assign(step=2)])
    row = plan_tables.why_table(EXPLANATION.iloc[:1], steps.assign(start_utc=HOUR)).iloc[0]
    assert (row["limit price"], row["accepted, MW"]) == ("70.00 to 80.00", "42.0")


def test_frontier_and_sensitivity_in_order_with_unknowns_as_a_dash() -> None:
    table = plan_tables.frontier_table(frontier(DAY).iloc[::-1])
    assert table["risk aversion"].tolist() == ["0", "0.5", "1"]
    assert table["expected P&L, £"].tolist() == ["3,000", "2,600", "2,200"]
    assert set(table["CVaR there, £"]) == {NO_NUMBER}
    table = plan_tables.sensitivity_table(sensitivity(DAY).iloc[::-1])
    assert table["activation"].tolist() == [f"{n}{TIMES}" for n in range(3)]
    assert table["equivalent cycles"].tolist() == ["0.50", "0.75", "1.25"]
    assert set(table["basis"]) == {"assumed: DCL"}


@pytest.mark.parametrize(
    ("enabled", "tried", "sentence"),
    [
        (True, False, "There is no plan of all markets: none has been made of any trading day yet."),
        (False, False, "There is no plan of all markets: co_optimisation.enabled is false."),
        (True, True, f"There is no plan of all markets for {DAY}: {REFUSED}."),
    ],
)
def test_without_a_plan_the_page_says_why_and_links_what_is_there(
    tmp_path: Path, settings: Settings, enabled: bool, tried: bool, sentence: str
) -> None:
    place = Workspace(tmp_path / "demo")
    place.claim("simulated", "file")
    place.lake.write("trading/run_status", DAY, status_row(DAY, "rule_based", "refused", "no price"))
    if tried:
        stamp = {name: REFUSED for name in STAMP if name.startswith("reason.")}
        place.lake.write("trading/co_optimised_plan", DAY, schemas.empty_frame("trading/co_optimised_plan"), stamp)
    warehouse.publish(place)
    chosen = settings.model_copy(
        update={"co_optimisation": settings.co_optimisation.model_copy(update={"enabled": enabled})}
    )
    written = write_plans_page(chosen, place, NOW)
    page = _Page(written.page)
    assert (written.day, written.figures) == (None, {})
    assert sentence in page.words
    assert page.addresses == ["report.html"]
    assert "What less risk costs" not in page.words


def test_a_workspace_that_holds_nothing_is_one_sentence(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(UserInputError, match="holds nothing yet"):
        write_plans_page(settings, Workspace(tmp_path / "demo"), NOW)


def test_queries_answer_their_questions(place: Workspace) -> None:
    def asked(name: str) -> pd.DataFrame:
        script = next(path for path in warehouse.sql_files("queries") if path.stem == name)
        return warehouse.query(place.database, script.read_text(encoding="utf-8"))

    plan = asked("plan_of_all_markets").set_index(["strategy", "gate", "efa_block"])
    assert plan.loc[("co_optimised", "response", 2), "low_response_mw"] == 10.0
    assert plan.loc[("co_optimised", "response", 5), "day_ahead_mwh"] == pytest.approx(30.0)
    assert plan.loc[("co_optimised_cvar", "day_ahead", 5), "day_ahead_mwh"] == pytest.approx(38.0)
    assert plan["planned_export_mwh"].sum() == pytest.approx(0.0)
    walked = asked("frontier")
    assert walked["given_up_per_gbp_of_cvar"].iloc[1:].tolist() == pytest.approx([800.0 / 1500.0] * 2)
    taken = asked("orders_accepted").set_index(["market", "side"])
    assert taken.loc[("day_ahead", "sell"), ["accepted", "offered_mw_h", "accepted_mw_h"]].tolist() == [1, 30.0, 30.0]
    assert taken.loc[("day_ahead", "sell"), "paid_gbp"] == pytest.approx(30.0 * CLEARING[36])
    assert taken.loc[("day_ahead", "buy"), "accepted"] == 0
    assert taken.loc[("response", "sell"), "decided"] == 0
