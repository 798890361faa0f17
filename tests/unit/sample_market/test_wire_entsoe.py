"""ENTSO-E's "no data" has the form of the recorded acknowledgements."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from bess_pipeline import schemas
from bess_pipeline.gb_time import efa_columns
from bess_pipeline.sample_market.wire_entsoe import entsoe_reply
from bess_pipeline.sources.entsoe import parse_day_ahead

NOW = datetime(2026, 4, 12, 8, 50, tzinfo=UTC)
GB = "10YGB----------A"
REQUEST = {
    "securityToken": ["secret"],
    "documentType": ["A44"],
    "in_Domain": [GB],
    "out_Domain": [GB],
    "periodStart": ["202603282300"],
    "periodEnd": ["202603292200"],
}


def tags(content: bytes) -> list[str]:
    return [element.tag for element in ElementTree.fromstring(content).iter()]


def reason(content: bytes) -> dict[str, str]:
    root = ElementTree.fromstring(content)
    found = root.find("{*}Reason")
    assert found is not None
    return {element.tag.partition("}")[2]: element.text or "" for element in found}


def test_gb_has_no_data_and_says_so_with_status_200() -> None:
    reply = entsoe_reply(REQUEST, NOW)
    assert reply.status == 200
    assert reason(reply.body) == {
        "code": "999",
        "text": f"No matching data found for Data item ENERGY_PRICES [12.1.D] ({GB}, {GB}) "
        "and interval 2026-03-28T23:00:00Z/2026-03-29T22:00:00Z.",
    }
    assert b"secret" not in reply.body


def test_elements_are_those_of_a_recorded_acknowledgement(realdata: Path) -> None:
    recorded = (realdata / "payloads" / "entsoe" / "omi_other_market_information_NL.yml").read_text()
    body = recorded[recorded.index("<?xml") : recorded.index("</Acknowledgement_MarketDocument>")]
    document = "\n".join(line.strip() for line in body.splitlines()) + "</Acknowledgement_MarketDocument>"
    assert tags(entsoe_reply(REQUEST, NOW).body) == tags(document.encode())


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("202012292300", "202012302300", 24),
        ("202003282300", "202003292200", 23),  # the clock change, a market day of 23 hours
        ("202012300500", "202012300600", 24),  # whole market days that touch the interval
        ("202012302300", "202101012300", 24),  # the last GB day is 31 December 2020
    ],
)
def test_gb_prices_up_to_2020_come_back_hour_by_hour(start: str, end: str, expected: int) -> None:
    hours = pd.Series(pd.date_range("2020-01-01", "2021-02-01", freq="h", unit="us", tz="UTC"))
    table = pd.DataFrame({"start_utc": hours, "day_ahead_price_gbp_mwh": [n / 4 - 50 for n in range(len(hours))]})
    reply = entsoe_reply(REQUEST | {"periodStart": [start], "periodEnd": [end]}, NOW, table)
    assert (reply.status, reply.content_type) == (200, "text/xml")
    rows = schemas.validate("market/day_ahead_price", parse_day_ahead(reply.body))
    known = table.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    assert len(rows) == 2 * expected
    assert rows["day_ahead_price_gbp_mwh"].tolist() == known.loc[rows["start_utc"].dt.floor("h")].tolist()
    assert set(efa_columns(rows["start_utc"])["efa_date"]).isdisjoint({date(2021, 1, 1)})


def test_gb_prices_after_2020_are_no_data_even_where_the_market_has_them() -> None:
    hours = pd.Series(pd.date_range("2026-03-28", "2026-03-30", freq="h", unit="us", tz="UTC"))
    table = pd.DataFrame({"start_utc": hours, "day_ahead_price_gbp_mwh": 50.0})
    assert reason(entsoe_reply(REQUEST, NOW, table).body)["code"] == "999"


@pytest.mark.parametrize("token", [[], [""], ["  "]])
def test_without_a_token_it_is_401(token: list[str]) -> None:
    assert entsoe_reply(REQUEST | {"securityToken": token or [""]}, NOW).status == 401
    assert entsoe_reply({name: v for name, v in REQUEST.items() if name != "securityToken"}, NOW).status == 401


@pytest.mark.parametrize("change", [{"periodStart": ["2026-03-28"]}, {"in_Domain": [""]}])
def test_a_bad_request_is_400_with_a_reason(change: dict[str, list[str]]) -> None:
    reply = entsoe_reply(REQUEST | change, NOW)
    assert reply.status == 400
    assert reason(reply.body)["code"] == "999"


def test_hostile_parameters_stay_text() -> None:
    reply = entsoe_reply(REQUEST | {"in_Domain": ["</text><evil/>&"]}, NOW)
    assert "evil" in reason(reply.body)["text"]
