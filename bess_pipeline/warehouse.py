"""The DuckDB warehouse: built from the lake and `sql/` in a file of its own, published by one rename.

What belongs here: building, publishing and reading `bess.duckdb`. What does not: the tables' columns
(`schemas.py`), the partitions (`lake.py`) and the SQL itself (`sql/`: one object per file, named
after it, executed whole).

The published file is disposable. Whoever has it open keeps the snapshot they opened and blocks
nobody, because a build never touches it: it is replaced, not changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow

from bess_pipeline import __version__, atomic, schemas
from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH, WITHOUT_NEXT_DAY
from bess_pipeline.workspace import Workspace, WorkspaceStamp, packaged

LOCK_TIMEOUT_S = 600.0
ALSO_LOADED = {  # all strategies in one table, by the columns that it has
    "trading/plan": ("trading/co_optimised_plan",),
    "trading/dispatch": ("trading/market_dispatch",),
    "trading/orders": ("trading/foresight_orders",),
}
SET_ASIDE_SUFFIX = ".set-aside"
_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def publish(
    workspace: Workspace, lock_timeout_s: float = LOCK_TIMEOUT_S, say: Callable[[str], None] | None = None
) -> Path:
    """Builds the warehouse from the lake and replaces `bess.duckdb` by it; returns its path.

    Whatever lies at that path stays until the new build is complete; a file that this version cannot open
    (corrupt, empty, of a newer format) is then set aside under the suffix SET_ASIDE_SUFFIX. `say` is told when
    another publisher has to be waited for. Raises BessError in one sentence when that one holds the lock for
    `lock_timeout_s`, the disk is full, or a script in `sql/` fails; the old file is intact then.
    """
    database = workspace.database
    with atomic.locked(workspace.root / "warehouse.lock", "publishing the warehouse", lock_timeout_s, say):
        _remove_stale_builds(database)
        problem = ""
        try:
            with atomic.replacing(database) as build:
                _build(build, workspace.lake, workspace.stamp())
                _remove(_companion(database, ".wal"))  # a journal of the file that is being replaced
                if database.is_file() and not readable(database):
                    os.replace(database, database.with_name(f"{database.name}{SET_ASIDE_SUFFIX}"))
        except duckdb.Error as error:
            why = first_sentence(error)
            problem = atomic.cannot_write(database, why, full="no space" in why.lower())
        finally:
            _remove_stale_builds(database)
    if problem:
        raise BessError(problem)
    return database


def query(database: Path, sql: str) -> pd.DataFrame:
    """The result of the (last) statement of `sql` on a published warehouse, read-only.

    Instants come as zone-aware UTC, dates as `datetime.date`, exact sums as float64. Nothing but
    the warehouse can be read: neither files nor the network. Raises UserInputError in one sentence
    when the warehouse is missing or the SQL is wrong.
    """
    with _reading(database) as connection:
        problem = ""
        try:
            result = connection.execute(sql)
            table = None if result is None or result.description is None else result.to_arrow_table()
        except duckdb.Error as error:
            problem = f"the query cannot be run: {first_sentence(error)}"
    if problem:
        raise UserInputError(problem)
    if table is None:
        raise UserInputError("the query has no statement: give for example SELECT * FROM market.price_panel")
    return _frame(table)


def readable(database: Path) -> bool:
    """True when a published warehouse lies there that this version of DuckDB opens, or that somebody writes to."""
    try:
        with _reading(database) as connection:
            connection.execute("SELECT schema_version FROM meta.publication")
    except (BessError, duckdb.Error) as error:
        return "could not set lock" in str(error).lower()  # a user's own session, which is not ours to judge
    return True


def tables(database: Path) -> dict[str, dict[str, str]]:
    """Column name -> DuckDB type of every table (views are left out), by `schema.table`."""
    with _reading(database) as connection:
        return {name: _describe(connection, name) for name in _table_names(connection)}


def table_hashes(database: Path) -> dict[str, str]:
    """SHA-256 of names, types and rows of every table, by `schema.table`; the order of rows does not count."""
    with _reading(database) as connection:
        return {name: _table_hash(connection, name) for name in _table_names(connection)}


def first_sentence(error: duckdb.Error) -> str:
    """DuckDB's message on one line, without the echo of the SQL."""
    return " ".join(str(error).split("\n\nLINE ")[0].split())


def sql_files(kind: str) -> list[Path]:
    """The scripts of `sql/<kind>` (tables, macros, views, queries), by name."""
    return sorted((packaged("sql") / kind).glob("*.sql"))


def _build(file: Path, lake: Lake, stamp: WorkspaceStamp | None) -> None:
    connection = duckdb.connect(file, config=_OFFLINE)
    try:
        connection.execute("SET TimeZone='UTC'; SET enable_progress_bar=false")
        connection.begin()  # one transaction: a flush to disk for all of it, not one for each statement
        _create_schemas(connection)
        for script in sql_files("tables"):
            _run(connection, script)
        for table in schemas.TABLES:
            for held in (table, *ALSO_LOADED.get(table, ())):
                _load(connection, table, lake.files(held))
            _comment(connection, table)
        _load_without_next_day(connection, lake)
        connection.execute(
            "INSERT INTO meta.publication VALUES (?, ?, ?, ?)",
            [schemas.SCHEMA_VERSION, __version__, stamp and stamp.origin, stamp and stamp.day_ahead],
        )
        connection.commit()
        _create_in_order(connection, [*sql_files("macros"), *sql_files("views")])
        connection.execute("CHECKPOINT")
    finally:
        connection.close()


def _create_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    named = [*sql_files("tables"), *sql_files("views")]
    for schema in sorted({script.name.split(".")[0] for script in named}):
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')


def _load(connection: duckdb.DuckDBPyConnection, table: str, files: list[Path]) -> None:
    """Fills a table by column name from its partitions, in day order; columns that an earlier version of this program
    did not write yet are null. BessError where they may not be."""
    if not files:
        return
    source = "read_parquet($files, union_by_name = true, hive_partitioning = false)"
    given = {"files": [_literal_path(file) for file in files]}
    written = {name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}", given).fetchall()}
    known = schemas.columns(table)
    missing = [name for name, column in known.items() if name not in written and not column.nullable]
    if missing:
        raise BessError(
            f"{table} was written by a version without {', '.join(missing)}: materialise its days again, or remove "
            f"{files[0].parent}"
        )
    columns = ", ".join(f'"{name}"' for name in known if name in written)
    connection.execute(f"INSERT INTO {_quoted(table)} BY NAME SELECT {columns} FROM {source}", given)


def _load_without_next_day(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Days and strategies whose dispatch says in its stamp that it went without the contracts of the day after."""
    found = [
        (day, name.partition(".")[2])
        for day in lake.days(MARKET_DISPATCH)
        for name in lake.stamp(MARKET_DISPATCH, day)
        if name.startswith(f"{WITHOUT_NEXT_DAY}.")
    ]
    if found:
        connection.executemany("INSERT INTO meta.without_next_day VALUES (?, ?)", found)


def _comment(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    text = " ".join((schemas.TABLES[table].__doc__ or "").split())
    connection.execute(f"COMMENT ON TABLE {_quoted(table)} IS {_text(text)}")
    for name, column in schemas.columns(table).items():
        connection.execute(f'COMMENT ON COLUMN {_quoted(table)}."{name}" IS {_text(column.description or "")}')


def _create_in_order(connection: duckdb.DuckDBPyConnection, scripts: Iterable[Path]) -> None:
    """Runs scripts that may use one another's objects: those that fail for a missing one wait for the rest."""
    waiting = list(scripts)
    while waiting:
        failed: dict[Path, str] = {}
        for script in waiting:
            connection.begin()
            try:
                _run(connection, script)
            except duckdb.CatalogException as error:
                connection.rollback()
                failed[script] = first_sentence(error)
            else:
                connection.commit()
        if len(failed) == len(waiting):
            script, why = next(iter(failed.items()))
            others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            raise BessError(f"the warehouse cannot be built: sql/{script.parent.name}/{script.name}{others}: {why}")
        waiting = list(failed)


def _run(connection: duckdb.DuckDBPyConnection, script: Path) -> None:
    """Executes a script whole, never split on semicolons; a missing object raises CatalogException."""
    try:
        connection.execute(script.read_text(encoding="utf-8"))
    except duckdb.CatalogException:
        raise
    except duckdb.Error as error:
        why = first_sentence(error)
    else:
        return
    raise BessError(f"the warehouse cannot be built: sql/{script.parent.name}/{script.name}: {why}")


@contextmanager
def _reading(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection whose SQL reaches nothing but the warehouse.

    The file is attached to an instance of its own: DuckDB shares an instance between connections
    to one path, which would show the snapshot of whoever opened it first.
    """
    if not database.is_file():
        raise UserInputError(f"there is no warehouse {database}: run `bess refresh` or `bess demo` first")
    connection = duckdb.connect(":memory:", config={**_OFFLINE, "python_enable_replacements": False})
    try:
        problem = ""
        try:
            connection.execute(f"ATTACH {_text(str(database))} AS bess (READ_ONLY)")
        except duckdb.Error as error:
            problem = f"{database} cannot be read ({first_sentence(error)}): run `bess refresh` to publish it again"
        if problem:
            raise UserInputError(problem)
        connection.execute(
            "USE bess; SET TimeZone='UTC'; SET enable_progress_bar=false; "
            "SET enable_external_access=false; SET lock_configuration=true"
        )
        yield connection
    finally:
        connection.close()


def _frame(table: pyarrow.Table) -> pd.DataFrame:
    fields = [
        pyarrow.field(field.name, pyarrow.float64()) if pyarrow.types.is_decimal(field.type) else field
        for field in table.schema
    ]
    return table.cast(pyarrow.schema(fields)).to_pandas(types_mapper=schemas.PANDAS_TYPES.get)


def _table_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = 'bess' ORDER BY ALL"
    ).fetchall()
    return [name for (name,) in rows]


def _describe(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {_quoted(name)}").fetchall()}


def _table_hash(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """A sum of row hashes, so that the order does not count and a repeated row does."""
    content = connection.execute(
        f"SELECT count(*), sum(md5_number_lower(CAST(row_ AS VARCHAR))), sum(md5_number_upper(CAST(row_ AS VARCHAR))) "
        f"FROM {_quoted(name)} AS row_"
    ).fetchone()
    return hashlib.sha256(repr((_describe(connection, name), content)).encode()).hexdigest()


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.replace("/", ".").split("."))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _literal_path(file: Path) -> str:
    """A path that DuckDB's glob takes for itself, whatever characters its folders have."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(file))


def _companion(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _remove_stale_builds(database: Path) -> None:
    """Removes what dead publishers left; under the lock nobody else is building."""
    for leftover in database.parent.glob(f".{database.name}.*{atomic.TEMPORARY_SUFFIX}*"):
        _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
