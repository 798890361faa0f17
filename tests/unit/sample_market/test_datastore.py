"""The CKAN datastore: only one harmless SELECT reaches the database, numbers in SQL answers are text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from bess_pipeline.sample_market.datastore import (
    ROW_CAP,
    Datastore,
    FirewallError,
    QueryError,
    Resource,
    UnknownResourceError,
    sql_value,
)

ID = "596f29ac-0387-4ba4-a6d3-95c243140707"
OTHER = "4f27eea5-7038-4f73-9740-e3e4ad47c26a"
FIELDS = {"product": "text", "Delivery Start": "timestamp", "price": "numeric", "number": "int4", "Date": "date"}


@pytest.fixture(scope="module")
def store() -> Iterator[Datastore]:
    start = pd.date_range("2026-03-01", periods=6, freq="4h").as_unit("us")
    frame = pd.DataFrame(
        {
            "product": ["DCL", "DRH", "DCL", "DRH", "DCL", "O'Neil"],
            "Delivery Start": start,
            "price": [1.5, -2.25, float("nan"), 4.0, 0.1, 7.0],
            "number": [1, 2, 3, 4, 5, 6],
            "Date": start.date,
        }
    )
    big = pd.DataFrame({"number": range(ROW_CAP + 5)})
    database = Datastore([Resource(ID, "small", FIELDS, frame), Resource(OTHER, "big", {"number": "int4"}, big)])
    yield database
    database.close()


def test_select_star_shows_the_id_and_the_text_column_first(store: Datastore) -> None:
    found = store.sql(f'SELECT * FROM "{ID}" ORDER BY "_id"')
    assert found.columns == ("_id", "_full_text", *FIELDS)
    assert found.types == ("int4", "tsvector", "text", "timestamp", "numeric", "int4", "date")
    assert [row[0] for row in found.rows] == [1, 2, 3, 4, 5, 6]
    assert found.rows[2][4] is None


def test_where_order_group_and_aliases_work(store: Datastore) -> None:
    text = (
        f'SELECT "product", COUNT(*) AS windows, SUM("price") AS "total price" FROM "{ID}" '
        "WHERE \"product\" IN ('DCL', 'DRH') AND \"Delivery Start\" >= '2026-03-01T04:00:00' AND \"price\" > -10 "
        'GROUP BY "product" HAVING COUNT(*) > 0 ORDER BY windows DESC LIMIT 5 OFFSET 0;'
    )
    found = store.sql(text)
    assert found.columns == ("product", "windows", "total price")
    assert found.rows == [("DRH", 2, 1.75), ("DCL", 1, 0.1)]
    assert store.sql(f'SELECT "number" FROM "{ID}" WHERE "product" = \'O\'\'Neil\'').rows == [(6,)]
    assert store.sql(f'SELECT "number" FROM "{ID}" WHERE "Date" > \'2026-03-01\'').rows == []


def test_answers_are_cut_at_32000_rows_and_say_so(store: Datastore) -> None:
    found = store.sql(f'SELECT * FROM "{OTHER}"')
    assert (len(found.rows), found.truncated) == (ROW_CAP, True)
    rest = store.sql(f'SELECT * FROM "{OTHER}" ORDER BY "_id" LIMIT 32000 OFFSET 32000')
    assert ([row[0] for row in rest.rows], rest.truncated) == ([32001, 32002, 32003, 32004, 32005], False)
    page = store.search(OTHER, limit=10**9, offset=0, sort="", filters={})
    assert (len(page.rows), page.total) == (ROW_CAP, ROW_CAP + 5)


@pytest.mark.parametrize(
    "condition",
    [
        'COALESCE("price", 0) > 1',
        '"price" > 1 or "price" < 0',
        'EXTRACT(hour FROM "Delivery Start") = 1',
        'date("Date") = 1',
    ],
)
def test_the_firewall_turns_away_what_nesos_does(store: Datastore, condition: str) -> None:
    with pytest.raises(FirewallError):
        store.sql(f'SELECT * FROM "{ID}" WHERE {condition}')


def test_the_firewall_leaves_quoted_names_and_texts_alone(store: Datastore) -> None:
    assert store.sql(f'SELECT "Date" FROM "{ID}" WHERE "product" <> \'date or coalesce\' LIMIT 1').rows


SECRET = "the key under the mat"
HOSTILE = [
    "DROP TABLE \"{id}\"",
    "SELECT * FROM \"{id}\"; SELECT 1",
    "SELECT * FROM \"{id}\" -- comment",
    "SELECT * FROM \"{id}\" /* comment */",
    "SELECT * FROM '{file}'",
    "SELECT * FROM \"{file}\"",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM \"read_text\"('{file}')",
    "SELECT read_text('{file}') FROM \"{id}\"",
    "SELECT 1 AS read_text FROM \"{id}\" WHERE read_text('{file}') IS NULL",
    "SELECT \"getenv\"('HOME') FROM \"{id}\"",
    "SELECT getenv('HOME') FROM \"{id}\"",
    "SELECT current_setting('home_directory') FROM \"{id}\"",
    "SELECT * FROM \"{id}\", \"{other}\"",
    "SELECT * FROM \"{id}\" AS a",
    "SELECT * FROM \"{id}\" JOIN \"{other}\" ON TRUE",
    "SELECT * FROM \"{id}\" WHERE \"number\" IN (SELECT \"number\" FROM \"{other}\")",
    "SELECT * FROM \"{id}\" UNION SELECT * FROM \"{other}\"",
    "SELECT * FROM (SELECT * FROM \"{id}\")",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM \"duckdb_settings\"()",
    "SELECT * INTO OUTFILE FROM \"{id}\"",
    "COPY \"{id}\" TO '{file}.out'",
    "ATTACH '{file}.db' AS x",
    "PRAGMA database_list",
    "SET enable_external_access=true",
    "INSTALL httpfs",
    "WITH x AS (SELECT 1) SELECT * FROM \"{id}\"",
    "SELECT \"price\"::VARCHAR FROM \"{id}\"",
    "SELECT $1 FROM \"{id}\"",
    "SELECT ? FROM \"{id}\"",
    "SELECT main.x FROM \"{id}\"",
    "SELECT 'open FROM \"{id}\"",
    "SELECT \"no such column\" FROM \"{id}\"",
    "SELECT",
    "SELECT * FROM",
    "",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_anything_but_one_plain_select_is_refused_and_reads_nothing(
    store: Datastore, tmp_path: Path, text: str
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(SECRET)
    with pytest.raises((QueryError, UnknownResourceError)) as error:
        store.sql(text.format(id=ID, other=OTHER, file=secret))
    assert SECRET not in str(error.value)
    assert list(tmp_path.iterdir()) == [secret]
    assert len(store.sql(f'SELECT * FROM "{ID}"').rows) == 6


def test_no_mixture_of_hostile_pieces_reaches_a_file(store: Datastore, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(SECRET)
    pieces = [f"'{secret}'", f'"{secret}"', "read_csv", "AS", "*", f'"{ID}"', "(", ")", "glob"]
    for mixture in itertools.permutations(pieces, 3):
        for text in (f'SELECT {" ".join(mixture)} FROM "{ID}"', f"SELECT * FROM {' '.join(mixture)}"):
            try:
                found = store.sql(text)
            except (QueryError, UnknownResourceError, FirewallError):
                continue
            assert SECRET not in str(found.rows)


def test_even_past_the_guard_the_database_reads_no_file(store: Datastore, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(SECRET)
    with pytest.raises(Exception, match=r"(?i)disabled|permission"):
        store._database.execute(f"SELECT * FROM read_text('{secret}')")
    with pytest.raises(Exception, match=r"(?i)locked|cannot"):
        store._database.execute("SET enable_external_access=true")


def test_search_filters_sorts_pages_and_counts(store: Datastore) -> None:
    found = store.search(ID, limit=1, offset=1, sort='"Delivery Start" desc, _id', filters={"product": ["DCL", "DRH"]})
    assert found.total == 5
    assert found.columns == ("_id", *FIELDS)
    assert [row[0] for row in found.rows] == [4]
    assert store.search(ID, limit=5, offset=0, sort="", filters={"Delivery Start": "2026-03-01T04:00:00"}).total == 1
    assert store.search(ID, limit=5, offset=0, sort="", filters={"number": 3}, fields="product,price").rows == [
        ("DCL", None)
    ]
    assert store.search(ID, limit=5, offset=0, sort="", filters={"product": []}).total == 0


@pytest.mark.parametrize(
    ("sort", "filters", "fields"),
    [("nothing", {}, ""), ("_id; DROP", {}, ""), ("", {'x" OR 1=1 --': 1}, ""), ("", {}, 'product" FROM "x')],
)
def test_search_knows_its_fields(store: Datastore, sort: str, filters: dict[str, object], fields: str) -> None:
    with pytest.raises(QueryError):
        store.search(ID, limit=1, offset=0, sort=sort, filters=filters, fields=fields)
    with pytest.raises(UnknownResourceError):
        store.search("nowhere", limit=1, offset=0, sort="", filters={})


def test_sql_prints_every_number_but_the_id_as_text() -> None:
    assert [sql_value("price", value) for value in (1.5, 7, None)] == ["1.5", "7", None]
    assert sql_value("_id", 7) == 7
