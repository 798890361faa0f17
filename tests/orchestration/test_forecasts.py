"""When forecasts, scenarios and scores are made, made again and left alone, on a whole small workspace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from bess_command import done
from small_workspace import CLOCK_CHANGE, DAYS, FIRST, LAST, NEXT_DAY

from bess_pipeline import gb_time
from bess_pipeline.forecast_tables import JUDGEMENT, PATHS
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.lake import Lake
from bess_pipeline.scenarios.daily import MADE_TABLES, GateDays
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.storage import scenarios_from, stream_named
from bess_pipeline.settings import load_settings
from bess_pipeline.trading.co_optimised_names import PLANNED
from bess_pipeline.trading.timeline import gate_utc
from bess_pipeline.verdict import forecast_words
from bess_pipeline.workspace import Workspace

ENDED = gb_time.days_between(FIRST, LAST)
ALL = gb_time.days_between(FIRST, NEXT_DAY)
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
SYSTEM_PRICE, SCORE = "market/system_price", "scenario/score"


def gate_days(root: Path, now: datetime = NOW) -> GateDays:
    return GateDays(load_settings(workspace=root), Workspace(root).lake, lambda: now)


def hashes(lake: Lake, days: Sequence[date] = ALL) -> dict[str, str]:
    return {table: lake.content_hash(table, days) for table in MADE_TABLES}


def make_all(one: GateDays, days: Sequence[date]) -> dict[tuple[str, str, str], str]:
    """All steps over the days as the assets take them: (day, gate, step) -> status."""
    left = one.unfinished(days)
    one.make(left)
    one.score(left)
    return {(str(s.day), s.gate, s.step): s.status for s in one.record_status(left)}


def test_nothing_is_left_after_a_backfill_and_a_refresh(small: Path) -> None:
    assert gate_days(small).unfinished(ALL) == []
    status = Workspace(small).lake.read_all("scenario/gate_status")
    assert len(status) == len(ALL) * 2 * 3
    assert set(status.loc[status["efa_date"] <= LAST, "status"]) == {"complete"}


def test_a_second_backfill_has_nothing_to_do(small_copy: Path) -> None:
    before = Workspace(small_copy).lake.vintage()
    again = done("--workspace", small_copy, "backfill", "--from", FIRST, "--to", LAST)
    assert f"nothing to do: all {DAYS} days are complete with these settings" in again.err
    assert f"forecasts, scenarios and scores: {DAYS} of {DAYS} days are complete" in again.err
    assert "scenarios: " not in again.err
    assert Workspace(small_copy).lake.vintage() == before


def test_a_revised_price_changes_no_forecast_and_asks_for_none(small_copy: Path) -> None:
    one = gate_days(small_copy)
    before = hashes(one.lake)
    rows, stamp = one.lake.read(SYSTEM_PRICE, FIRST, FIRST), one.lake.stamp(SYSTEM_PRICE, FIRST)
    one.lake.write(SYSTEM_PRICE, FIRST, rows.assign(system_price_gbp_mwh=rows["system_price_gbp_mwh"] + 500.0), stamp)
    assert one.unfinished(ALL) == []
    assert make_all(one, ALL) == {}
    assert hashes(one.lake) == before


def test_an_open_gate_is_made_again_once_it_has_closed(small_copy: Path) -> None:
    key = (str(NEXT_DAY), "response", "forecast")
    status = Workspace(small_copy).lake.read("scenario/gate_status", NEXT_DAY, NEXT_DAY)
    open_gate = status[(status["gate"] == "response") & (status["step"] == "forecast")]
    assert open_gate["status"].tolist() == ["provisional"]
    assert "before its gate closed at 2026-04-01T13:00Z" in open_gate["reason"].iloc[0]
    later = gate_days(small_copy, NOW + timedelta(hours=1))
    day_ahead = later.lake.read("forecast/price_forecast", NEXT_DAY, NEXT_DAY).query("gate == 'day_ahead'")
    assert later.unfinished(ALL) == [NEXT_DAY]
    assert make_all(later, ALL)[key] == "complete"
    kept = later.lake.read("forecast/price_forecast", NEXT_DAY, NEXT_DAY).query("gate == 'day_ahead'")
    pd.testing.assert_frame_equal(kept, day_ahead)


def test_a_gate_that_cannot_be_made_says_why_and_waits_for_data(
    small_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BESS_FORECAST__REFUSE_BELOW_DAYS", "14")
    one = gate_days(small_copy)
    assert one.unfinished(ENDED) == ENDED  # other settings
    make_all(one, [FIRST])
    status = one.lake.read("scenario/gate_status", FIRST, FIRST)
    assert set(status["status"]) == {"refused"}
    why = "no energy price has 14 days of known history; fetch more days before it (bess backfill)"
    assert status.loc[status["step"] != "score", "reason"].str.endswith(why).all()
    assert one.lake.read("scenario/price_path", FIRST, FIRST).empty
    assert f"0 of 1 days are complete; {FIRST} day_ahead forecast refused: " in forecast_words(one.lake, [FIRST])
    assert one.unfinished([FIRST]) == []
    one.lake.write(SYSTEM_PRICE, FIRST, one.lake.read(SYSTEM_PRICE, FIRST, FIRST), one.lake.stamp(SYSTEM_PRICE, FIRST))
    assert one.unfinished([FIRST]) == [FIRST]


@pytest.mark.slow
def test_a_day_without_forecasts_is_traded(small_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where plans would stand on them."""
    monkeypatch.setenv("BESS_FORECAST__REFUSE_BELOW_DAYS", "14")
    monkeypatch.setenv("BESS_ROLLING__FORECAST", "chosen")
    result = done("--workspace", small_copy, "backfill", "--from", FIRST, "--to", LAST)
    assert f"{DAYS} of {DAYS} days are complete" in result.err
    assert f"{FIRST} day_ahead forecast refused: " in result.err
    trading = Workspace(small_copy).lake.read("trading/run_status", FIRST, LAST)
    idle = trading[trading["strategy"].isin(PLANNED)]
    assert set(trading.loc[~trading["strategy"].isin(PLANNED), "status"]) == {"complete"}
    assert set(idle["strategy"]) == set(PLANNED)
    assert set(idle["status"]) == {"refused"}  # scenarios are all that these plan with
    assert idle["reason"].str.contains("no scenarios").all()


def test_activation_that_comes_out_later_is_scored_then(small_copy: Path) -> None:
    one = gate_days(small_copy)
    before = one.lake.read(SCORE, CLOCK_CHANGE, CLOCK_CHANGE)
    assert before.loc[before["stream"] == "activation_DCL", "score"].isin(["crps", "rank"]).sum() == 0
    for day in (CLOCK_CHANGE - timedelta(days=1), CLOCK_CHANGE):
        starts = gb_time.settlement_half_hours(day)
        rows = pd.DataFrame({"product": "DCL", "start_utc": starts, "energy_mwh_per_mw": 0.01, "coverage": 1.0})
        one.lake.write("market/response_energy", day, rows.assign(basis="measured"))
    left = one.unfinished(ALL)
    assert left == [CLOCK_CHANGE - timedelta(days=1), CLOCK_CHANGE, CLOCK_CHANGE + timedelta(days=1)]
    made = hashes(one.lake)
    make_all(one, [CLOCK_CHANGE])
    scores = one.lake.read(SCORE, CLOCK_CHANGE, CLOCK_CHANGE)
    own = scores[(scores["stream"] == "activation_DCL") & (scores["gate"] == "day_ahead")].set_index("score")["value"]
    assert own["crps"] == pytest.approx(0.01 - 0.00312)  # of a forecast without spread: the distance
    assert hashes(one.lake) == made
    assert CLOCK_CHANGE not in one.unfinished(ALL)


def stored_set(lake: Lake, table: str, day: date) -> ScenarioSet:
    """The paths of the day-ahead gate in a table."""
    rows = lake.read(table, day, day).query("gate == 'day_ahead'")
    streams: dict[str, Stream] = {name: stream_named(name, 60) for name in rows["stream"].unique()}
    return scenarios_from(rows, streams, day, "day_ahead", gate_utc(day, "day_ahead"), "copula", 1)


@pytest.mark.parametrize("day", [FIRST, CLOCK_CHANGE, CLOCK_CHANGE - timedelta(days=1)])
def test_paths_that_plans_are_judged_on_are_drawn_apart_from_those_they_are_made_with(small: Path, day: date) -> None:
    lake = Workspace(small).lake
    assert set(lake.read(JUDGEMENT, day, day)["gate"]) == {"day_ahead"}
    judged, planned = stored_set(lake, JUDGEMENT, day), stored_set(lake, PATHS, day)
    assert judged.probability.tolist() == pytest.approx([0.1] * 10)
    assert set(judged.value) == set(planned.value)
    for name, starts in planned.start_utc.items():
        assert judged.start_utc[name].equals(starts)
    for path in planned.value["day_ahead"]:
        assert (judged.value["day_ahead"] != path).any(axis=1).all()
    assert lake.stamp(JUDGEMENT, day) == lake.stamp(PATHS, day)


def test_without_fresh_paths_nothing_else_changes(small_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hashes(gate_days(small_copy).lake, [FIRST])
    monkeypatch.setenv("BESS_SCENARIOS__FRESH", "0")
    one = gate_days(small_copy)
    make_all(one, [FIRST])
    assert one.lake.read(JUDGEMENT, FIRST, FIRST).empty
    after = hashes(one.lake, [FIRST])
    assert {table for table in MADE_TABLES if after[table] != before[table]} == {JUDGEMENT}


@pytest.mark.parametrize("table", MADE_TABLES)
def test_a_stop_between_the_tables_of_a_day_costs_nothing(
    small_copy: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends as it is about to write a table leaves a day that the next one makes whole."""
    one = gate_days(small_copy)
    before = hashes(one.lake)
    for written in MADE_TABLES:
        one.lake.path(written, LAST).unlink()
    write = Lake.write

    def stopped(lake: Lake, name: str, *rest: object) -> object:
        if name == table:
            raise KeyboardInterrupt
        return write(lake, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        one.make([LAST])
    monkeypatch.setattr(Lake, "write", write)
    assert one.unfinished(ALL) == [LAST]
    make_all(one, ALL)
    assert hashes(one.lake) == before
    assert one.unfinished(ALL) == []
