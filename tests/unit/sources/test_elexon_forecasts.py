"""Elexon's forecast data sets: recorded rows, the window trap, and every refusal on small payloads."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest
from faulty_server import Server, reply

from bess_pipeline import schemas
from bess_pipeline.errors import PayloadError
from bess_pipeline.sources.elexon_forecasts import FORECAST_SETS, fetch_forecasts, parse_forecasts
from bess_pipeline.sources.http import HttpClient, RejectedAnswerError

MakeClient = Callable[..., HttpClient]
# WINDFOR, NDF and MELNGC as others recorded them from the live API in 2026; DGWS and INDDEM by its OpenAPI document.
WINDFOR = {"dataset": "WINDFOR", "publishTime": "2026-05-05T23:30:00Z", "startTime": "2026-05-04T20:00:00Z",
           "generation": 2983}  # fmt: skip
NDF = {"dataset": "NDF", "demand": 21200, "publishTime": "2026-05-06T02:47:00Z", "startTime": "2026-05-06T03:00:00Z",
       "settlementDate": "2026-05-06", "settlementPeriod": 9, "boundary": "N"}  # fmt: skip
MELNGC = {"dataset": "MELNGC", "margin": -3309, "publishTime": "2026-05-06T02:47:00Z",
          "startTime": "2026-05-06T03:00:00Z", "settlementDate": "2026-05-06", "settlementPeriod": 9,
          "boundary": "B1"}  # fmt: skip
DGWS = {"publishTime": "2026-09-07T16:45:11Z", "processType": "Day ahead", "businessType": "Wind generation",
        "psrType": "Wind Onshore", "startTime": "2026-09-08T22:30:00Z", "settlementDate": "2026-09-08",
        "settlementPeriod": 48, "quantity": 7602.0}  # fmt: skip
INDDEM = {"dataset": "INDDEM", "demand": -21600, "publishTime": "2026-05-06T02:47:00Z",
          "startTime": "2026-05-06T03:30:00Z", "settlementDate": "2026-05-06", "settlementPeriod": 10,
          "boundary": "N"}  # fmt: skip


def body(*rows: object) -> bytes:
    return json.dumps({"data": list(rows)}).encode()


def parse(*rows: object) -> list[tuple[str, str, str, float]]:
    frame = schemas.validate("market/fundamental_forecast", parse_forecasts(body(*rows)))
    stamps = [frame[name].dt.strftime("%m-%dT%H:%M:%S") for name in ("published_utc", "start_utc")]
    return list(zip(frame["series"], *stamps, frame["value"], strict=True))


def test_recorded_rows_give_their_series_times_and_values() -> None:
    assert parse(WINDFOR) == [("wind", "05-05T23:30:00", "05-04T20:00:00", 2983.0)]
    assert parse(NDF) == [("demand", "05-06T02:47:00", "05-06T03:00:00", 21200.0)]
    assert parse(DGWS) == [("wind_onshore_day_ahead", "09-07T16:45:11", "09-08T22:30:00", 7602.0)]
    assert parse(INDDEM) == [("indicated_demand", "05-06T02:47:00", "05-06T03:30:00", -21600.0)]
    assert len(parse(WINDFOR, NDF, DGWS, INDDEM)) == 4


def test_zonal_rows_other_processes_and_rows_without_a_value_are_left_out() -> None:
    assert parse(MELNGC) == []
    assert parse(MELNGC, MELNGC | {"boundary": "N", "margin": 9000}) == [
        ("indicated_margin", "05-06T02:47:00", "05-06T03:00:00", 9000.0)
    ]
    assert parse(DGWS | {"processType": "Intraday process"}) == []
    assert parse(NDF, NDF | {"startTime": "2026-05-06T03:30:00Z", "settlementPeriod": 10, "demand": None}) == parse(NDF)


def test_every_publication_is_kept_and_an_exact_repeat_dropped() -> None:
    later = NDF | {"publishTime": "2026-05-06T03:17:00Z", "demand": 21300}
    assert [value for *_, value in parse(later, NDF, NDF, later)] == [21200.0, 21300.0]
    with pytest.raises(PayloadError, match="contradict"):
        parse(NDF, NDF | {"demand": 1})


@pytest.mark.parametrize("content", [b'{"data": []}', b"[]", b""])
def test_nothing_published_is_no_row(content: bytes) -> None:
    frame = parse_forecasts(content)
    assert frame.empty
    assert frame.dtypes.equals(schemas.empty_frame("market/fundamental_forecast").dtypes)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"dataset": "FUELHH"}, "unknown data set"),
        ({"dataset": None}, "unknown data set"),
        ({"publishTime": "2026-05-06T02:47:00"}, "publishTime is not a time stamp with its zone"),
        ({"publishTime": None}, "no field publishTime"),
        ({"startTime": "soon"}, "startTime is not a time stamp"),
        ({"startTime": "2026-05-06T03:30:00Z"}, "does not start at"),
        ({"settlementPeriod": 51}, "does not start at"),
        ({"demand": "21200"}, "demand is not a finite number"),
        ({"demand": True}, "demand is not a finite number"),
        ({"demand": {}}, "demand is not a finite number"),
    ],
)
def test_a_wrong_row_is_one_sentence(change: dict[str, Any], named: str) -> None:
    good = NDF | {"startTime": "2026-05-06T04:00:00Z", "settlementPeriod": 11}
    if change.get("publishTime", "") is None:
        with pytest.raises(PayloadError, match=named):
            parse(NDF | change)
        return
    with pytest.raises(PayloadError, match=named) as caught:
        parse(good, NDF | change)
    assert "\n" not in str(caught.value)


def test_dropped_or_renamed_fields_and_unknown_kinds_are_refused() -> None:
    renamed = {("nationalDemand" if name == "demand" else name): value for name, value in NDF.items()}
    with pytest.raises(PayloadError, match="no field demand"):
        parse(renamed)
    with pytest.raises(PayloadError, match="unknown psrType Tidal"):
        parse(DGWS, DGWS | {"psrType": "Tidal"})
    with pytest.raises(PayloadError, match="not JSON"):
        parse_forecasts(body(NDF)[:-5])
    with pytest.raises(PayloadError, match="refused the request: too long"):
        parse_forecasts(b'{"errors": {"": ["too long"]}}')


# --- asking -------------------------------------------------------------------------------------


def test_windows_are_settlement_dates_in_the_parameters_that_these_data_sets_know(
    server: Server, make_client: MakeClient
) -> None:
    server.script = lambda handler: reply(handler, b'{"data": []}')
    answers = fetch_forecasts(make_client(elexon_base_url=server.url), date(2026, 3, 28), date(2026, 4, 2))
    assert [target.split("?")[0] for target in server.targets] == [f"/datasets/{name}" for name in FORECAST_SETS]
    assert len(answers) == len(FORECAST_SETS) == 7
    for query in server.queries():
        assert query["publishDateTimeFrom"] == "2026-03-28T00:00:00Z"
        assert query["publishDateTimeTo"] == "2026-04-02T22:59:59Z"  # one second before midnight in London
    assert [query.get("boundary") for query in server.queries()] == [None, None, None, "N", "N", "N", "N"]


@pytest.mark.parametrize("stamp", ["2026-05-05T22:59:59Z", "2026-05-06T23:00:00Z", "2025-01-01T00:00:00Z", "never"])
def test_publications_of_another_time_than_asked_for_are_rejected_and_kept(
    stamp: str, server: Server, make_client: MakeClient
) -> None:
    """The trap: a parameter that the endpoint does not know is ignored, and the latest data comes instead."""
    server.script = lambda handler: reply(handler, body(NDF, NDF | {"publishTime": stamp}))
    with pytest.raises(RejectedAnswerError, match="asked for publications of 2026-05-05T23:00:00Z") as caught:
        fetch_forecasts(make_client(elexon_base_url=server.url), date(2026, 5, 6), date(2026, 5, 6))
    assert stamp in str(caught.value)
    assert caught.value.answer.content == body(NDF, NDF | {"publishTime": stamp})


def test_the_first_and_last_second_of_the_window_are_inside(server: Server, make_client: MakeClient) -> None:
    rows = [NDF | {"publishTime": stamp} for stamp in ("2026-05-05T23:00:00Z", "2026-05-06T22:59:59Z")]
    server.script = lambda handler: reply(handler, body(*rows))
    client = make_client(elexon_base_url=server.url)
    (first, *_) = fetch_forecasts(client, date(2026, 5, 6), date(2026, 5, 6))
    assert isinstance(parse_forecasts(first.content), pd.DataFrame)
