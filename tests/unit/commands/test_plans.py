"""`bess plan` of stored plans of all markets, on rows written straight into a lake."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from bess_command import done, run_bess
from plan_rows import gate_stamp, plan_frame, store_plans

from bess_pipeline import schemas
from bess_pipeline.trading.stamps import PLAN
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN
from bess_pipeline.workspace import Workspace

NEUTRAL, AVERSE = "co_optimised", "co_optimised_cvar"
BOTH_GATES, DAY_AHEAD_ALONE, ENERGY_ALONE = date(2026, 3, 29), date(2026, 3, 30), date(2026, 3, 31)
NO_RESULT = "there are no scenarios of the response gate: a storm"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days: of all markets at both gates, at the day-ahead gate alone, and of energy alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BESS_SOURCES__MODE", "sample")
    monkeypatch.setenv("BESS_CLOCK__NOW_UTC", "2026-03-29T12:00:00Z")  # the next trading day is the 30th
    lake = Workspace(tmp_path / "ws").lake
    every = [(strategy, gate) for strategy in (NEUTRAL, AVERSE) for gate in ("day_ahead", "response")]
    stamp = {name: text for key in every for name, text in gate_stamp(key, notes="stamped").items()}
    store_plans(lake, BOTH_GATES, {key: 10.0 + place for place, key in enumerate(every)}, stamp)
    early = (AVERSE, "day_ahead")
    stamp |= gate_stamp(early, closed="") | gate_stamp((AVERSE, "response"), reason=NO_RESULT)
    for gate in ("day_ahead", "response"):
        stamp |= gate_stamp((NEUTRAL, gate), reason="the day is cursed")
    store_plans(lake, DAY_AHEAD_ALONE, {early: 20.0}, stamp)
    for day in (BOTH_GATES, ENERGY_ALONE):
        rows = plan_frame(day, ("day_ahead_rolling", "day_ahead"), 0.0)
        rows = rows.assign(dcl_mw=float("nan"), activation_basis=None)
        lake.write(PLAN, day, rows, {"forecast.day_ahead_rolling": "tea leaves"})
    return tmp_path / "ws"


def records(workspace: Path, *options: object) -> list[dict[str, object]]:
    found = done("--workspace", workspace, "plan", *options, "--format", "json").json
    assert isinstance(found, list)
    return found


def test_the_default_is_the_risk_averse_plan_of_the_last_gate(workspace: Path) -> None:
    text = done("--workspace", workspace, "plan", "--date", BOTH_GATES).out
    flat = " ".join(text.split())
    assert f"(co_optimised_cvar), trading day {BOTH_GATES}." in flat
    assert "Plan of the response gate, 14:00 London on 2026-03-28." in flat
    assert "sells because co_optimised_cvar response says so; limit price 63.00" in flat
    assert "expected profit 1,003 GBP" in flat
    assert "a note of co_optimised_cvar response" in flat
    assert "\nstamped\n" in text
    assert "co_optimised " not in flat.replace("co_optimised_cvar", "")
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("strategy", [NEUTRAL, AVERSE])
@pytest.mark.parametrize("gate", ["day_ahead", "response"])
def test_strategy_and_gate_are_those_asked_for_in_every_format(workspace: Path, strategy: str, gate: str) -> None:
    asked = ("--date", BOTH_GATES, "--strategy", strategy, "--gate", gate)
    expected = 10.0 + 2 * (strategy == AVERSE) + (gate == "response")
    found = records(workspace, *asked)
    assert len(found) == 46
    assert {(row["strategy"], row["gate"], row["dcl_mw"]) for row in found} == {(strategy, gate, expected)}
    assert [row["london"] for row in found[3:5]] == ["Sun 00:30", "Sun 02:00"]
    result = done("--workspace", workspace, "plan", *asked, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert list(rows[0]) == list(found[0])
    assert set(rows[0]) == {*schemas.columns(CO_OPTIMISED_PLAN), "london"}
    assert f"plan of the {gate} gate" in result.err
    text = " ".join(done("--workspace", workspace, "plan", *asked).out.split())
    assert f"because {strategy} {gate} says so" in text
    assert ("an intention that the response gate decides anew" in text) == (gate == "day_ahead")


def test_a_gate_without_a_plan_gives_way_to_the_earlier_one_and_says_why(workspace: Path) -> None:
    text = " ".join(done("--workspace", workspace, "plan").out.split())
    assert f"trading day {DAY_AHEAD_ALONE}. Plan of the day_ahead gate, 09:50 London on 2026-03-29" in text
    assert "Made before its gate closed at 2026-03-29T08:50Z." in text
    assert f"The response gate has none: {NO_RESULT}." in text
    assert {row["gate"] for row in records(workspace)} == {"day_ahead"}


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        (("--gate", "response"), f"has no {AVERSE} plan of the response gate for {DAY_AHEAD_ALONE}: {NO_RESULT}"),
        (("--strategy", NEUTRAL), f"has no {NEUTRAL} plan for {DAY_AHEAD_ALONE}: the day is cursed"),
        (("--date", ENERGY_ALONE, "--strategy", AVERSE), f"{AVERSE} plan for {ENERGY_ALONE}: run `bess refresh`"),
        (
            ("--date", ENERGY_ALONE, "--gate", "response"),
            "response gate for 2026-03-31: run `bess refresh`",
        ),
        (("--strategy", "rule_based", "--gate", "response"), "it sells energy alone"),
        (("--strategy", "martingale"), f"choose rule_based, day_ahead_rolling, day_ahead_imbalance, {NEUTRAL} or"),
    ],
)
def test_a_plan_that_is_not_there_is_one_sentence_with_the_reason(
    workspace: Path, options: tuple[object, ...], saying: str
) -> None:
    for form in ("table", "json"):
        result = run_bess("--workspace", workspace, "plan", *options, "--format", form)
        assert (result.status, result.out) == (1, "")
        (sentence,) = result.err.splitlines()
        assert saying in sentence


def test_a_day_without_a_plan_of_all_markets_shows_that_of_energy_in_its_own_columns(workspace: Path) -> None:
    result = done("--workspace", workspace, "plan", "--date", ENERGY_ALONE, "--format", "csv")
    rows = pd.read_csv(io.StringIO(result.out))
    assert list(rows.columns) == [
        "efa_date",
        "strategy",
        "gate",
        "start_utc",
        "london",
        "day_ahead_mw",
        "charge_mw",
        "discharge_mw",
        "energy_mwh",
    ]
    assert set(rows["strategy"]) == {"day_ahead_rolling"}
    assert result.err == "day-ahead prices planned with: tea leaves\n"
    assert "tea leaves" in done("--workspace", workspace, "plan", "--date", ENERGY_ALONE).err
    energy = records(workspace, "--date", BOTH_GATES, "--strategy", "day_ahead_rolling", "--gate", "day_ahead")
    assert {row["strategy"] for row in energy} == {"day_ahead_rolling"}
