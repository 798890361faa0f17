"""The raw vault: append-only, content-addressed, and honest about what it lost."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bess_pipeline.errors import BessError
from bess_pipeline.ingestion.vault import Failure, RawVault
from bess_pipeline.sources.http import Answer

DATASET, DAY = "raw/elexon_system_price", date(2026, 3, 29)
NOON = datetime(2026, 3, 30, 12, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> RawVault:
    return RawVault(tmp_path / "raw")


def answer(content: bytes) -> Answer:
    return Answer("elexon", "http://host/prices", 200, "application/json", content, NOON)


def files(vault: RawVault) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in vault.root.rglob("*") if path.is_file()}


def newest_content(vault: RawVault, day: date = DAY) -> bytes:
    record = vault.newest(DATASET, day)
    assert record is not None
    return vault.body(record.bodies[0].sha256)


def test_bytes_come_back_as_they_came_with_all_that_is_known_of_them(vault: RawVault) -> None:
    content = bytes(range(256)) + "£/MWh".encode()
    vault.keep(DATASET, [DAY], [answer(content)], NOON)
    record = vault.newest(DATASET, DAY)
    assert record is not None
    (body,) = record.bodies
    assert vault.body(body.sha256) == content
    assert body.sha256 == hashlib.sha256(content).hexdigest()
    assert (record.dataset, record.day, record.fetched_utc) == (DATASET, DAY, NOON)
    assert (body.source, body.url, body.status, body.content_type) == (
        "elexon", "http://host/prices", 200, "application/json",
    )  # fmt: skip
    assert body.origin == "live"


def test_nothing_that_was_kept_is_ever_changed_or_removed(vault: RawVault) -> None:
    kept: dict[Path, bytes] = {}
    for hour, content in enumerate([b"first", b"second", b"first", b"third"]):
        vault.keep(DATASET, [DAY], [answer(content)], NOON + timedelta(hours=hour))
        now = files(vault)
        assert kept.items() <= now.items()
        assert len(now) > len(kept)
        kept = now
    assert [vault.body(r.bodies[0].sha256) for r in vault.records(DATASET, DAY)] == [
        b"third", b"first", b"second", b"first",
    ]  # fmt: skip


def test_the_same_body_is_stored_once_however_many_days_and_asks_it_answers(vault: RawVault) -> None:
    days = [DAY, DAY + timedelta(days=1)]
    vault.keep(DATASET, days, [answer(b"chunk"), answer(b"page two")], NOON)
    vault.keep("raw/elexon_market_index", days, [answer(b"chunk")], NOON + timedelta(hours=1))
    objects = list((vault.root / "objects").rglob("*.gz"))
    assert sorted(gzip.decompress(path.read_bytes()) for path in objects) == [b"chunk", b"page two"]
    for day in days:
        record = vault.newest(DATASET, day)
        assert record is not None
        assert [vault.body(body.sha256) for body in record.bodies] == [b"chunk", b"page two"]


def test_the_record_of_the_latest_ask_wins(vault: RawVault) -> None:
    vault.keep(DATASET, [DAY], [answer(b"noon")], NOON)
    vault.keep(DATASET, [DAY], [answer(b"later")], NOON + timedelta(microseconds=1))
    assert newest_content(vault) == b"later"
    assert vault.newest(DATASET, DAY + timedelta(days=1)) is None
    assert vault.newest("raw/day_ahead_price", DAY) is None


def test_of_asks_at_one_instant_the_last_wins_because_a_set_clock_stands_still(vault: RawVault) -> None:
    contents = [b"a", b"b", b"c", b"a", b"d", b"b"]
    for content in contents:
        vault.keep(DATASET, [DAY], [answer(content)], NOON)
        assert newest_content(vault) == content
    assert len(list(vault.records(DATASET, DAY))) == len(contents)


def test_the_same_answer_at_the_same_instant_adds_nothing(vault: RawVault) -> None:
    vault.keep(DATASET, [DAY], [answer(b"same")], NOON)
    before = files(vault)
    vault.keep(DATASET, [DAY], [answer(b"same")], NOON)
    assert files(vault) == before


@pytest.mark.parametrize("damage", ["flipped", "truncated", "zero length", "other content", "gone"])
def test_a_damaged_body_gives_one_sentence_and_is_mended_by_the_next_ask(vault: RawVault, damage: str) -> None:
    content = b'{"data": [1, 2, 3]}' * 50
    vault.keep(DATASET, [DAY], [answer(content)], NOON)
    (path,) = (vault.root / "objects").rglob("*.gz")
    stored = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        damaged = {
            "flipped": stored[:40] + bytes([stored[40] ^ 0xFF]) + stored[41:],
            "truncated": stored[: len(stored) // 2],
            "zero length": b"",
            "other content": gzip.compress(b"something else"),
        }
        path.write_bytes(damaged[damage])
    with pytest.raises(BessError) as caught:
        newest_content(vault)
    sentence = str(caught.value)
    assert path.name in sentence
    assert "--force" in sentence
    assert "\n" not in sentence
    assert str(vault.root) not in sentence

    vault.keep(DATASET, [DAY], [answer(content)], NOON + timedelta(hours=1))
    assert newest_content(vault) == content


def test_a_failure_is_remembered_until_the_next_answer_and_touches_no_record(vault: RawVault) -> None:
    vault.keep(DATASET, [DAY], [answer(b"good")], NOON)
    before = files(vault)
    failure = Failure("refused", "the host has a fault (HTTP 503)", NOON + timedelta(hours=1))
    other_day = DAY + timedelta(days=1)
    for day in (DAY, other_day):
        vault.note_failure(DATASET, day, failure)
        assert vault.failure(DATASET, day) == failure
    assert before.items() <= files(vault).items()
    assert newest_content(vault) == b"good"

    vault.keep(DATASET, [DAY], [answer(b"good again")], NOON + timedelta(hours=2))
    assert vault.failure(DATASET, DAY) is None
    assert vault.failure(DATASET, other_day) == failure


def test_leftovers_of_a_killed_writer_are_no_records(vault: RawVault) -> None:
    vault.keep(DATASET, [DAY], [answer(b"good")], NOON)
    (record,) = (vault.root / "records").rglob("*.json")
    record.with_name(f".{record.name}.1-abc.tmp").write_bytes(record.read_bytes()[:20])
    assert newest_content(vault) == b"good"
