"""ENTSO-E: recorded documents, curves, resolutions, overlapping auctions and acknowledgements."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from faulty_server import Server, reply
from pydantic import SecretStr

from bess_pipeline import schemas
from bess_pipeline.errors import NotPublishedError, PayloadError, SourceError, UserInputError
from bess_pipeline.sources.entsoe import GB_ZONE, fetch_day_ahead, parse_day_ahead, parse_prices

START = "2020-06-01T22:00Z"


def recorded(realdata: Path, name: str) -> bytes:
    path = realdata / "payloads/entsoe" / name
    if path.suffix == ".yml":
        return str(yaml.safe_load(path.read_text())["responses"][0]["body"]).encode()
    return path.read_bytes()


def points(content: bytes) -> list[tuple[str, str, list[tuple[int, float]]]]:
    """Independent reading by text search: (start, resolution, [(position, price)]) of each period."""
    found = []
    for period in re.findall(r"<Period>(.*?)</Period>", content.decode(), re.DOTALL):
        [start] = re.findall(r"<start>(.*?)</start>", period)
        [resolution] = re.findall(r"<resolution>(.*?)</resolution>", period)
        pairs = re.findall(r"<position>(\d+)</position>\s*<price.amount>(.*?)</price.amount>", period)
        found.append((start, resolution, [(int(p), float(v)) for p, v in pairs]))
    return found


def held(pairs: list[tuple[int, float]], position: int) -> float:
    """Price at a position of curve A03: the last one listed at or before it."""
    return [value for listed, value in pairs if listed <= position][-1]


def document(*series: str, version: str = "7:3") -> bytes:
    space = f"urn:iec62325.351:tc57wg16:451-3:publicationdocument:{version}"
    body = f'<Publication_MarketDocument xmlns="{space}">{"".join(series)}</Publication_MarketDocument>'
    return b'<?xml version="1.0"?>' + body.encode()


def timeseries(
    *periods: str, curve: str = "A03", currency: str = "GBP", sequence: str = "", contract: str = "A01"
) -> str:
    tag = "classificationSequence_AttributeInstanceComponent.position"
    return (
        f"<TimeSeries><contract_MarketAgreement.type>{contract}</contract_MarketAgreement.type>"
        f"<currency_Unit.name>{currency}</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
        + (f"<{tag}>{sequence}</{tag}>" if sequence else "")
        + f"<curveType>{curve}</curveType>{''.join(periods)}</TimeSeries>"
    )


def period(prices: dict[int, object], minutes: int = 60, start: str = START, steps: int = 2) -> str:
    begin = datetime.fromisoformat(start)
    end = begin + steps * timedelta(minutes=minutes)
    listed = "".join(
        f"<Point><position>{p}</position><price.amount>{v}</price.amount></Point>" for p, v in prices.items()
    )
    return (
        f"<Period><timeInterval><start>{begin:%Y-%m-%dT%H:%MZ}</start><end>{end:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
        f"<resolution>PT{minutes}M</resolution>{listed}</Period>"
    )


def acknowledgement(text: str, code: str = "999", version: str = "7:0") -> bytes:
    return (
        f'<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:{version}">'
        f"<Reason><code>{code}</code><text>{text}</text></Reason></Acknowledgement_MarketDocument>"
    ).encode()


NO_DATA = "No matching data found for Data item ENERGY_PRICES [12.1.D] ({zone}) and interval {a}Z/{b}Z."


# --- recorded documents --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "half_hours"),
    [("BE_60M.xml", 48), ("market121_d_energy_prices.yml", 48), ("market_121d_day_ahead_prices_NL.yml", 48)],
)
def test_recorded_hours(realdata: Path, name: str, half_hours: int) -> None:
    content = recorded(realdata, name)
    frame = parse_prices(content)
    [(start, resolution, pairs)] = points(content)
    assert resolution == "PT60M"
    assert len(frame) == half_hours
    assert frame["start_utc"].tolist() == pd.date_range(start, periods=half_hours, freq="30min").tolist()
    assert frame["price"].tolist() == [held(pairs, n // 2 + 1) for n in range(half_hours)]
    assert frame["currency"].unique().tolist() == ["EUR"]
    assert frame["resolution_minutes"].unique().tolist() == [60]


def test_first_recorded_prices(realdata: Path) -> None:
    assert parse_prices(recorded(realdata, "market121_d_energy_prices.yml"))["price"].iloc[:4].tolist() == [
        95.44, 95.44, 87.21, 87.21,
    ]  # fmt: skip
    assert parse_prices(recorded(realdata, "BE_60M.xml"))["price"].iloc[2] == 57.86


def test_recorded_switch_to_quarter_hours_with_omitted_points(realdata: Path) -> None:
    content = recorded(realdata, "ES_day_ahead_price.xml")
    periods = points(content)
    assert [(r, len(p)) for _, r, p in periods] == [("PT60M", 24), ("PT60M", 24), ("PT15M", 93), ("PT15M", 89)]
    frame = parse_prices(content)
    assert frame["resolution_minutes"].tolist() == [60] * 96 + [15] * 96
    expected = [held(pairs, n // 2 + 1) for _, _, pairs in periods[:2] for n in range(48)]
    repeated = [False] * 96
    for _, _, pairs in periods[2:]:
        listed = {position for position, _ in pairs}
        for n in range(48):
            first, second = 2 * n + 1, 2 * n + 2
            expected.append((held(pairs, first) + held(pairs, second)) / 2)
            repeated.append(not {first, second} <= listed)
    assert frame["price"].tolist() == pytest.approx(expected, abs=1e-9)
    assert frame["repeated"].tolist() == repeated
    assert frame["start_utc"].diff().dropna().eq(pd.Timedelta(minutes=30)).all()


def test_recorded_mix_of_resolutions(realdata: Path) -> None:
    content = recorded(realdata, "BE_60M_15M_mix.xml")
    frame = parse_prices(content)
    assert frame["resolution_minutes"].tolist() == [15] * 96 + [60] * 48
    *quarter_hours, (_, resolution, hours) = points(content)
    assert ([r for _, r, _ in quarter_hours], resolution) == (["PT15M", "PT15M"], "PT60M")
    expected = [
        (held(pairs, 2 * n + 1) + held(pairs, 2 * n + 2)) / 2 for _, _, pairs in quarter_hours for n in range(48)
    ] + [held(hours, n // 2 + 1) for n in range(48)]
    assert frame["price"].tolist() == pytest.approx(expected, abs=1e-9)
    assert frame["price"].iloc[:4].tolist() == [55.35, 55.35, 44.22, 44.22]


def test_recorded_overlap_of_two_auctions(realdata: Path) -> None:
    """Sequence 1 (hours) is the coupled auction; sequence 2 (quarter-hours) never stands in for it."""
    content = recorded(realdata, "DE_60M_15M_overlap.xml")
    frame = parse_prices(content)
    coupled = points(content)[:2]
    assert frame["resolution_minutes"].unique().tolist() == [60]
    assert frame["price"].tolist() == [held(pairs, n // 2 + 1) for _, _, pairs in coupled for n in range(48)]
    assert frame["price"].iloc[0] == 67.04


def test_recorded_sequence_2_alone_is_missing(realdata: Path) -> None:
    content = recorded(realdata, "DE_60M_15M_overlap.xml").decode()
    cut = content.replace(content[content.index("<TimeSeries>") : content.index("</TimeSeries>") + 13], "", 1)
    with pytest.raises(NotPublishedError, match="only auction sequence 2"):
        parse_prices(cut.encode())


@pytest.mark.parametrize(
    "name",
    [
        "acknowledgement.invalidrequest.xml",
        "omi_other_market_information_NL.yml",
        "generation161_a_actual_generation_per_generation_unit.yml",
    ],
)
def test_recorded_acknowledgements_are_not_published(realdata: Path, name: str) -> None:
    with pytest.raises(NotPublishedError, match="No matching data found"):
        parse_prices(recorded(realdata, name))


def test_bodies_that_were_not_recorded_are_empty_answers(realdata: Path) -> None:
    for path in (realdata / "payloads/entsoe").glob("balancing*.yml"):
        with pytest.raises(NotPublishedError, match="empty"):
            parse_prices(recorded(realdata, path.name))


def test_recorded_euro_prices_are_refused_for_gb(realdata: Path) -> None:
    with pytest.raises(PayloadError, match=r"are in EUR, not GBP: check sources\.entsoe_zone_eic"):
        parse_day_ahead(recorded(realdata, "BE_60M.xml"))


# --- form --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["7:0", "7:3"])
def test_day_ahead_table_from_both_versions(version: str) -> None:
    content = document(timeseries(period({1: 40, 2: -3.5}), sequence="1"), version=version)
    frame = schemas.validate("market/day_ahead_price", parse_day_ahead(content))
    assert frame["day_ahead_price_gbp_mwh"].tolist() == [40, 40, -3.5, -3.5]
    assert frame["source"].unique().tolist() == ["entsoe"]
    assert frame["native_resolution_minutes"].unique().tolist() == [60]
    assert frame["settlement_period"].tolist() == [47, 48, 1, 2]


@pytest.mark.parametrize(
    ("curve", "minutes", "listed", "expected"),
    [
        ("A03", 30, {1: 1, 3: 3}, {0: 1, 30: 1, 60: 3, 90: 3}),
        ("A01", 30, {1: 1, 3: 3}, {0: 1, 60: 3}),
        ("A03", 30, {2: 2}, {30: 2, 60: 2, 90: 2}),
        ("A03", 15, {1: 1, 2: 2, 4: 4}, {0: 1.5, 30: 3}),
        ("A01", 15, {1: 1, 2: 2, 4: 4}, {0: 1.5}),
        ("A01", 60, {1: 1, 4: 4}, {0: 1, 30: 1, 180: 4, 210: 4}),
        ("", 30, {1: 1, 3: 3}, {0: 1, 60: 3}),
    ],
)
def test_curves_and_resolutions(
    curve: str, minutes: int, listed: dict[int, object], expected: dict[int, float]
) -> None:
    frame = parse_prices(document(timeseries(period(listed, minutes, steps=4), curve=curve)))
    offsets = ((frame["start_utc"] - pd.Timestamp(START)) / pd.Timedelta(minutes=1)).astype(int)
    assert dict(zip(offsets, frame["price"], strict=True)) == expected


def test_an_omitted_point_never_reaches_into_the_next_period() -> None:
    later = "2020-06-02T00:00Z"
    frame = parse_prices(document(timeseries(period({1: 1}), period({2: 9}, start=later))))
    assert frame["price"].tolist() == [1, 1, 1, 1, 9, 9]
    assert pd.Timestamp(later) not in frame["start_utc"].tolist()


def test_the_finest_resolution_of_the_coupled_auction_wins_and_coarser_fills() -> None:
    hours = timeseries(period({1: 10, 2: 20}), sequence="1")
    quarters = timeseries(period({1: 1, 2: 3, 3: 5, 4: 7}, 15, steps=4), sequence="1", curve="A01")
    other = timeseries(period({1: 99}, 15, steps=8), sequence="2")
    for order in ([hours, quarters, other], [other, quarters, hours]):
        frame = parse_prices(document(*order))
        assert frame["price"].tolist() == [2, 6, 20, 20]
        assert frame["resolution_minutes"].tolist() == [15, 15, 60, 60]


def test_no_sequence_counts_as_the_coupled_auction_but_yields_to_an_explicit_one() -> None:
    plain, explicit = timeseries(period({1: 5})), timeseries(period({1: 6}), sequence="1")
    assert parse_prices(document(plain))["price"].unique().tolist() == [5]
    for order in ([plain, explicit], [explicit, plain]):
        assert parse_prices(document(*order))["price"].unique().tolist() == [6]


def test_intraday_auctions_are_not_day_ahead() -> None:
    with pytest.raises(NotPublishedError, match="no day-ahead price"):
        parse_prices(document(timeseries(period({1: 5}), contract="A07")))


def test_repeats_are_dropped_and_contradictions_refused() -> None:
    same, other = timeseries(period({1: 5, 2: 6})), timeseries(period({1: 5, 2: 7}))
    assert len(parse_prices(document(same, same))) == 4
    with pytest.raises(PayloadError, match=r"2020-06-01T23:00Z has two prices of one auction, 6 GBP and 7 GBP"):
        parse_prices(document(same, other))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{}", "not whole XML"),
        (document(timeseries(period({1: 5})))[:-20], "not whole XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "document type"),
        (b"<other/>", "is a other, not a Publication_MarketDocument"),
        (document(timeseries(period({3: 5}))), "position 3 of 2"),
        (document(timeseries(period({0: 5}))), "position 0 of 2"),
        (document(timeseries(period({1: "NaN"}))), "price NaN"),
        (document(timeseries(period({1: "1e999"}))), "price 1e999"),
        (document(timeseries(period({}))), "no point"),
        (document(timeseries(period({1: 5}, 7))), "unknown resolution"),
        (document(timeseries(period({1: 5}, start="2020-06-01T22:10Z"))), "does not fit steps of 60 min"),
        (document(timeseries(period({1: 5}, steps=0))), "does not fit steps"),
        (document(timeseries(period({1: 5}), currency="")), "unknown form"),
        (document(timeseries(period({1: 5}), curve="A05")), "curve type A05"),
        (document(timeseries(period({1: 5}).replace("</Period>", period({1: 6})[-80:]))), "two prices"),
        (acknowledgement("Mandatory parameter missing"), "reason 999.: Mandatory parameter missing"),
        (acknowledgement("No matching data found", code="401"), "refused the request"),
    ],
)
def test_documents_out_of_form_are_refused(content: bytes, words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        parse_prices(content)


def test_only_gbp_enters_the_gb_table() -> None:
    content = document(timeseries(period({1: 5}), currency="EUR"))
    assert parse_prices(content)["currency"].unique().tolist() == ["EUR"]
    with pytest.raises(PayloadError, match="EUR"):
        parse_day_ahead(content)


def test_no_data_for_gb_after_2020_says_where_the_price_is() -> None:
    for version in ("7:0", "8:1"):
        late = NO_DATA.format(zone=GB_ZONE, a="2024-09-23T22:00:00", b="2024-09-24T22:00:00")
        with pytest.raises(NotPublishedError, match=r'no GB day-ahead price after 2020.*day_ahead = "neso_n2ex"'):
            parse_day_ahead(acknowledgement(late, version=version))
    early = NO_DATA.format(zone=GB_ZONE, a="2019-09-23T22:00:00", b="2019-09-24T22:00:00")
    french = NO_DATA.format(zone="10YFR-RTE------C", a="2024-09-23T22:00:00", b="2024-09-24T22:00:00")
    for text in (early, french):
        with pytest.raises(NotPublishedError, match="No matching data found") as caught:
            parse_day_ahead(acknowledgement(text))
        assert "neso_n2ex" not in str(caught.value)


# --- fetch ---------------------------------------------------------------------------------------------------


DAY = datetime(2020, 6, 1, 22, tzinfo=UTC), datetime(2020, 6, 2, 22, tzinfo=UTC)
TOKEN = SecretStr("canary-token")


def test_fetch_sends_the_documented_request(server: Server, make_client: Callable[..., Any]) -> None:
    server.script = lambda handler: reply(handler, document(timeseries(period({1: 5}))), content_type="text/xml")
    [answer] = fetch_day_ahead(make_client(entsoe_base_url=server.url + "/api"), *DAY, GB_ZONE, TOKEN)
    assert server.queries() == [
        {
            "documentType": "A44",
            "contract_MarketAgreement.type": "A01",
            "in_Domain": GB_ZONE,
            "out_Domain": GB_ZONE,
            "periodStart": "202006012200",
            "periodEnd": "202006022200",
            "securityToken": "canary-token",
        }
    ]
    assert "canary" not in answer.url
    assert answer.url.startswith(server.url + "/api?documentType=A44")


@pytest.mark.parametrize("token", [None, SecretStr("")])
def test_a_missing_token_is_said_before_any_request(
    server: Server, make_client: Callable[..., Any], token: SecretStr | None
) -> None:
    with pytest.raises(UserInputError, match="ENTSOE_API_TOKEN"):
        fetch_day_ahead(make_client(entsoe_base_url=server.url), *DAY, GB_ZONE, token)
    assert server.targets == []


def test_a_refused_token_names_the_variable(server: Server, make_client: Callable[..., Any]) -> None:
    server.script = lambda handler: reply(handler, acknowledgement("Unauthorized"), status=401)
    with pytest.raises(SourceError, match="check ENTSOE_API_TOKEN"):
        fetch_day_ahead(make_client(entsoe_base_url=server.url), *DAY, GB_ZONE, TOKEN)


@pytest.mark.parametrize("status", [200, 400])
def test_an_acknowledgement_is_known_by_its_root_whatever_the_status(
    server: Server, make_client: Callable[..., Any], status: int
) -> None:
    client = make_client(entsoe_base_url=server.url)
    server.script = lambda handler: reply(handler, acknowledgement("No matching data found"), status=status)
    with pytest.raises(NotPublishedError, match="No matching data found"):
        fetch_day_ahead(client, *DAY, GB_ZONE, TOKEN)
    late = datetime(2021, 1, 1, 23, tzinfo=UTC)
    with pytest.raises(NotPublishedError, match="neso_n2ex"):
        fetch_day_ahead(client, late - timedelta(days=1), late, GB_ZONE, TOKEN)
    server.script = lambda handler: reply(handler, acknowledgement("Bad periodStart"), status=status)
    with pytest.raises(PayloadError, match="Bad periodStart"):
        fetch_day_ahead(client, *DAY, GB_ZONE, TOKEN)


def test_a_status_400_without_an_acknowledgement_is_refused(server: Server, make_client: Callable[..., Any]) -> None:
    server.script = lambda handler: reply(handler, document(), status=400)
    with pytest.raises(PayloadError, match="HTTP 400"):
        fetch_day_ahead(make_client(entsoe_base_url=server.url), *DAY, GB_ZONE, TOKEN)


def test_long_windows_are_asked_a_year_at_a_time_and_missing_years_left_out(
    server: Server, make_client: Callable[..., Any]
) -> None:
    bodies = [document(timeseries(period({1: 5}))), acknowledgement("No matching data found")]
    server.script = lambda handler: reply(handler, bodies[len(server.targets) - 1])
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 3, 1, tzinfo=UTC)
    answers = fetch_day_ahead(make_client(entsoe_base_url=server.url), start, end, GB_ZONE, TOKEN)
    assert len(answers) == 1
    edges = [(q["periodStart"], q["periodEnd"]) for q in server.queries()]
    assert edges == [("202001010000", "202012310000"), ("202012310000", "202103010000")]
