"""The warehouse: equal to the lake, never in anybody's way, and rebuilt over whatever lay there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as parquet
import pytest
from filelock import FileLock
from storage_frames import auction_clearing, daily_pnl, day_ahead_price, source_status, system_price

from bess_pipeline import gb_time, schemas, warehouse
from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.workspace import Workspace

SPRING, AUTUMN = date(2024, 3, 31), date(2024, 10, 27)
RESERVE = ("pqr", "nqr", "pbr", "nbr", "psr", "nsr")
DAILY = "risk/daily_pnl"
AUCTION = list(schemas.columns("market/auction_clearing"))


def reserve(day: date, prices: dict[str, dict[int, float]]) -> pd.DataFrame:
    """market/auction_clearing rows of reserve products: price by half-hour of the settlement date."""
    starts = gb_time.settlement_half_hours(day)
    rows = [
        (product, starts[n], starts[n] + pd.Timedelta(minutes=30), *gb_time.efa_block_of(starts[n]), price, 50.0)
        for product, by_half_hour in prices.items()
        for n, price in by_half_hour.items()
    ]
    return pd.DataFrame(rows, columns=AUCTION)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "o'ne=[1]*" / "demo")


def fill(place: Workspace) -> None:
    """Both clock changes with their eves, prices that name their period, two days of P&L."""
    place.claim("simulated", "neso_n2ex")
    for change in (SPRING, AUTUMN):
        for day in gb_time.days_between(change - (AUTUMN - date(2024, 10, 26)), change):
            count = gb_time.periods_in_day(day)
            place.lake.write("market/system_price", day, system_price(day, [50.0 + n for n in range(count)]))
            place.lake.write("market/day_ahead_price", day, day_ahead_price(day, [float(-n) for n in range(count)]))
            place.lake.write("market/auction_clearing", day, auction_clearing(day))
            place.lake.write("market/source_status", day, source_status(day))
    days = [date(2024, 4, 1), date(2024, 4, 2), date(2024, 4, 3)]
    streams = [
        {"day_ahead": 100.0, "wear": -10.0},
        {"day_ahead": -250.0, "response": 40.0, "wear": -5.0},
        {"fee": 30.0},
    ]
    for day, amounts in zip(days, streams, strict=True):
        place.lake.write("risk/daily_pnl", day, daily_pnl(day, amounts))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Filled and published once; its tests only read."""
    place = Workspace(tmp_path_factory.mktemp("warehouse") / "demo")
    fill(place)
    warehouse.publish(place)
    return place


@pytest.fixture
def database(filled: Workspace) -> Path:
    return filled.database


def fill_a_day(place: Workspace, price: float) -> None:
    place.lake.write("market/system_price", AUTUMN, system_price(AUTUMN, price))


def test_tables_are_those_of_the_schemas_with_their_types(database: Path) -> None:
    tables = warehouse.tables(database)
    meta = tables.pop("meta.publication")
    assert tables.pop("meta.without_next_day") == {"efa_date": "DATE", "strategy": "VARCHAR"}
    assert tables == {table.replace("/", "."): schemas.duckdb_types(table) for table in schemas.TABLES}
    assert all(list(types) == list(schemas.columns(name.replace(".", "/"))) for name, types in tables.items())
    assert list(meta) == ["schema_version", "code_version", "origin", "day_ahead"]


def test_columns_are_nullable_and_described_as_in_the_schemas(database: Path) -> None:
    columns = warehouse.query(
        database,
        "SELECT schema_name || '/' || table_name AS t, column_name AS c, is_nullable, comment FROM duckdb_columns()",
    )
    for row in columns.itertuples():
        if row.t in schemas.TABLES:
            column = schemas.columns(row.t)[row.c]
            assert (row.is_nullable, row.comment) == (column.nullable, column.description), row
    comments = warehouse.query(database, "SELECT comment FROM duckdb_tables() WHERE database_name = 'bess'")
    assert comments["comment"].str.len().min() > 10


def test_every_stored_row_comes_back_exactly(database: Path, filled: Workspace) -> None:
    for table in schemas.TABLES:
        keys = ", ".join(f'"{key}"' for key in schemas.keys(table))
        rows = warehouse.query(database, f"SELECT * FROM {table.replace('/', '.')} ORDER BY {keys}")
        pd.testing.assert_frame_equal(rows, filled.lake.read_all(table))
    meta = warehouse.query(database, "SELECT * FROM meta.publication")
    assert meta[["origin", "day_ahead", "schema_version"]].to_numpy().tolist() == [
        ["simulated", "neso_n2ex", schemas.SCHEMA_VERSION]
    ]


def test_an_unused_workspace_gives_empty_tables_and_views(place: Workspace) -> None:
    database = warehouse.publish(place)
    assert warehouse.query(database, "SELECT * FROM market.price_panel").empty
    assert warehouse.query(database, "SELECT origin FROM meta.publication")["origin"].isna().all()
    for script in warehouse.sql_files("queries"):
        assert warehouse.query(database, script.read_text(encoding="utf-8")).empty, script.name


def test_partitions_of_an_earlier_version_are_published_with_null_where_that_may_be(place: Workspace) -> None:
    fill(place)
    table, day = "market/system_price", SPRING
    for one in place.lake.days(table):
        file = place.lake.path(table, one)
        parquet.write_table(parquet.read_table(file).drop_columns(["price_derivation_code"]), file)
    warehouse.publish(place)
    found = warehouse.query(place.database, "SELECT price_derivation_code, settlement_period FROM market.system_price")
    assert len(found) == place.lake.count(table)
    assert found["price_derivation_code"].isna().all()
    for one in place.lake.days(DAILY):
        file = place.lake.path(DAILY, one)
        parquet.write_table(parquet.read_table(file).drop_columns(["stream"]), file)
    with pytest.raises(BessError, match="risk/daily_pnl was written by a version without stream: materialise its days"):
        warehouse.publish(place)
    assert place.lake.has(table, day)


# --- sql/ -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tables", "macros", "views"])
def test_one_object_per_file_named_after_it(kind: str) -> None:
    word = {"tables": "TABLE", "macros": "MACRO", "views": "VIEW"}[kind]
    scripts = warehouse.sql_files(kind)
    assert scripts
    for script in scripts:
        made = re.findall(r"^CREATE (\w+) ([\w.]+)", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert made == [(word, script.stem)], script.name


def test_queries_say_what_they_answer_and_run(database: Path) -> None:
    scripts = warehouse.sql_files("queries")
    assert len(scripts) >= 4
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert re.match(r"-- .{20,}\?\n", text), script.name
        assert len(warehouse.query(database, text).columns) >= 4, script.name


def test_the_price_panel_lists_every_half_hour_once_with_all_its_prices(database: Path) -> None:
    panel = warehouse.query(database, "SELECT * FROM market.price_panel WHERE settlement_date = DATE '2024-10-27'")
    assert panel["settlement_period"].tolist() == list(range(1, 51))
    assert panel["start_utc"].tolist() == gb_time.settlement_half_hours(AUTUMN).tolist()
    efa = gb_time.efa_columns(panel["start_utc"])
    assert panel["efa_date"].tolist() == efa["efa_date"].tolist()
    assert panel["efa_block"].tolist() == efa["efa_block"].tolist()
    assert panel["system_price_gbp_mwh"].tolist() == [50.0 + n for n in range(50)]
    assert panel["day_ahead_price_gbp_mwh"].tolist() == [float(-n) for n in range(50)]
    assert set(panel["day_ahead_source"]) == {"neso_n2ex"}
    assert panel["market_index_price_gbp_mwh"].isna().all()
    for n, product in enumerate(["dcl", "dch", "dml", "dmh", "drl", "drh"]):
        assert panel[f"{product}_price_gbp_mw_h"].tolist() == (10.0 * n + efa["efa_block"]).tolist()
    assert panel[[f"{product}_price_gbp_mw_h" for product in RESERVE]].isna().all(axis=None)
    total = warehouse.query(database, "SELECT count(*) AS n, count(DISTINCT start_utc) AS d FROM market.price_panel")
    assert total.to_numpy().tolist() == [[48 + 46 + 48 + 50] * 2]


def test_a_half_hour_with_one_price_is_listed_and_nothing_is_filled(place: Workspace) -> None:
    day = date(2024, 5, 1)
    place.lake.write("market/system_price", day, system_price(day).iloc[[4]])
    panel = warehouse.query(warehouse.publish(place), "SELECT * FROM market.price_panel")
    assert panel["settlement_period"].tolist() == [5]
    assert panel.filter(regex="day_ahead|index|_mw_h$").isna().all(axis=None)


def test_reserve_prices_stand_beside_the_others_and_nothing_is_filled(place: Workspace) -> None:
    day = date(2025, 1, 1)
    place.lake.write("market/system_price", day, system_price(day))
    place.lake.write("market/auction_clearing", day, reserve(day, {"PQR": {0: 3.5, 2: -1.0}, "NBR": {2: 7.25}}))
    database = warehouse.publish(place)
    rows = warehouse.query(database, "SELECT * FROM market.reserve_half_hour ORDER BY start_utc").set_index("start_utc")
    assert list(rows.columns) == [f"{product}_price_gbp_mw_h" for product in RESERVE]
    first, third = pd.Timestamp("2025-01-01T00:00Z"), pd.Timestamp("2025-01-01T01:00Z")
    assert rows.index.tolist() == [first, third], "half-hours in which something was bought"
    assert rows["pqr_price_gbp_mw_h"].tolist() == [3.5, -1.0]
    assert rows["nbr_price_gbp_mw_h"].dropna().to_dict() == {third: 7.25}
    panel = warehouse.query(database, "SELECT * FROM market.price_panel").set_index("start_utc")
    assert len(panel) == 48
    assert panel["pqr_price_gbp_mw_h"].dropna().to_dict() == {first: 3.5, third: -1.0}


@pytest.mark.parametrize(
    ("product", "day", "service", "kind", "direction", "era", "hours"),
    [
        ("DCL", date(2023, 10, 29), "dynamic containment", "response", "export", "pre-EAC", 5.0),
        ("DMH", date(2023, 11, 2), "dynamic moderation", "response", "import", "pre-EAC", 4.0),
        ("DRL", date(2023, 11, 3), "dynamic regulation", "response", "export", "EAC", 4.0),
        ("DRH", date(2024, 3, 31), "dynamic regulation", "response", "import", "EAC", 3.0),
        ("PQR", date(2025, 1, 1), "quick reserve", "reserve", "export", "EAC", 0.5),
        ("NBR", date(2025, 1, 1), "balancing reserve", "reserve", "import", "EAC", 0.5),
        ("PSR", date(2025, 1, 1), "slow reserve", "reserve", "export", "EAC", 0.5),
    ],
)
def test_auction_results_say_service_direction_era_and_what_was_paid(
    place: Workspace, product: str, day: date, service: str, kind: str, direction: str, era: str, hours: float
) -> None:
    """Block 1 of an EFA day for response; block 1 of 2023-11-03 is the first of the EAC."""
    start, end = gb_time.efa_block_bounds_utc(day, 1)
    if kind == "reserve":
        end = start + pd.Timedelta(minutes=30)
    row = [(product, start, end, day, 1, -6.0, 100.0)]
    place.lake.write("market/auction_clearing", gb_time.settlement_date_of(start), pd.DataFrame(row, columns=AUCTION))
    found = warehouse.query(warehouse.publish(place), "SELECT * FROM market.auction_result").iloc[0]
    names = ["service", "service_type", "direction", "era", "hours", "paid_gbp_per_mw"]
    assert found[names].tolist() == [service, kind, direction, era, hours, -6.0 * hours]


@pytest.mark.parametrize("day", [SPRING, AUTUMN, date(2024, 7, 1), date(2024, 1, 1)])
def test_macros_know_the_gb_clocks(database: Path, day: date) -> None:
    starts = gb_time.efa_half_hours(day)
    series = ", ".join(f"('{start.isoformat()}'::TIMESTAMPTZ)" for start in starts)
    rows = warehouse.query(
        database,
        f"SELECT efa_date_of(t) AS efa_date, efa_block_of(t) AS efa_block, london_time(t) AS london "
        f"FROM (VALUES {series}) AS v(t) ORDER BY t",
    )
    expected = gb_time.efa_columns(starts)
    assert rows["efa_date"].tolist() == expected["efa_date"].tolist()
    assert rows["efa_block"].tolist() == expected["efa_block"].tolist()
    assert rows["london"].tolist() == starts.tz_convert("Europe/London").tz_localize(None).tolist()


def test_daily_pnl_by_stream_and_its_running_total(database: Path) -> None:
    by_stream = warehouse.query(database, "SELECT * FROM risk.daily_pnl_by_stream ORDER BY efa_date")
    assert by_stream["day_ahead_gbp"].tolist() == [100.0, -250.0, 0.0]
    assert by_stream["response_gbp"].tolist() == [0.0, 40.0, 0.0]
    assert by_stream["wear_gbp"].tolist() == [-10.0, -5.0, 0.0]
    assert by_stream["total_cash_gbp"].tolist() == [100.0, -210.0, 30.0]
    assert by_stream["total_after_wear_gbp"].tolist() == [90.0, -215.0, 30.0]
    running = warehouse.query(database, "SELECT * FROM risk.cumulative_pnl ORDER BY efa_date")
    assert running["cumulative_cash_gbp"].tolist() == [100.0, -110.0, -80.0]
    assert running["drawdown_gbp"].tolist() == [0.0, 210.0, 180.0]
    assert sorted(name for name in by_stream if name[-1].isdigit()) == []  # a column named twice is numbered
    streams = [value for name, value in by_stream.items() if str(name).endswith("_gbp") and "total" not in str(name)]
    assert sum(column.sum() for column in streams) == by_stream["total_after_wear_gbp"].sum()


def test_a_loss_on_the_first_day_is_a_drawdown_and_a_year_has_365_days(place: Workspace) -> None:
    place.lake.write("risk/daily_pnl", SPRING, daily_pnl(SPRING, {"day_ahead": -100.0}))
    database = warehouse.publish(place)
    assert warehouse.query(database, "SELECT drawdown_gbp FROM risk.cumulative_pnl").iloc[0, 0] == 100.0
    value = warehouse.query(
        database, "SELECT gbp_per_mw_year(sum(pnl_gbp_per_mw), count(DISTINCT efa_date)) FROM risk.daily_pnl"
    )
    assert value.iloc[0, 0] == pytest.approx(-100.0 / 50.0 * 365.0)
    assert pd.isna(warehouse.query(database, "SELECT gbp_per_mw_year(1.0, 0)").iloc[0, 0])


def test_days_that_are_not_complete_are_listed_with_their_reason(place: Workspace) -> None:
    for day, status, reason in ((SPRING, "refused", "HTML with status 200"), (AUTUMN, "complete", "")):
        place.lake.write("market/source_status", day, source_status(day, status, reason))
    rows = warehouse.query(warehouse.publish(place), "SELECT settlement_date, reason FROM market.incomplete_day")
    assert rows.to_numpy().tolist() == [[SPRING, "HTML with status 200"]]


def test_views_may_depend_on_each_other_in_any_order(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {
        "a.one": "CREATE VIEW a.one AS SELECT 'x;y' AS t, * FROM b.two;\nCOMMENT ON VIEW a.one IS 'needs b.two';",
        "b.two": "CREATE VIEW b.two AS SELECT * FROM c.three",
        "c.three": "CREATE VIEW c.three AS SELECT 3 AS n",
    }
    views = tmp_path / "views"
    views.mkdir()
    for name, text in scripts.items():
        (views / f"{name}.sql").write_text(text, encoding="utf-8")
    real = warehouse.sql_files
    monkeypatch.setattr(warehouse, "sql_files", lambda kind: sorted(views.iterdir()) if kind == "views" else real(kind))
    database = warehouse.publish(place)
    assert warehouse.query(database, "SELECT * FROM a.one").to_numpy().tolist() == [["x;y", 3]]
    before = warehouse.table_hashes(database)
    (views / "c.three.sql").write_text("CREATE VIEW c.three AS SELECT * FROM a.one", encoding="utf-8")
    with pytest.raises(BessError, match=r"cannot be built: sql/views/a\.one\.sql .and 2 more.: .*two does not exist"):
        warehouse.publish(place)
    (views / "c.three.sql").write_text("CREATE VIEW c.three AS SELEC 1", encoding="utf-8")
    with pytest.raises(BessError, match=r"cannot be built: sql/views/c\.three\.sql: Parser Error"):
        warehouse.publish(place)
    assert warehouse.table_hashes(database) == before
    assert sorted(p.name for p in place.root.iterdir()) == ["bess.duckdb", "warehouse.lock"]


# --- publishing -----------------------------------------------------------------------------------


def test_equal_lakes_give_equal_tables_however_they_were_written(tmp_path: Path) -> None:
    one, two = Workspace(tmp_path / "one"), Workspace(tmp_path / "two")
    for place in (one, two):
        place.lake.write("market/source_status", AUTUMN, source_status(AUTUMN))
    fill_a_day(one, 50.0)
    fill_a_day(two, 1.0)
    other = warehouse.table_hashes(warehouse.publish(two))
    fill_a_day(two, 50.0)
    hashes = [warehouse.table_hashes(warehouse.publish(place)) for place in (one, two, two)]
    assert hashes[0] == hashes[1] == hashes[2]
    assert {name for name in other if other[name] != hashes[0][name]} == {"market.system_price"}


READER = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
for line in sys.stdin:
    print(connection.execute("SELECT max(system_price_gbp_mwh) FROM market.system_price").fetchone()[0], flush=True)
"""


def test_fault_24_a_reader_in_another_process_blocks_nothing_and_keeps_its_snapshot(place: Workspace) -> None:
    fill_a_day(place, 99.0)
    database = warehouse.publish(place)

    def ask(reader: subprocess.Popen[str]) -> float:
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write("again\n")
        reader.stdin.flush()
        return float(reader.stdout.readline())

    command = [sys.executable, "-c", READER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert ask(reader) == 99.0
        for price in (1000.0, 2000.0):
            fill_a_day(place, price)
            warehouse.publish(place)
            newest = warehouse.query(database, "SELECT max(system_price_gbp_mwh) FROM market.system_price")
            assert newest.iloc[0, 0] == price
            assert ask(reader) == 99.0
    assert reader.returncode == 0


def test_a_reader_in_this_process_does_not_hide_the_newest_build(place: Workspace) -> None:
    fill_a_day(place, 99.0)
    with duckdb.connect(warehouse.publish(place), read_only=True):
        fill_a_day(place, 1000.0)
        newest = warehouse.query(warehouse.publish(place), "SELECT max(system_price_gbp_mwh) FROM market.system_price")
    assert newest.iloc[0, 0] == 1000.0


WRITER = """
import sys
import duckdb
with duckdb.connect(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_fault_24_a_user_s_own_session_that_may_write_blocks_nothing(place: Workspace) -> None:
    """The file they have open is left to them; it is not taken for a broken one."""
    fill_a_day(place, 99.0)
    database = warehouse.publish(place)
    command = [sys.executable, "-c", WRITER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        assert warehouse.readable(database)
        fill_a_day(place, 1000.0)
        warehouse.publish(place)
        newest = warehouse.query(database, "SELECT max(system_price_gbp_mwh) FROM market.system_price")
        assert newest.iloc[0, 0] == 1000.0
    assert sorted(p.name for p in place.root.glob("bess*")) == ["bess.duckdb"]


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500, b"DUCK", "newer"])
def test_fault_27_a_file_that_cannot_be_opened_is_set_aside_and_built_again(
    place: Workspace, content: bytes | str
) -> None:
    if isinstance(content, str):  # the storage version stands behind the checksum and the magic word
        published = warehouse.publish(place).read_bytes()
        content = published[:12] + (10_000).to_bytes(8, "little") + published[20:]
        shutil.rmtree(place.root)
    place.root.mkdir(parents=True)
    place.database.write_bytes(content)
    place.database.with_name("bess.duckdb.wal").write_bytes(b"a journal of that file")
    with pytest.raises(UserInputError, match=r"cannot be read .*publish it again"):
        warehouse.query(place.database, "SELECT 1")
    assert not warehouse.readable(place.database)
    assert warehouse.query(warehouse.publish(place), "SELECT 1 AS one")["one"].tolist() == [1]
    assert sorted(p.name for p in place.root.iterdir()) == ["bess.duckdb", "bess.duckdb.set-aside", "warehouse.lock"]
    assert (place.root / "bess.duckdb.set-aside").read_bytes() == content


def test_builds_of_dead_publishers_are_removed(place: Workspace) -> None:
    place.root.mkdir(parents=True)
    for name in (".bess.duckdb.1-ab.tmp", ".bess.duckdb.1-ab.tmp.wal"):
        (place.root / name).write_bytes(b"left by a killed process")
    (place.root / ".bess.duckdb.1-ab.tmp.tmp").mkdir()
    warehouse.publish(place)
    assert sorted(p.name for p in place.root.iterdir()) == ["bess.duckdb", "warehouse.lock"]


def test_a_publisher_does_not_wait_for_ever(place: Workspace) -> None:
    place.root.mkdir(parents=True)
    with (
        FileLock(place.root / "warehouse.lock"),
        pytest.raises(BessError, match=r"publishing the warehouse and .* was not free within"),
    ):
        warehouse.publish(place, lock_timeout_s=0.05)
    assert not place.database.exists()


def test_fault_26_a_full_disk_leaves_the_old_warehouse(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_a_day(place, 50.0)
    before = warehouse.table_hashes(warehouse.publish(place))

    def full(*_: object) -> None:
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    fill_a_day(place, 1000.0)
    with monkeypatch.context() as patch:
        patch.setattr(warehouse, "_load", full)
        with pytest.raises(BessError, match="No space left on device; the old file is intact; free some space"):
            warehouse.publish(place)
    assert warehouse.table_hashes(place.database) == before
    assert warehouse.table_hashes(warehouse.publish(place)) != before
    assert not list(place.root.glob(".*"))


# --- queries --------------------------------------------------------------------------------------


def test_results_have_the_types_of_the_project(database: Path) -> None:
    frame = warehouse.query(
        database,
        "SELECT settlement_date, start_utc, settlement_period, price_derivation_code, system_price_gbp_mwh, "
        "sum(settlement_period) OVER () AS total FROM market.system_price ORDER BY start_utc LIMIT 2",
    )
    assert frame["settlement_date"].iloc[0] == date(2024, 3, 30)
    kinds = ["object", gb_time.UTC_DTYPE, "int64", "str", "float64", "float64"]
    assert frame.dtypes.astype(str).tolist() == kinds


def test_the_session_is_in_utc(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = warehouse.query(database, "SELECT min(start_utc)::VARCHAR AS t FROM market.system_price")["t"].iloc[0]
    assert text == "2024-03-30 00:00:00+00"
    assert warehouse.query(database, "SELECT current_setting('TimeZone') AS z")["z"].iloc[0] == "UTC"


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELEC 1", "syntax error"),
        ("", "no statement"),
        ("-- only a comment", "no statement"),
        ("SELECT * FROM market.price_panl", 'Did you mean "price_panel"'),
        ("SELECT missing FROM market.system_price", "missing"),
        ("DROP TABLE market.system_price", "read-only"),
        ("DELETE FROM market.system_price", "read-only"),
        ("CREATE TABLE market.mine (i INTEGER)", "read-only"),
        ("COPY market.system_price TO 'stolen.csv'", "disabled"),
        ("SELECT * FROM read_csv('/etc/hosts')", "disabled"),
        ("ATTACH 'other.duckdb'", "disabled"),
        ("SET enable_external_access = true", "locked"),
        ("SELECT * FROM database", "database"),
    ],
)
def test_a_wrong_or_prying_query_is_one_sentence(
    database: Path, sql: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(UserInputError, match=named) as caught:
        warehouse.query(database, sql)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_missing_warehouse_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="run `bess refresh` or `bess demo` first"):
        warehouse.query(tmp_path / "bess.duckdb", "SELECT 1")
    assert list(tmp_path.iterdir()) == []


def test_recorded_prices_come_back_exactly(place: Workspace, realdata: Path) -> None:
    """A month of GB prices with the 50-period day, through lake and warehouse, to the last digit."""
    table = pd.read_parquet(realdata / "tables" / "system_price.parquet")
    local = table["start_utc"].dt.tz_convert("Europe/London")
    month = table[(local >= "2024-10-15") & (local < "2024-11-01")]
    month = month.assign(settlement_date=pd.to_datetime(month["settlement_date"]).dt.date)
    for day, rows in month.groupby("settlement_date"):
        full = rows.assign(price_derivation_code=None, published_utc=pd.NaT)[
            list(schemas.columns("market/system_price"))
        ]
        place.lake.write("market/system_price", day, full)
    prices = warehouse.query(
        warehouse.publish(place), "SELECT start_utc, system_price_gbp_mwh FROM market.price_panel ORDER BY start_utc"
    )
    assert prices["system_price_gbp_mwh"].tolist() == month["system_price_gbp_mwh"].tolist()
    assert prices["start_utc"].tolist() == month["start_utc"].tolist()
    assert len(prices) == 17 * 48 + 2
