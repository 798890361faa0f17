"""The sample market's forecasts: errors that shrink as stated, rounds before the gate, and Elexon's answers."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.gb_time import efa_half_hours
from bess_pipeline.sample_market import MarketServer, MarketTables
from bess_pipeline.sample_market.forecasts import ForecastLaw, forecasts
from bess_pipeline.sample_market.wire_forecasts import ForecastWire
from bess_pipeline.trading.timeline import gate_utc

FIRST, LAST = date(2026, 1, 5), date(2026, 4, 5)


@pytest.fixture(scope="module")
def published(market: MarketTables) -> pd.DataFrame:
    assert market.forecasts is not None
    return market.forecasts


def errors(published: pd.DataFrame, market: MarketTables, dataset: str, column: str) -> pd.DataFrame:
    """Forecast minus what happened, with the lead from the round's hour."""
    assert market.fundamentals is not None
    truth = market.fundamentals.set_index("start_utc")[column]
    rows = published[published["dataset"] == dataset].copy()
    if dataset == "WINDFOR":
        truth = (truth + truth.shift(-1)) / 2
    rows["error"] = rows["value"] - rows["start_utc"].map(truth)
    rows["lead_h"] = (rows["start_utc"] - rows["published_utc"].dt.floor("h")) / pd.Timedelta(hours=1)
    return rows


def test_errors_have_the_laws_size_and_shrink_with_the_lead(published: pd.DataFrame, market: MarketTables) -> None:
    rows = errors(published, market, "NDF", "demand_mw")
    size = rows.groupby(pd.cut(rows["lead_h"], [0, 6, 12, 24, 36, 48]))["error"].std()
    assert size.is_monotonic_increasing
    for band, found in size.items():
        expected = ForecastLaw().demand_error_mw * np.sqrt((band.left + band.right) / 2 / 48)  # type: ignore[attr-defined]
        assert found == pytest.approx(expected, rel=0.25)


def test_a_later_round_is_nearer_the_truth_and_mostly_agrees(published: pd.DataFrame, market: MarketTables) -> None:
    rows = errors(published, market, "WINDFOR", "wind_mw")
    by_round = rows.set_index(["start_utc", "published_utc"])["error"].unstack().T.sort_index()
    wide = by_round.apply(lambda column: column.dropna().reset_index(drop=True)).iloc[:5].T.dropna()
    mean_square = (wide**2).mean()
    assert mean_square.iloc[0] > mean_square.iloc[4]
    assert np.corrcoef(wide[0], wide[1])[0, 1] > 0.5


def test_every_trading_day_is_covered_before_its_day_ahead_gate(published: pd.DataFrame) -> None:
    for dataset, step in (("WINDFOR", 2), ("NDF", 1), ("MELNGC", 1)):
        rows = published[published["dataset"] == dataset]
        first = rows.groupby("start_utc")["published_utc"].min()
        for day in pd.date_range("2025-11-02", "2026-04-13").date:
            assert (first[efa_half_hours(day)[::step]] <= gate_utc(day, "day_ahead")).all(), (dataset, day)


def test_indicated_values_add_up_and_dgws_comes_after_the_gate(published: pd.DataFrame) -> None:
    names = ["INDGEN", "INDDEM", "IMBALNGC", "MELNGC"]
    rows = published[published["dataset"].isin(names)]
    wide = rows.pivot(index=["published_utc", "start_utc"], columns="dataset", values="value")
    assert (wide["IMBALNGC"] == wide["INDGEN"] + wide["INDDEM"]).all()
    assert (wide["INDDEM"] <= 0).all()
    dgws = published[published["dataset"] == "DGWS"]
    assert set(dgws["published_utc"].dt.strftime("%H:%M")) == {"16:45"}
    assert set(dgws["psr_type"]) == {"Wind Offshore", "Wind Onshore"}
    spring = dgws[dgws["published_utc"].dt.date == date(2026, 3, 28)]
    assert spring.groupby("psr_type").size().tolist() == [46, 46]


def test_they_explain_prices(published: pd.DataFrame, market: MarketTables) -> None:
    """The newest wind forecast before the gate goes with lower day-ahead prices, the margin too."""
    assert market.day_ahead is not None
    price = market.day_ahead.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    for dataset in ("WINDFOR", "MELNGC"):
        rows = published[(published["dataset"] == dataset) & (published["published_utc"].dt.hour == 8)]
        ahead = rows[(rows["start_utc"].dt.date > rows["published_utc"].dt.date)]
        both = ahead.set_index("start_utc")["value"].to_frame().join(price, how="inner")
        assert np.corrcoef(both["value"], both["day_ahead_price_gbp_mwh"])[0, 1] < -0.4


def test_the_same_seed_gives_the_same_rows_and_another_does_not(market: MarketTables) -> None:
    assert market.fundamentals is not None
    one, two, other = (forecasts(ForecastLaw(), market.fundamentals, 30_000.0, FIRST, FIRST, n) for n in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one["value"].equals(other["value"])


# --- on the wire --------------------------------------------------------------------------------


def answer(wire: ForecastWire, path: str, **query: str) -> object:
    reply = wire.reply(path, {name: [value] for name, value in query.items()})
    assert reply is not None
    return json.loads(reply.body)


def window(first: str, last: str) -> dict[str, str]:
    return {"publishDateTimeFrom": first, "publishDateTimeTo": last}


def test_rows_are_elexons_and_both_ends_are_included(published: pd.DataFrame) -> None:
    wire = ForecastWire(published)
    asked = window("2026-03-28T02:17:00Z", "2026-03-28T08:17:00Z")
    rows = answer(wire, "/datasets/NDF", **asked)["data"]  # type: ignore[call-overload, index]
    assert sorted({row["publishTime"] for row in rows}) == ["2026-03-28T02:17:00Z", "2026-03-28T08:17:00Z"]
    assert list(rows[0]) == [
        *("dataset", "demand", "publishTime", "startTime", "settlementDate", "settlementPeriod", "boundary")
    ]
    assert answer(wire, "/datasets/NDF/stream", **asked) == rows
    first = next(row for row in rows if row["startTime"] == "2026-03-29T01:00:00Z")
    assert (first["settlementDate"], first["settlementPeriod"]) == ("2026-03-29", 3)  # the clock goes forward then
    wind = answer(wire, "/datasets/WINDFOR/stream", **asked)
    assert isinstance(wind, list)
    assert list(wind[0]) == ["dataset", "generation", "publishTime", "startTime"]


def test_a_wrong_parameter_name_gives_the_latest_publication_in_silence(published: pd.DataFrame) -> None:
    rows = answer(ForecastWire(published), "/datasets/NDF/stream", **{"from": "2026-03-01", "to": "2026-03-02"})
    newest = published.loc[published["dataset"] == "NDF", "published_utc"].max()
    assert {row["publishTime"] for row in rows} == {f"{newest:%Y-%m-%dT%H:%M:%SZ}"}  # type: ignore[attr-defined]


def test_a_market_without_forecasts_answers_with_empty_lists(recorded: MarketTables) -> None:
    wire = ForecastWire(recorded.forecasts)
    assert answer(wire, "/datasets/WINDFOR", **window("2024-01-01", "2024-01-02")) == {"data": []}
    assert answer(wire, "/datasets/MELNGC/stream") == []
    assert wire.reply("/datasets/MID", {}) is None
    assert wire.reply("/balancing/anything", {}) is None


def test_only_what_is_out_is_served(market: MarketTables) -> None:
    served = market.published().forecasts
    assert market.now_utc is not None
    assert served is not None
    assert pd.Timestamp(market.now_utc) - served["published_utc"].max() < timedelta(hours=1)
    assert served["published_utc"].max() <= datetime.fromisoformat(market.now_utc.isoformat())


def test_the_server_answers_with_and_without_the_prefix(market: MarketTables) -> None:
    with MarketServer(market) as server:
        for path in ("/bmrs/api/v1/datasets/NDF", "/datasets/NDF"):
            assert server.answer(path, {}, server.url).status == 200
