"""What was expected of single days, limits, and back-tests of it, from frames that are made by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from risk_frames import history_of
from scenario_forecasts import marginals
from scipy.stats import gamma

from bess_pipeline import schemas
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.distribution import ForecastSet, RankHistory
from bess_pipeline.lake import Lake
from bess_pipeline.risk import stored_days
from bess_pipeline.risk.day_parts import DayParts
from bess_pipeline.risk.measures import tail
from bess_pipeline.risk_settings import LimitSettings, RiskSettings
from bess_pipeline.scenarios.storage import forecast_rows
from bess_pipeline.settings import Settings
from bess_pipeline.trading.timeline import gate_utc
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, PLAN_OUTCOME

FIRST = date(2026, 3, 1)
SETTINGS = RiskSettings(historical_days=20, backtest_min_days=30, backtest_simulations=200)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(count)]


def test_historical_risk_knows_no_later_day_than_two_before() -> None:
    pnl = np.random.default_rng(2).normal(100.0, 400.0, 45)
    held = [day for day in days(46) if day.day != 10 or day.month != 3]  # one day is missing
    history = history_of({"a": pd.Series(pnl, index=held)})
    rows, outcomes = stored_days.historical_forecasts(history, SETTINGS)
    by_day = dict(zip(held, pnl, strict=True))
    for row in rows[rows["confidence"] == 0.95].itertuples():
        known = [value for day, value in by_day.items() if day <= row.efa_date - timedelta(days=2)][-20:]
        worst = min(known)  # the worst 5 % of 20 days is one day
        assert row.cvar_gbp == pytest.approx(-worst)
        assert row.mean_gbp == pytest.approx(sum(known) / 20)
        assert row.realised_gbp == by_day[row.efa_date]
    first = rows["efa_date"].min()
    assert sum(day <= first - timedelta(days=2) for day in held) == 20
    known = outcomes["a", "historical"]
    assert set(known) == set(rows["efa_date"])
    assert known[first][0].tolist() == [value for day, value in by_day.items() if day <= first - timedelta(days=2)]


def test_too_short_a_history_expects_nothing() -> None:
    rows, _ = stored_days.historical_forecasts(history_of({"a": pd.Series(1.0, index=days(20))}), SETTINGS)
    assert rows.empty


def plan_outcomes(day: date, gate: str, pnl_gbp: list[float], probability: list[float]) -> pd.DataFrame:
    """In no order of scenarios."""
    rows = pd.DataFrame({"scenario": range(len(pnl_gbp)), "probability": probability, "pnl_gbp": pnl_gbp})
    rows = rows.assign(efa_date=day, strategy="co_optimised", gate=gate)
    return rows[list(schemas.columns(PLAN_OUTCOME))].iloc[::-1]


def test_ex_ante_risk_is_of_pnl_with_the_change_of_stored_energy(tmp_path: Path) -> None:
    """A plan opens with 40 MWh at £50 each; the day earns £300 and ends with 46 MWh: it is worth £600."""
    lake, day = Lake(tmp_path / "lake", tmp_path / "bad"), FIRST
    pnl, chance = [3000.0, 1500.0, 1000.0, -1000.0], [0.5, 0.44, 0.05, 0.01]
    values = [plan_outcomes(day, "day_ahead", [-900.0] * 4, chance), plan_outcomes(day, "response", pnl, chance)]
    lake.write(PLAN_OUTCOME, day, pd.concat(values))
    lake.write(
        CO_OPTIMISED_PLAN, day, schemas.empty_frame(CO_OPTIMISED_PLAN), {"opening.co_optimised.response": "40.0"}
    )
    history = history_of({"co_optimised": pd.Series([300.0], index=[day])}, closing_mwh=46.0)
    rows, outcomes = stored_days.ex_ante_forecasts(history, lake, lambda *_: 50.0, SETTINGS.confidences)
    assert (set(rows["gate"]), set(rows["source"])) == ({"response"}, {"ex_ante"})
    assert rows["realised_gbp"].tolist() == pytest.approx([300.0 + 6.0 * 50.0] * 3)
    assert rows["mean_gbp"].tolist() == pytest.approx(
        [0.5 * 3000.0 + 0.44 * 1500.0 + 0.05 * 1000.0 - 10.0 - 2000.0] * 3
    )
    opening = 40.0 * 50.0
    worst = {  # VaR, and CVaR of as much of the boundary outcome as lies in the tail
        0.95: (opening - 1000.0, opening - (0.04 * 1000.0 - 0.01 * 1000.0) / 0.05),
        0.975: (opening - 1000.0, opening - (0.015 * 1000.0 - 0.01 * 1000.0) / 0.025),
        0.99: (opening - 1000.0, opening + 1000.0),
    }
    assert {row.confidence: (row.var_gbp, row.cvar_gbp) for row in rows.itertuples()} == {
        confidence: pytest.approx(numbers) for confidence, numbers in worst.items()
    }
    (known,) = outcomes["co_optimised", "ex_ante"].values()
    assert known[0].tolist() == [one - opening for one in pnl]
    assert known[1] is not None
    assert known[1].tolist() == chance


def test_few_scenarios_still_have_a_tail_at_a_high_confidence(tmp_path: Path) -> None:
    """Of 40 scenarios the worst has more than the worst 1 %: it is VaR and CVaR at once."""
    lake, day = Lake(tmp_path / "lake", tmp_path / "bad"), FIRST
    lake.write(PLAN_OUTCOME, day, plan_outcomes(day, "day_ahead", [float(n) for n in range(40)], [1 / 40] * 40))
    lake.write(
        CO_OPTIMISED_PLAN, day, schemas.empty_frame(CO_OPTIMISED_PLAN), {"opening.co_optimised.day_ahead": "0.0"}
    )
    history = history_of({"co_optimised": pd.Series([5.0], index=[day])})
    rows, _ = stored_days.ex_ante_forecasts(history, lake, lambda *_: 0.0, (0.9, 0.99))
    assert rows["var_gbp"].tolist() == [-4.0, 0.0]
    assert rows["cvar_gbp"].tolist() == pytest.approx([-1.5, 0.0])


def test_the_worth_of_energy_is_that_of_the_plan(tmp_path: Path) -> None:
    """Two scenarios of 0.25 and 0.75, two hours: the mean price is £70, less wear and losses."""
    lake, settings = Lake(tmp_path / "lake", tmp_path / "bad"), Settings()
    battery = stored_days.Battery.from_settings(settings.battery)
    starts = pd.to_datetime(["2026-03-01T00:00Z", "2026-03-01T01:00Z"]).as_unit("us")
    paths = [
        {"scenario": n, "probability": chance, "start_utc": start, "value": value, "stream": stream, "gate": gate}
        for n, chance in ((0, 0.25), (1, 0.75))
        for start in starts
        for stream, gate, value in (
            ("day_ahead", "day_ahead", 100.0 if n == 0 else 60.0),
            ("system_price", "day_ahead", 1.0),
            ("day_ahead", "response", -9.0),
        )
    ]
    lake.write("scenario/price_path", FIRST, pd.DataFrame(paths).assign(efa_date=FIRST))
    worth = stored_days.plan_worth(lake, settings, battery)
    assert worth(FIRST, "day_ahead") == pytest.approx(0.88**0.5 * (70.0 - 5.0))
    assert worth(FIRST, "response") == pytest.approx(0.88**0.5 * (-9.0 - 5.0))
    prices = {one.name: marginals(one, FIRST) for one in (streams.day_ahead(60), streams.SYSTEM_PRICE)}
    at_gate = ForecastSet(FIRST, "day_ahead", gate_utc(FIRST, "day_ahead"), prices, RankHistory((), {}))
    lake.write("forecast/price_forecast", FIRST, forecast_rows(at_gate))
    worth = stored_days.plan_worth(lake, settings, battery)  # plans stand on scenarios moved to the forecast
    expected = prices["day_ahead"].mean.mean()
    assert expected != pytest.approx(70.0)
    assert worth(FIRST, "day_ahead") == pytest.approx(0.88**0.5 * (expected - 5.0))
    assert worth(FIRST, "response") == pytest.approx(0.88**0.5 * (-9.0 - 5.0))
    fixed = Settings(rolling={"terminal_value_gbp_mwh": 33.0})  # type: ignore[arg-type]
    assert stored_days.plan_worth(lake, fixed, battery)(FIRST, "day_ahead") == 33.0


def positions(**columns: object) -> DayParts:
    nothing = pd.DataFrame()
    rows = pd.DataFrame({"efa_date": [FIRST], "strategy": ["a"]}).assign(**columns)
    return DayParts(nothing, nothing, rows)


def test_limits_are_set_against_ex_ante_risk_and_positions() -> None:
    settings = RiskSettings(
        limits=LimitSettings(
            var_gbp=100.0, cvar_gbp=500.0, open_day_ahead_mwh=10.0, imbalance_mwh=5.0, min_response_share=0.5
        )
    )
    parts = positions(imbalance_mwh=7.5, open_day_ahead_mwh=10.0, response_share=np.nan)
    keys = {"efa_date": FIRST, "strategy": "a", "confidence": 0.95, "mean_gbp": 0.0, "realised_gbp": 0.0, "gate": None}
    forecasts = pd.DataFrame(
        [
            keys | {"source": "historical", "var_gbp": 1e6, "cvar_gbp": 1e6},
            keys | {"source": "ex_ante", "var_gbp": 150.0, "cvar_gbp": 200.0},
            keys | {"source": "ex_ante", "var_gbp": 1e6, "cvar_gbp": 1e6, "confidence": 0.99},
        ]
    )
    history = history_of({"a": pd.Series([1.0], index=[FIRST])})
    rows = stored_days.limit_statuses(history, parts, forecasts, settings)
    found = {row["limit_name"]: (row["status"], row["excess"]) for row in rows.to_dict("records")}
    assert found["var_gbp"] == ("breached", 50.0)
    assert found["cvar_gbp"] == ("within", 0.0)
    assert found["open_day_ahead_mwh"] == ("within", 0.0)
    assert found["imbalance_mwh"] == ("breached", 2.5)
    assert found["min_response_share"][0] == "not measured"
    words = rows.set_index("limit_name")["words"]
    assert words["imbalance_mwh"] == "imbalance is 7.5 MWh, above its limit of 5 by 2.5"


@pytest.mark.parametrize(
    ("confidence", "held", "source", "status"),
    [
        (0.95, ("ex_ante", "historical"), "ex_ante", "within"),
        (0.975, ("ex_ante", "historical"), "historical", "breached"),  # ex-ante rows stand at another confidence
        (0.95, ("historical",), "historical", "breached"),
        (0.95, (), "not_measured", "not measured"),
    ],
)
def test_a_limit_says_which_risk_it_was_set_against(
    confidence: float, held: tuple[str, ...], source: str, status: str
) -> None:
    keys = {"efa_date": FIRST, "strategy": "a", "mean_gbp": 0.0, "realised_gbp": 0.0, "gate": None}
    risk = {
        "ex_ante": keys | {"source": "ex_ante", "confidence": 0.95, "var_gbp": 50.0, "cvar_gbp": 60.0},
        "historical": keys | {"source": "historical", "confidence": confidence, "var_gbp": 300.0, "cvar_gbp": 400.0},
    }
    forecasts = pd.DataFrame([risk[name] for name in held], columns=stored_days.FORECAST_COLUMNS)
    settings = RiskSettings(
        headline_confidence=confidence, limits=LimitSettings(var_gbp=100.0, cvar_gbp=100.0, imbalance_mwh=5.0)
    )
    parts = positions(imbalance_mwh=1.0, open_day_ahead_mwh=0.0, response_share=0.0)
    history = history_of({"a": pd.Series([1.0], index=[FIRST])})
    found = stored_days.limit_statuses(history, parts, forecasts, settings).set_index("limit_name")
    assert set(found.loc[["var_gbp", "cvar_gbp"], "source"]) == {source}
    assert set(found.loc[["var_gbp", "cvar_gbp"], "status"]) == {status}
    assert pd.isna(found.loc["imbalance_mwh", "source"])
    assert source.replace("_", " ") in found.loc["var_gbp", "words"], "the words say it too"


def judged_days(count: int, realised: np.ndarray, moved_gbp: float = 0.0) -> tuple[pd.DataFrame, stored_days.Outcomes]:
    """Forecasts at each confidence of plans whose 200 outcomes are a skew distribution of mean 1000, moved."""
    outcome = 1100.0 - 100.0 * gamma.ppf((np.arange(200) + 0.5) / 200, 1.0) + moved_gbp
    frames = []
    for confidence in SETTINGS.confidences:
        worst = tail(outcome, confidence)
        rows = pd.DataFrame({"efa_date": days(count), "realised_gbp": realised, "confidence": confidence})
        frames.append(rows.assign(mean_gbp=outcome.mean(), var_gbp=worst.var_gbp, cvar_gbp=worst.cvar_gbp))
    rows = pd.concat(frames, ignore_index=True).assign(strategy="a", source="ex_ante")
    return rows, {("a", "ex_ante"): dict.fromkeys(days(count), (outcome, np.full(200, 1 / 200)))}


def test_ex_ante_risk_is_tested_at_each_confidence_against_what_came() -> None:
    came = 1100.0 - np.random.default_rng(6).gamma(1.0, 100.0, 400)
    forecasts, outcomes = judged_days(400, came)
    rows = stored_days.var_backtests(forecasts, outcomes, FIRST, SETTINGS, seed=1)
    assert {(one.confidence, one.test) for one in rows.itertuples()} == {
        (confidence, test) for confidence in SETTINGS.confidences for test in rows["test"]
    }
    assert len(rows) == 3 * 5
    for confidence, part in rows.groupby("confidence"):
        found = part.set_index("test")
        var = forecasts.loc[forecasts["confidence"] == confidence, "var_gbp"].iloc[0]
        assert set(found["exceptions"]) == {int((came < -var).sum())}
        assert set(found["days"]) == {400}
        assert (found.loc[["kupiec", "acerbi_szekely_z1", "acerbi_szekely_z2"], "verdict"] == "not rejected").all()
    assert rows.set_index(["confidence", "test"]).loc[(0.95, "kupiec"), "power"] > 0.3
    low, outcomes = judged_days(400, came, moved_gbp=80.0)
    tested = stored_days.var_backtests(low, outcomes, FIRST, SETTINGS, seed=1).set_index(["confidence", "test"])
    assert (tested.loc[[(0.95, "kupiec"), (0.95, "acerbi_szekely_z2")], "verdict"] == "rejected").all()
    assert tested.loc[(0.95, "kupiec"), "note"] == "too many exceptions: risk is understated"


def test_few_days_and_days_without_a_tail_are_said() -> None:
    forecasts, outcomes = judged_days(31, np.zeros(31))
    known = dict(outcomes["a", "ex_ante"])
    known |= dict.fromkeys(days(31)[3:5], (np.full(200, -10.0), np.full(200, 1 / 200)))
    rows = forecasts[forecasts["confidence"] == 0.95]
    found = stored_days.var_backtests(rows, {("a", "ex_ante"): known}, FIRST, SETTINGS, seed=1)
    assert set(found["verdict"]) == {"insufficient data"}
    assert set(found["days"]) == {29}
    assert found["note"].str.contains("2 days whose outcomes are all alike are left out").all()
    unsettled = rows.assign(realised_gbp=np.nan)
    assert stored_days.var_backtests(unsettled, outcomes, FIRST, SETTINGS, seed=1).empty


@pytest.mark.parametrize("daily_gbp", [0.0, -12.3])
def test_days_whose_outcomes_are_all_alike_have_no_tail_to_test(daily_gbp: float) -> None:
    pnl = np.full(120, daily_gbp)
    pnl[60:] += np.random.default_rng(3).normal(0.0, 50.0, 60)
    rows, outcomes = stored_days.historical_forecasts(history_of({"a": pd.Series(pnl, index=days(120))}), SETTINGS)
    found = stored_days.var_backtests(rows[rows["confidence"] == 0.95], outcomes, FIRST, SETTINGS, seed=1)
    assert found["note"].str.contains("days whose outcomes are all alike are left out").all()
    assert set(found["days"]) == {120 - 62}  # day 61 is the first that knows of the 60th
    still = rows[rows["efa_date"] < days(60)[-1]]
    assert stored_days.var_backtests(still, outcomes, FIRST, SETTINGS, seed=1).empty
