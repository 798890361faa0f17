"""The market over HTTP: prefixes, headers, publication, faults on the wire, ports and requests served."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from urllib.parse import urlencode

import pytest
import requests

from bess_pipeline.errors import UserInputError
from bess_pipeline.sample_market import Fault, MarketServer, MarketTables
from bess_pipeline.sample_market.server import ORIGIN_HEADER

PRICES = "/balancing/settlement/system-prices/2026-03-29"
SUMMARY = "596f29ac-0387-4ba4-a6d3-95c243140707"


@pytest.fixture
def faulty(server: MarketServer) -> Iterator[MarketServer]:
    yield server
    server.faults.clear()


def get(server: MarketServer, target: str) -> requests.Response:
    return requests.get(server.url + target, timeout=20)


def test_base_urls_are_named_as_in_the_settings(server: MarketServer) -> None:
    assert server.base_urls == {
        "elexon_base_url": f"http://127.0.0.1:{server.port}/bmrs/api/v1",
        "neso_base_url": f"http://127.0.0.1:{server.port}",
        "entsoe_base_url": f"http://127.0.0.1:{server.port}/api",
    }
    assert server.url == f"http://127.0.0.1:{server.port}"


@pytest.mark.parametrize("prefix", ["/bmrs/api/v1", ""])
def test_elexon_is_found_with_and_without_its_prefix(server: MarketServer, prefix: str) -> None:
    answer = get(server, prefix + PRICES)
    assert len(answer.json()["data"]) == 46
    assert answer.headers["Content-Length"] == str(len(answer.content))
    index = get(server, f"{prefix}/balancing/pricing/market-index?from=2026-03-20T00:00Z&to=2026-03-20T00:00Z")
    assert len(index.json()["data"]) == 2


def test_entsoe_is_found_at_api_and_at_the_root(server: MarketServer) -> None:
    query = urlencode(
        {
            "securityToken": "hush",
            "documentType": "A44",
            "in_Domain": "10YGB----------A",
            "out_Domain": "10YGB----------A",
            "periodStart": "202603280000",
            "periodEnd": "202603290000",
        }
    )
    for path in ("/api", "/"):
        answer = get(server, f"{path}?{query}")
        assert answer.status_code == 200
        assert "<code>999</code>" in answer.text
    assert get(server, "/api?documentType=A44").status_code == 401
    assert not any("hush" in target for target in server.requests)


def test_neso_addresses_point_back_at_the_server(server: MarketServer) -> None:
    package = get(server, "/api/3/action/package_show?id=eac-auction-results").json()["result"]
    dump = requests.get(package["resources"][0]["url"], timeout=20)
    assert dump.text.startswith("_id,auctionID,auctionProduct")


def test_every_answer_names_its_origin(server: MarketServer) -> None:
    for target in (PRICES, "/nothing", "/api?documentType=A44", "/bess/market", "/bess/faults"):
        assert get(server, target).headers[ORIGIN_HEADER] == "simulated"
    assert get(server, "/nothing").status_code == 404
    assert get(server, "/").status_code == 404


def test_our_own_clients_may_ask_what_the_market_is(server: MarketServer) -> None:
    assert get(server, "/bess/market").json() == {
        "origin": "simulated",
        "day_ahead_leg": "neso_n2ex",
        "first_date": "2025-11-01",
        "last_date": "2026-04-13",
        "now_utc": "2026-04-12T08:50:00Z",
    }


def test_recorded_tables_name_their_day_ahead_leg_and_have_no_clock(recorded: MarketTables) -> None:
    with MarketServer(recorded) as running:
        answer = get(running, "/bess/market")
        assert answer.headers[ORIGIN_HEADER] == "recorded"
        assert answer.json() == {
            "origin": "recorded",
            "day_ahead_leg": "elexon_mid",
            "first_date": "2023-07-01",
            "last_date": "2025-03-31",
            "now_utc": None,
        }
        assert len(get(running, "/balancing/settlement/system-prices/2024-10-27").json()["data"]) == 50


def test_nothing_after_now_is_served(server: MarketServer) -> None:
    rows = get(server, "/balancing/settlement/system-prices/2026-04-12").json()["data"]
    assert rows[-1]["startTime"] == "2026-04-12T07:00:00Z"  # ended 07:30, out at 08:30; now is 08:50
    assert get(server, "/balancing/settlement/system-prices/2026-04-13").json()["data"] == []
    index = get(
        server, "/balancing/pricing/market-index?from=2026-04-12T07:00Z&to=2026-04-13T00:00Z&dataProviders=APXMIDP"
    )
    assert [row["startTime"] for row in index.json()["data"]][-1] == "2026-04-12T08:00:00Z"
    sql = f'SELECT MAX("deliveryStart") AS last FROM "{SUMMARY}" WHERE "serviceType" = \'Response\''
    answer = get(server, "/api/3/action/datastore_search_sql?" + urlencode({"sql": sql}))
    assert answer.json()["result"]["records"] == [{"last": "2026-04-12T18:00:00"}]
    dump = get(server, "/datastore/dump/4f27eea5-7038-4f73-9740-e3e4ad47c26a")
    assert dump.text.splitlines()[-1].startswith("2026-04-12,21:00 - 22:00,")


def test_requests_served_are_listed_in_order_without_our_own(market: MarketTables) -> None:
    with MarketServer(market) as running:
        get(running, PRICES)
        get(running, "/bess/market")
        get(running, "/nothing?securityToken=hush&x=1")
        assert running.requests == [PRICES, "/nothing?securityToken=***&x=1"]


def test_one_connection_serves_many_requests(server: MarketServer) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _ in range(3):
        connection.request("GET", PRICES)
        answer = connection.getresponse()
        assert answer.version == 11
        assert len(answer.read()) > 1000
        assert connection.sock is not None
    connection.close()


def test_status_fault_with_retry_after_strikes_a_number_of_times(faulty: MarketServer) -> None:
    faulty.faults.add(Fault("status", path="system-prices", status=429, retry_after="86400", count=2))
    answers = [get(faulty, PRICES) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["86400", "86400", None]


def test_html_with_200_and_empty_lists(faulty: MarketServer) -> None:
    faulty.faults.add(Fault("html", count=1))
    answer = get(faulty, PRICES)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers[ORIGIN_HEADER] == "simulated"
    faulty.faults.add(Fault("empty"))
    assert get(faulty, PRICES).json() == {"metadata": {"datasets": ["DISEBSP"]}, "data": []}
    assert get(faulty, "/datasets/MID/stream?from=2026-03-20&to=2026-03-21").json() == []
    sql = urlencode({"sql": f'SELECT * FROM "{SUMMARY}"'})
    found = get(faulty, f"/api/3/action/datastore_search_sql?{sql}").json()
    assert found["success"] is True
    assert found["result"]["records"] == []
    assert get(faulty, f"/api/3/action/datastore_search?resource_id={SUMMARY}").json()["result"]["total"] == 0
    assert get(faulty, f"/datastore/dump/{SUMMARY}").content == b""


def whole(server: MarketServer) -> bytes:
    return get(server, PRICES).content


def test_a_truncated_body_under_its_full_length(faulty: MarketServer) -> None:
    expected = whole(faulty)
    faulty.faults.add(Fault("truncate", count=1))
    connection = HTTPConnection("127.0.0.1", faulty.port, timeout=20)
    connection.request("GET", PRICES)
    with pytest.raises(IncompleteRead) as error:
        connection.getresponse().read()
    connection.close()
    assert error.value.partial == expected[: len(expected) // 2]
    assert whole(faulty) == expected


def test_a_truncated_body_without_a_length(faulty: MarketServer) -> None:
    expected = whole(faulty)
    faulty.faults.add(Fault("truncate_unannounced", count=1))
    answer = get(faulty, PRICES)
    assert "Content-Length" not in answer.headers
    assert answer.content == expected[: len(expected) // 2]


def test_bad_gzip_cannot_be_unpacked(faulty: MarketServer) -> None:
    faulty.faults.add(Fault("bad_gzip", count=1))
    with pytest.raises(requests.exceptions.ContentDecodingError):
        get(faulty, PRICES)
    raw = gzip.compress(b"x")[:2]
    faulty.faults.add(Fault("bad_gzip", count=1))
    connection = HTTPConnection("127.0.0.1", faulty.port, timeout=20)
    connection.request("GET", PRICES)
    answer = connection.getresponse()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.read().startswith(raw)
    connection.close()


def test_a_reset_breaks_the_connection(faulty: MarketServer) -> None:
    faulty.faults.add(Fault("reset", count=1))
    connection = HTTPConnection("127.0.0.1", faulty.port, timeout=20)
    connection.request("GET", PRICES)
    with pytest.raises(ConnectionResetError):
        connection.getresponse()
    connection.close()
    assert get(faulty, PRICES).ok


def test_a_drip_sends_the_whole_body_in_pieces(faulty: MarketServer) -> None:
    expected = whole(faulty)
    faulty.faults.add(Fault("drip", count=1, seconds=0.3))
    assert get(faulty, PRICES).content == expected


def test_a_hang_gives_no_answer_and_ends_when_the_server_does(market: MarketTables) -> None:
    running = MarketServer(market, faults=[Fault("hang", seconds=3600)])
    with running:
        connection = HTTPConnection("127.0.0.1", running.port, timeout=20)
        connection.request("GET", PRICES)
        while not running.requests:
            assert not running.stopping.wait(0.01)
    with pytest.raises(RemoteDisconnected):
        connection.getresponse()
    connection.close()
    assert running.requests == [PRICES]


def test_faults_are_set_seen_and_lifted_over_http(faulty: MarketServer) -> None:
    address = f"{faulty.url}/bess/faults"
    listed = requests.get(f"{address}?kind=status&status=500&date=2026-03-29&count=1", timeout=20).json()["faults"]
    assert [(fault["kind"], fault["status"], fault["date"], fault["count"]) for fault in listed] == [
        ("status", 500, "2026-03-29", 1)
    ]
    requests.post(address, data={"kind": "html", "path": "stack"}, timeout=20).raise_for_status()
    assert get(faulty, "/balancing/settlement/system-prices/2026-03-28").ok
    assert get(faulty, PRICES).status_code == 500
    assert [fault["count"] for fault in requests.get(address, timeout=20).json()["faults"]] == [0, None]
    assert requests.get(f"{address}?kind=explode", timeout=20).status_code == 400
    assert requests.post(f"{address}?clear=1", timeout=20).json() == {"faults": []}
    assert requests.post(faulty.url + PRICES, timeout=20).status_code == 405


def test_a_port_in_use_is_one_sentence(server: MarketServer, market: MarketTables) -> None:
    with pytest.raises(UserInputError) as error:
        MarketServer(market, port=server.port)
    sentence = "is in use by another program; choose another with --port, or 0 for any free one"
    assert str(error.value) == f"port {server.port} on 127.0.0.1 {sentence}"
    with pytest.raises(UserInputError, match="is not a port"):
        MarketServer(market, port=70_000)


def test_the_port_is_free_again_after_use(market: MarketTables) -> None:
    with MarketServer(market) as running:
        port = running.port
        get(running, PRICES)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    with MarketServer(market, port=port) as again:
        assert get(again, PRICES).ok
