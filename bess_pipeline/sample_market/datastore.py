"""A CKAN datastore in memory: resources as DuckDB tables, searched by parameters or by guarded SQL.

What belongs here: the tables, `datastore_search`, and the allow-list that every SQL text passes
before it reaches DuckDB. What does not: which rows a NESO resource holds and the answers' envelope
(`wire_neso.py`).

The SQL guard is an allow-list: one SELECT from one known resource; quoted names must be its
columns, words must be on the list or aliases made with AS, and no name in quotes may be called. The
database has no access to files or the network, and its configuration is locked. As at NESO's
portal, a web firewall answers 403 for COALESCE, OR, EXTRACT and an unquoted `date`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import pandas as pd
import pyarrow

ROW_CAP = 32_000
HIDDEN_TEXT = "_full_text"
_DUCKDB_TYPES = {
    "int4": "INTEGER",
    "numeric": "DOUBLE",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "tsvector": "VARCHAR",
}
_CKAN_TYPES = {
    "VARCHAR": "text",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "HUGEINT": "numeric",
    "DOUBLE": "numeric",
    "TIMESTAMP": "timestamp",
    "DATE": "date",
    "INTERVAL": "interval",
    "BOOLEAN": "bool",
}
FIREWALLED = frozenset({"COALESCE", "OR", "EXTRACT", "DATE"})
_KEYWORDS = (
    "SELECT DISTINCT FROM WHERE AND NOT IN IS NULL BETWEEN LIKE ILIKE GROUP HAVING ORDER BY ASC DESC NULLS FIRST LAST"
)
_MORE = "LIMIT OFFSET AS OVER COUNT SUM MIN MAX AVG ROUND ABS LOWER UPPER TRUE FALSE TIMESTAMP INTERVAL"
ALLOWED_WORDS = frozenset((*_KEYWORDS.split(), *_MORE.split()))
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<string>'(?:[^']|'')*')|(?P<name>"(?:[^"]|"")*")|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<forbidden>--|/\*)|(?P<mark><=|>=|<>|!=|[(),*=<>+/-])"""
)


class FirewallError(Exception):
    """The portal's web firewall turns the request away (HTTP 403)."""


class QueryError(Exception):
    """A query that cannot be answered; the text is for the caller (CKAN validation error)."""


class UnknownResourceError(Exception):
    """No datastore table of that id."""


@dataclass(frozen=True)
class Resource:
    """One datastore table: `fields` maps column to CKAN type; `frame` holds those columns, in order."""

    id: str
    name: str
    fields: Mapping[str, str]
    frame: pd.DataFrame
    dump_has_id: bool = True


@dataclass(frozen=True)
class Found:
    """Rows with their fields, and how many there are in all."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    total: int
    truncated: bool = False


class Datastore:
    """Read-only tables of CKAN resources; one connection, used by one thread at a time."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.resources = {resource.id: resource for resource in resources}
        self._lock = threading.Lock()
        self._database = duckdb.connect(
            config={"enable_external_access": "false", "autoload_known_extensions": "false", "threads": "1"}
        )
        self._database.execute("SET TimeZone='UTC'")
        for resource in resources:
            self._create(resource)
        self._database.execute("SET lock_configuration=true")

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._database.close()

    def search(
        self, resource_id: str, *, limit: int, offset: int, sort: str, filters: Mapping[str, object], fields: str = ""
    ) -> Found:
        """`datastore_search`: equality filters (a list means any of), `sort` as "column [asc|desc], …"."""
        columns = self._columns(resource_id)
        chosen = [_column(name.strip(), columns) for name in fields.split(",")] if fields else ["_id", *columns[2:]]
        where, values = _where(filters, columns)
        order = ", ".join(_order(part, columns) for part in _sorts(sort))
        table = f'FROM "{resource_id}" {where}'
        picked = ", ".join(f'"{name}"' for name in chosen)
        with self._lock:
            counted = self._database.execute(f"SELECT count(*) {table}", values).fetchone()
            page = f"SELECT {picked} {table} ORDER BY {order} LIMIT {min(limit, ROW_CAP)} OFFSET {offset}"
            return self._found(page, values, total=int(counted[0]) if counted else 0)

    def sql(self, text: str) -> Found:
        """`datastore_search_sql`: one guarded SELECT, cut at 32,000 rows."""
        statement = self._guard(text)
        problem = ""
        with self._lock:
            try:
                found = self._found(statement, [], cap=ROW_CAP)
            except duckdb.Error as error:
                problem = str(error).splitlines()[0]
        if problem:
            raise QueryError(problem)
        return found

    def _create(self, resource: Resource) -> None:
        frame = resource.frame.reset_index(drop=True)
        table = pyarrow.table({name: pyarrow.array(frame[name], from_pandas=True) for name in resource.fields})
        columns = ", ".join(
            f'CAST("{name}" AS {_DUCKDB_TYPES[kind]}) AS "{name}"' for name, kind in resource.fields.items()
        )
        self._database.register("incoming", table)
        self._database.execute(
            f'CREATE TABLE "{resource.id}" AS SELECT CAST(row_number() OVER () AS INTEGER) AS "_id",'
            f' CAST(NULL AS VARCHAR) AS "{HIDDEN_TEXT}", {columns} FROM incoming'
        )
        lexemes = " || ' ' || ".join(
            f"coalesce('''' || lower(\"{name}\"::VARCHAR) || '''', '')" for name in resource.fields
        )
        self._database.execute(f'UPDATE "{resource.id}" SET "{HIDDEN_TEXT}" = {lexemes}')
        self._database.unregister("incoming")

    def _columns(self, resource_id: str) -> list[str]:
        if resource_id not in self.resources:
            raise UnknownResourceError(resource_id)
        return ["_id", HIDDEN_TEXT, *self.resources[resource_id].fields]

    def _found(self, statement: str, values: list[object], *, total: int = -1, cap: int | None = None) -> Found:
        cursor = self._database.execute(statement, values)
        description = cursor.description or []
        rows = cursor.fetchall() if cap is None else cursor.fetchmany(cap + 1)
        truncated = cap is not None and len(rows) > cap
        rows = rows[:cap] if truncated else rows
        names = tuple(str(column[0]) for column in description)
        types = tuple(_ckan_type(name, str(column[1])) for name, column in zip(names, description, strict=True))
        return Found(names, types, rows, len(rows) if total < 0 else total, truncated)

    def _guard(self, text: str) -> str:
        tokens = list(_tokens(text))
        if any(kind == "word" and value.upper() in FIREWALLED for kind, value in tokens):
            raise FirewallError
        resource_id = _single_source(tokens)
        columns = set(self._columns(resource_id))
        aliases = {value.strip('"') for (_, before), (_, value) in pairwise(tokens) if before.upper() == "AS"}
        for position, (kind, value) in enumerate(tokens):
            following = tokens[position + 1][1] if position + 1 < len(tokens) else ""
            if kind == "name" and (value[1:-1] not in columns | aliases | {resource_id} or following == "("):
                raise QueryError(f"{value} is not a column of the resource")
            if kind == "word" and value.upper() not in ALLOWED_WORDS and (value not in aliases or following == "("):
                raise QueryError(f"'{value}' is not accepted here")
        return text.strip().removesuffix(";")


def json_value(value: object) -> object:
    """A value as `datastore_search` prints it: numbers stay numbers, instants are naive ISO strings."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else value


def sql_value(column: str, value: object) -> object:
    """A value as `datastore_search_sql` prints it: every number but `_id` is a string."""
    if isinstance(value, bool) or value is None or column == "_id":
        return value
    return json_value(value) if isinstance(value, datetime | date | timedelta) else str(value)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text = text.strip().removesuffix(";")
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup == "forbidden":
            raise QueryError(f"the statement is not a single plain SELECT: see character {position + 1}")
        position = match.end()
        if match.lastgroup != "space":
            yield str(match.lastgroup), match.group()


def _single_source(tokens: list[tuple[str, str]]) -> str:
    """The resource id after the only FROM of the only SELECT."""
    words = [value.upper() for kind, value in tokens if kind == "word"]
    if words[:1] != ["SELECT"] or words.count("SELECT") != 1 or words.count("FROM") != 1:
        raise QueryError("only one SELECT from one resource is accepted")
    place = next(n for n, (kind, value) in enumerate(tokens) if kind == "word" and value.upper() == "FROM") + 1
    source = tokens[place] if place < len(tokens) else ("", "")
    if source[0] != "name":
        raise QueryError('FROM must name a resource in double quotes: FROM "<resource id>"')
    if place + 1 < len(tokens) and tokens[place + 1][1].upper() not in {
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "LIMIT",
        "OFFSET",
    }:
        raise QueryError("only one resource can be named, without an alias")
    return source[1][1:-1]


def _column(name: str, columns: list[str]) -> str:
    bare = name[1:-1] if len(name) > 1 and name.startswith('"') and name.endswith('"') else name
    if bare not in columns:
        raise QueryError(f"{name!r} is not a field of the resource")
    return bare


def _sorts(sort: str) -> list[str]:
    return [part.strip() for part in sort.split(",") if part.strip()] or ["_id"]


def _order(part: str, columns: list[str]) -> str:
    match = re.fullmatch(r"(.+?)(?:\s+(asc|desc))?", part, flags=re.IGNORECASE)
    if match is None:
        raise QueryError(f"cannot sort by {part!r}")
    return f'"{_column(match.group(1), columns)}" {(match.group(2) or "asc").upper()}'


def _where(filters: Mapping[str, object], columns: list[str]) -> tuple[str, list[object]]:
    clauses: list[str] = []
    values: list[object] = []
    for name, wanted in filters.items():
        options = wanted if isinstance(wanted, list) else [wanted]
        marks = ", ".join("?" for _ in options) or "NULL"
        clauses.append(f'CAST("{_column(name, columns)}" AS VARCHAR) IN ({marks})')
        values.extend(str(option).replace("T", " ") if _is_instant(option) else str(option) for option in options)
    return ("WHERE " + " AND ".join(clauses) if clauses else ""), values


def _is_instant(option: object) -> bool:
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", str(option)) is not None


def _ckan_type(name: str, duckdb_type: str) -> str:
    if name == HIDDEN_TEXT:
        return "tsvector"
    return _CKAN_TYPES.get(duckdb_type.split("(")[0], "numeric" if duckdb_type.startswith("DECIMAL") else "text")
