"""What was expected of single days, limits, and back-tests of it, from frames that are made by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from risk_frames import history_of
from scenario_forecasts import marginals
from scipy.stats import norm

from bess_pipeline import schemas
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.distribution import ForecastSet, RankHistory
from bess_pipeline.lake import Lake
from bess_pipeline.risk import stored_days
from bess_pipeline.risk.day_parts import DayParts
from bess_pipeline.risk.forecast_pnl import ForecastPnl
from bess_pipeline.risk_settings import LimitSettings, RiskSettings
from bess_pipeline.scenarios.storage import forecast_rows
from bess_pipeline.settings import Settings
from bess_pipeline.trading.timeline import gate_utc
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, PLAN_VALUE

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
    assert outcomes["a"].shape == (rows["efa_date"].nunique(), 20)


def test_too_short_a_history_expects_nothing() -> None:
    rows, _ = stored_days.historical_forecasts(history_of({"a": pd.Series(1.0, index=days(20))}), SETTINGS)
    assert rows.empty


def plan_value(day: date, gate: str, var_gbp: float, cvar_gbp: float) -> dict[str, object]:
    row = dict.fromkeys(schemas.columns(PLAN_VALUE), 0.0)
    row |= {"efa_date": day, "strategy": "co_optimised", "gate": gate, "confidence": 0.95, "method": "x", "notes": ""}
    row |= {"scenarios": 1, "fresh_scenarios": 1, "binaries": 0, "activation_basis": ""}
    return row | {"oos_var_gbp": var_gbp, "oos_cvar_gbp": cvar_gbp}


def test_ex_ante_risk_is_of_pnl_with_the_change_of_stored_energy(tmp_path: Path) -> None:
    """A plan opens with 40 MWh at £50 each; the day earns £300 and ends with 46 MWh: it is worth £600."""
    lake, day = Lake(tmp_path / "lake", tmp_path / "bad"), FIRST
    values = [plan_value(day, "day_ahead", 900.0, 1000.0), plan_value(day, "response", -1500.0, -1200.0)]
    lake.write(PLAN_VALUE, day, pd.DataFrame(values))
    lake.write(
        CO_OPTIMISED_PLAN, day, schemas.empty_frame(CO_OPTIMISED_PLAN), {"opening.co_optimised.response": "40.0"}
    )
    history = history_of({"co_optimised": pd.Series([300.0], index=[day])}, closing_mwh=46.0)
    (row,) = stored_days.ex_ante_forecasts(history, lake, lambda *_: 50.0).to_dict("records")
    assert (row["gate"], row["source"], row["confidence"]) == ("response", "ex_ante", 0.95)
    assert row["var_gbp"] == pytest.approx(-1500.0 + 40.0 * 50.0)
    assert row["cvar_gbp"] == pytest.approx(-1200.0 + 40.0 * 50.0)
    assert row["realised_gbp"] == pytest.approx(300.0 + 6.0 * 50.0)
    assert np.isnan(row["mean_gbp"])


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


def test_a_normal_distribution_of_two_numbers() -> None:
    deviation, mean = np.array([100.0, 30.0]), np.array([-20.0, 500.0])
    var, cvar = norm.ppf(0.975) * deviation - mean, norm.pdf(norm.ppf(0.975)) / 0.025 * deviation - mean
    found = ForecastPnl.normal(var, cvar, 0.975, outcomes=4000)
    assert found.mean_gbp == pytest.approx(mean)
    assert found.outcome_gbp.mean(axis=1) == pytest.approx(mean)
    assert found.outcome_gbp.std(axis=1) == pytest.approx(deviation, rel=2e-3)
    assert (found.var_gbp == var).all()
    assert (found.cvar_gbp == cvar).all()
    with pytest.raises(ValueError, match="above its VaR"):
        ForecastPnl.normal([1.0], [1.0], 0.95)


def forecasts_of(count: int, var_gbp: float, cvar_gbp: float, realised: np.ndarray) -> pd.DataFrame:
    rows = pd.DataFrame({"efa_date": days(count), "realised_gbp": realised})
    return rows.assign(
        strategy="a", source="ex_ante", confidence=0.95, mean_gbp=np.nan, var_gbp=var_gbp, cvar_gbp=cvar_gbp
    )


def test_ex_ante_risk_is_tested_against_what_came() -> None:
    draw = np.random.default_rng(6).normal(1000.0, 100.0, 300)
    var, cvar = norm.ppf(0.95) * 100.0 - 1000.0, norm.pdf(norm.ppf(0.95)) / 0.05 * 100.0 - 1000.0
    rows = stored_days.var_backtests(forecasts_of(300, var, cvar, draw), {}, FIRST, SETTINGS, seed=1)
    found = rows.set_index("test")
    assert set(found["exceptions"]) == {int((draw < -var).sum())}
    assert set(found["days"]) == {300}
    assert (found.loc[["kupiec", "acerbi_szekely_z2"], "verdict"] == "not rejected").all()
    assert found.loc["kupiec", "power"] > 0.5
    low = stored_days.var_backtests(forecasts_of(300, var - 80.0, cvar - 80.0, draw), {}, FIRST, SETTINGS, seed=1)
    assert (low.set_index("test").loc[["kupiec", "acerbi_szekely_z2"], "verdict"] == "rejected").all()
    assert low["note"].str.contains("normal").all()


def test_few_days_and_days_without_a_tail_are_said() -> None:
    rows = forecasts_of(31, 10.0, 20.0, np.zeros(31))
    rows.loc[[3, 4], "cvar_gbp"] = 10.0
    found = stored_days.var_backtests(rows, {}, FIRST, SETTINGS, seed=1)
    assert set(found["verdict"]) == {"insufficient data"}
    assert found["note"].str.contains("2 days whose CVaR is not above VaR").all()
    assert stored_days.var_backtests(rows.assign(realised_gbp=np.nan), {}, FIRST, SETTINGS, seed=1).empty
