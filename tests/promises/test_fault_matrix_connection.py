"""Fault matrix, rows 1 to 8, 10, 11 and 34: what can go wrong between us and a provider.

Each test is named by its row. What each does: what is stored keeps its bytes, the reason is one sentence in
market.source_status, and with the fault lifted the day completes to the bytes of an undisturbed workspace.
"""

from __future__ import annotations

import email.utils
import gzip
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fault_trial import AUCTION, DAY_AHEAD, MARKET_INDEX, NEXT, STORED, SYSTEM_PRICE, TOKEN, Trial, one_sentence
from faulty_server import Clock, Server
from ingest_tools import MARKET_TABLES, connected

from bess_pipeline import gb_time
from bess_pipeline.sources.http import MAX_BYTES
from bess_pipeline.sources.provider_state import ProviderState

HOST = r"127\.0\.0\.1:\d+ "
TRY_AGAIN = "nothing stored was changed: try again later"


def asked(trial: Trial, part: str) -> int:
    """Requests served whose address holds `part`."""
    return sum(part in target for target in trial.server.requests)


# --- 1: the host cannot be reached -----------------------------------------------------------------


def test_fault_01_connection_refused(trial: Trial) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        urls = {f"{name}_base_url": address for name in ("elexon", "neso")}
        trial.refuses(rf"{HOST}refused the connection, 3 attempts; {TRY_AGAIN}", settings=urls, max_attempts=3)
    assert trial.server.requests == []
    trial.completes()


def test_fault_01_name_resolution(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the market is unknown at first; later it is that of the server."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    honest, known, tries = socket.getaddrinfo, set[str](), []

    def resolve(host: str, *arguments: Any, **options: Any) -> Any:
        if host == "market.test":
            tries.append(host)
            if host not in known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return honest(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    urls = {name: url.replace("127.0.0.1", "market.test") for name, url in trial.server.base_urls.items()}
    tables = (SYSTEM_PRICE, DAY_AHEAD)
    said = rf"market\.test:\d+ cannot be found \(name resolution failed\), 2 attempts; {TRY_AGAIN}"
    trial.refuses(said, tables, settings=urls, max_attempts=2)
    assert len(tries) >= 4
    known.add("market.test")
    trial.completes(tables, settings=urls)


# --- 2 and 3: answers that do not come, or never end ------------------------------------------------


def test_fault_02_read_hang(trial: Trial) -> None:
    trial.arm("hang", seconds=20)
    tables = (SYSTEM_PRICE, DAY_AHEAD)
    trial.refuses(rf"{HOST}did not answer in time, 2 attempts; {TRY_AGAIN}", tables, settings={"read_timeout_s": 0.1})
    trial.completes(tables)


@pytest.mark.parametrize("table", [SYSTEM_PRICE, DAY_AHEAD])
def test_fault_03_slow_drip(trial: Trial, table: str) -> None:
    """Each byte comes well within the read timeout; the deadline of the whole answer ends it."""
    trial.arm("drip", seconds=600)
    said = rf"{HOST}did not finish its answer within 0.5 s: nothing stored was changed"
    trial.refuses(said, [table], settings={"deadline_s": 0.5})
    trial.completes([table])


# --- 4 and 6: a provider that breaks down, for a moment or for days --------------------------------


@pytest.mark.parametrize("kind", ["reset", "reset_midway"])
def test_fault_04_reset(trial: Trial, kind: str) -> None:
    """Once: the same ask tries again."""
    trial.arm(kind, count=1, path=f"system-prices/{NEXT}")
    trial.arm(kind, count=1, path="4f27eea5")
    found = trial.ask([SYSTEM_PRICE, DAY_AHEAD])
    assert set(found["status"]) == {"complete"}
    assert asked(trial, f"system-prices/{NEXT}") == 2
    trial.completes([SYSTEM_PRICE, DAY_AHEAD])


@pytest.mark.parametrize("kind", ["reset", "reset_midway"])
def test_fault_04_reset_again_and_again(trial: Trial, kind: str) -> None:
    """The source is cooled down, the other one is not; after the cool-down the day completes."""
    clock, breaker = Clock(), {"breaker_failures": 3, "breaker_cool_down_s": 60.0, "deadline_s": 30.0}
    state = ProviderState(None, clock)
    options = {"settings": breaker, "state": state, "max_attempts": 2}
    before = trial.files()
    trial.arm(kind, path="system-prices")
    trial.ask([SYSTEM_PRICE], **options)
    served = len(trial.server.requests)
    said = (
        r"^elexon \(127\.0\.0\.1:\d+\) was not asked, because its circuit breaker is open from \S+Z to \S+Z: "
        r"\d requests in a row failed, the last because it (broke the connection|sent a truncated answer); "
        r"nothing stored was changed: run again after that, or at once with --retry-now$"
    )
    trial.refuses(said, [SYSTEM_PRICE], **options)
    assert len(trial.server.requests) == served  # not one request more
    assert set(trial.ask([DAY_AHEAD], **options)["status"]) == {"complete"}
    assert before.items() <= (trial.files() | last_evening(trial, before)).items()
    clock.seconds += 60
    trial.completes([SYSTEM_PRICE, DAY_AHEAD], **options)


def last_evening(trial: Trial, before: dict[str, bytes]) -> dict[str, bytes]:
    """The stored day of the day-ahead price gains its last hour with the next product day, rightly."""
    name = f"{DAY_AHEAD}/{trial.days[0]}.parquet"
    return {name: before[name]}


def test_fault_06_out_of_service_for_days(trial: Trial) -> None:
    """Elexon answers 503 for three days: NESO goes on, the gap is listed day by day, and filled once it is back."""
    days = gb_time.days_between(STORED, NEXT + timedelta(days=4))
    clock, breaker = Clock(), {"breaker_failures": 5, "breaker_cool_down_s": 60.0, "breaker_max_cool_down_s": 900.0}
    options = {"settings": breaker, "state": ProviderState(None, clock), "max_attempts": 2}
    before = trial.files()
    trial.arm("status", status=503, path="balancing", retry_after="120")
    for _ in range(3 * 4):
        clock.seconds += 6 * 3600
        trial.ask([SYSTEM_PRICE], days[-1:], **options)
    gap = trial.ask(days=days, **options)
    assert asked(trial, "balancing") <= 5 + 3 * 4  # one try each time, in place of dozens
    for table, day in gap.index:
        expected = "refused" if table in (SYSTEM_PRICE, MARKET_INDEX) and day != STORED else "complete"
        assert gap.loc[(table, day), "status"] == expected
    listed = gap[gap["status"] == "refused"]["reason"]
    assert listed.str.contains(r"HTTP 503").all()
    assert all(map(one_sentence, listed))
    assert {path: trial.files()[path] for path in before if DAY_AHEAD not in path}.items() <= before.items()

    trial.lift()
    clock.seconds += 900
    with connected(trial.root, trial.server, **options) as ingestion:
        for one in trial.datasets([SYSTEM_PRICE, MARKET_INDEX]):
            missing = ingestion.unanswered(one, days)
            assert missing == days[1:]
            assert set(ingestion.fetch(one, missing).values()) == {None}
            assert {outcome.status for outcome in ingestion.build(one, missing)} == {"complete"}
            assert ingestion.unanswered(one, days) == []
    trial.completes(**options)


# --- 5: too many requests ---------------------------------------------------------------------------


def in_seconds(seconds: float) -> str:
    return email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("name", "value", "least", "most"),
    [
        ("short", "7", 7.0, 8.5),
        ("dated", in_seconds, 5.0, 12.0),
        ("missing", "", 0.1, 2.0),
        ("unreadable", "soon", 0.1, 2.0),
    ],
)
def test_fault_05_retry_after(trial: Trial, name: str, value: Any, least: float, most: float) -> None:
    """A bounded wait, and the answer comes after it within the same ask."""
    clock = Clock()
    header = {"retry_after": value(10) if callable(value) else value} if value else {}
    trial.arm("status", status=429, count=1, path=f"system-prices/{NEXT}", **header)
    found = trial.ask([SYSTEM_PRICE], clock=clock, sleep=clock.sleep)
    assert set(found["status"]) == {"complete"}
    assert least <= sum(clock.slept) <= most
    assert asked(trial, f"system-prices/{NEXT}") == 2
    trial.completes([SYSTEM_PRICE])


@pytest.mark.parametrize("value", ["86400", "99999999999999", in_seconds])
def test_fault_05_retry_after_of_a_day(trial: Trial, value: Any) -> None:
    """Nobody sleeps for a day: it fails at once, and says how long the provider asks to wait."""
    clock = Clock()
    trial.arm("status", status=429, path="system-prices", retry_after=value(86400) if callable(value) else value)
    said = rf"{HOST}says there were too many requests \(HTTP 429\) and asks to wait \d{{5,}} s; {TRY_AGAIN}"
    trial.refuses(said, [SYSTEM_PRICE], clock=clock, sleep=clock.sleep, max_attempts=9)
    assert clock.slept == []
    assert asked(trial, "system-prices") == 2  # one for each day
    trial.completes([SYSTEM_PRICE])


# --- 7: no access -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize(
    ("table", "setting"), [(SYSTEM_PRICE, "sources.elexon_base_url"), (DAY_AHEAD, "sources.neso_base_url")]
)
def test_fault_07_no_access(trial: Trial, table: str, setting: str, code: int) -> None:
    trial.arm("status", status=code)
    trial.refuses(rf"{HOST}refused access \(HTTP {code}\): check {setting}", [table], max_attempts=9)
    assert len(trial.server.requests) == len(set(trial.server.requests))  # nothing was asked twice
    trial.completes([table])


@pytest.mark.parametrize("code", [401, 403])
def test_fault_07_no_access_with_a_token(entsoe_trial: Trial, code: int) -> None:
    entsoe_trial.arm("status", status=code)
    said = rf"{HOST}refused access \(HTTP {code}\): check ENTSOE_API_TOKEN$"
    found = entsoe_trial.refuses(said, [DAY_AHEAD], max_attempts=9)
    assert len(entsoe_trial.server.requests) == len(entsoe_trial.days)  # no second attempt
    assert not found["reason"].str.contains("canary").any()
    entsoe_trial.completes([DAY_AHEAD])


# --- 8, 10 and 11: a body that is no answer -----------------------------------------------------------


def test_fault_08_web_page_with_status_200(trial: Trial) -> None:
    trial.arm("html")
    said = rf"{HOST}answered with a web page \(HTTP 200\) where data was expected: it may be under maintenance"
    trial.refuses(said)
    for table in MARKET_TABLES:
        assert trial.raw_bodies(table, NEXT)[0].startswith(b"<!DOCTYPE html>")  # kept, and never parsed
    trial.completes()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("truncate", rf"{HOST}sent a truncated answer, 3 attempts; {TRY_AGAIN}"),
        ("truncate_unannounced", r"(Elexon|NESO) .*: the answer is not JSON \(truncated"),
    ],
)
def test_fault_10_truncated_body(trial: Trial, kind: str, said: str) -> None:
    trial.arm(kind, path="datastore_search_sql")
    trial.arm(kind, path="balancing")
    trial.refuses(said, max_attempts=3)
    trial.completes()


def test_fault_11_bad_gzip(trial: Trial) -> None:
    trial.arm("bad_gzip")
    said = rf"{HOST}sent compressed data that cannot be read, 2 attempts; {TRY_AGAIN}"
    trial.refuses(said, [SYSTEM_PRICE], max_attempts=9)
    assert asked(trial, f"system-prices/{NEXT}") == 2  # one retry
    assert trial.raw_bodies(SYSTEM_PRICE, NEXT) == [b"\x1f\x8b\x08\x00 this is not gzip"]
    trial.completes([SYSTEM_PRICE])


@pytest.mark.parametrize("table", [SYSTEM_PRICE, DAY_AHEAD])
def test_fault_11_bad_charset(trial: Trial, table: str) -> None:
    trial.arm("rewrite", rewrite="not_utf8")
    said = rf"{HOST}sent text that is not in the charset it names, 2 attempts; {TRY_AGAIN}"
    trial.refuses(said, [table], max_attempts=9)
    assert all(trial.server.requests.count(target) == 2 for target in trial.server.requests)  # one retry
    assert b"\xe9lev\xe9" in trial.raw_bodies(table, NEXT)[0]
    trial.completes([table])


# --- 34: a hostile answer ---------------------------------------------------------------------------


@pytest.fixture
def other_host() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.mark.parametrize("code", [302, 308])
def test_fault_34_redirect_to_another_host(entsoe_trial: Trial, other_host: Server, code: int) -> None:
    """The redirect carries the token in its address, as careless servers make them: nobody goes there."""
    entsoe_trial.arm("redirect", status=code, value=other_host.url)
    entsoe_trial.refuses(rf"{HOST}answers with a redirect \(HTTP {code}\), and redirects are not followed", [DAY_AHEAD])
    assert other_host.targets == []
    entsoe_trial.completes([DAY_AHEAD])


def test_fault_34_redirect_of_every_source(trial: Trial, other_host: Server) -> None:
    trial.arm("redirect", status=302, value=other_host.url)
    trial.refuses(rf"{HOST}answers with a redirect \(HTTP 302\)")
    assert other_host.targets == []
    trial.completes()


@pytest.mark.parametrize("rewrite", ["huge", "gzip_bomb"])
def test_fault_34_huge_body(trial: Trial, rewrite: str) -> None:
    """More than any data set has, as it is sent or once it is unpacked."""
    limit = 1_000_000  # of these tests; a live client's is MAX_BYTES
    assert limit < MAX_BYTES < 100 * limit
    trial.arm("rewrite", rewrite=rewrite, value=limit + 70_000)
    trial.refuses(rf"{HOST}sent more than {limit} bytes, which no data set of it does", [MARKET_INDEX], max_bytes=limit)
    for path in trial.root.rglob("*.gz"):
        assert len(gzip.decompress(path.read_bytes())) < 1_000_000  # nothing of it was kept
    trial.completes([MARKET_INDEX])


def test_fault_34_names_of_the_portal_s_catalogue(trial: Trial) -> None:
    """Resources named like paths or SQL are no resources: no request repeats them and no file is made of them."""
    for name in ("../../../../tmp/evil", "x'; DROP TABLE auctions; --", "596f29ac-0387-4ba4-a6d3-95c24314070/"):
        resource = f'{{"id": "{name}", "name": "NESO Response-Reserve Results Summary FY2025 {name}", "url": "{name}"}}'
        trial.arm("rewrite", rewrite="list_resource", value=resource, path="package_show")
        before = paths_around(trial.root)
        assert set(trial.ask([AUCTION])["status"]) == {"complete"}
        assert not [target for target in trial.server.requests if "evil" in target or "DROP" in target]
        assert paths_around(trial.root) == before
        trial.lift()
    trial.completes([AUCTION])


@pytest.mark.parametrize("name", ["../../../evil", "DCL'; DROP TABLE x; --", "/etc/passwd"])
def test_fault_34_names_in_rows(trial: Trial, name: str) -> None:
    """A product is one of ours or left out; a text that is free stays text."""
    row = {"auctionProduct": name, "deliveryStart": f"{NEXT}T11:00:00", "deliveryEnd": f"{NEXT}T15:00:00"}
    row |= {"clearedVolume": "1", "clearingPrice": "1"}
    trial.arm("rewrite", rewrite="insert_row", value=json.dumps(row), path="deliveryStart")
    trial.arm("rewrite", rewrite="rename_column", value=f"priceDerivationCode:{name}", path=f"system-prices/{NEXT}")
    before = paths_around(trial.root)
    found = trial.ask([AUCTION, SYSTEM_PRICE])
    assert set(found["status"]) == {"complete"}
    assert paths_around(trial.root) == before
    trial.completes([AUCTION, SYSTEM_PRICE])


def paths_around(root: Path) -> set[Path]:
    """What lies beside the workspace and its folders."""
    return {path for folder in (root.parent, root) for path in folder.iterdir()}


def test_fault_34_token_in_an_echo_is_kept_nowhere(entsoe_trial: Trial) -> None:
    entsoe_trial.arm("echo")
    entsoe_trial.refuses("not whole XML", [DAY_AHEAD])
    stored = [path.read_bytes() for path in entsoe_trial.root.rglob("*") if path.is_file()]
    stored += [gzip.decompress(content) for content in stored if content[:2] == b"\x1f\x8b"]
    assert any(b"securityToken=[redacted]" in content for content in stored)
    assert not any(TOKEN.encode() in content or b"canary" in content for content in stored)
    entsoe_trial.completes([DAY_AHEAD])
