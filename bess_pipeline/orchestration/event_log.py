"""Dagster's own SQLite event log, with its connections kept open between events.

What belongs here: how long connections live and how durable one event is. What does not: what is stored
and the form of the files, which are Dagster's and the same for every process on the workspace (`bess ui`
keeps Dagster's default). Which storage an instance has is said in `launch.py`.

Dagster's storage opens an engine and a connection for each of the two to six statements of an event. Closing
the last connection to a file makes SQLite copy its write-ahead log into it, and a new engine compiles every
statement anew: more than half the time of a run over a month of days went there. With a connection kept per
file both happen once, and the events of a step's partitions are written together. Commits wait for no disk
(`synchronous = NORMAL`): after a power cut the newest events may be lost, never the file; which days are done
is in the lake and not in the event log.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import DagsterInstance
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqlEventLogStorageTable, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine

BATCH_SIZE_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
_INDEX = "index"
_KEPT_OPEN = 4  # files: the index, and the runs in progress


class OpenEventLog(SqliteEventLogStorage):
    """`SqliteEventLogStorage` that keeps a few files open; safe between threads and processes, as that is."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._one_at_a_time = threading.Lock()
        self._known: dict[tuple[str, str], bool] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> OpenEventLog:
        """As Dagster makes a storage from its configuration."""
        return cls(inst_data=inst_data, **config_value)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        """A transaction on the file of a run."""
        return self._transaction(run_id or "", super().run_connection)

    def index_connection(self) -> AbstractContextManager[Connection]:
        """A transaction on the file that all runs share."""
        return self._transaction(_INDEX, lambda _: super(OpenEventLog, self).index_connection())

    def has_table(self, table_name: str) -> bool:
        """Whether the shared file has a table; tables are never dropped."""
        return self._once("table", table_name, super().has_table)

    def has_secondary_index(self, name: str) -> bool:
        """Whether a data migration is done; done ones stay done."""
        return self._once("secondary index", name, super().has_secondary_index)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store planned and done materialisations of one run at once, as `store_event` would one by one.

        As in Dagster's storage of Postgres, the table of assets only takes the newest event of each asset.
        """
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        numbered = SqlEventLogStorageTable.insert().returning(
            SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
        )
        with self.index_transaction() as connection:
            ids = list(connection.execute(numbered, rows).scalars())
            of_assets = [pair for pair in zip(events, ids, strict=True) if pair[0].dagster_event_type in ASSET_EVENTS]
            self._store_asset_event_tags(connection, [event for event, _ in of_assets], [n for _, n in of_assets])
            newest = {event.get_dagster_event().asset_key: (event, number) for event, number in of_assets}
            for event, number in newest.values():
                self._store_asset_event(connection, event, number)
        for event, number in zip(events, ids, strict=True):
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, number)

    def wipe(self) -> None:
        """Remove all events, as Dagster does; it unlinks the files, so none may be open."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close every file."""
        self._close()
        super().dispose()

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Whether the table of assets has a column; asked for every event, and columns are never dropped."""
        ask = super()._has_asset_key_col_on_connection
        return self._once("asset column", column_name, lambda name: ask(conn, name))

    @contextmanager
    def _transaction(
        self, shard: str, first: Callable[[str], AbstractContextManager[Connection]]
    ) -> Iterator[Connection]:
        """One transaction at a time, as in Dagster's storage; `first` is its way in, which makes a new file ready."""
        with self._one_at_a_time:
            if shard not in self._engines:
                with first(shard):
                    pass
                self._engines[shard] = self._open(shard)
            self._engines.move_to_end(shard)
            while len(self._engines) > _KEPT_OPEN:
                self._engines.popitem(last=False)[1].dispose()
            with self._engines[shard].begin() as connection:
                yield connection

    def _open(self, shard: str) -> Engine:
        engine = sqlalchemy.create_engine(
            self.conn_string_for_shard(shard),
            pool_size=1,
            max_overflow=0,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        )

        @sqlalchemy.event.listens_for(engine, "connect")
        def relax(connection: Any, _: object) -> None:
            connection.execute("PRAGMA synchronous = NORMAL")

        return engine

    def _once(self, kind: str, name: str, ask: Callable[[str], bool]) -> bool:
        """The answer of `ask`, remembered from the first time that it is yes."""
        if not self._known.get((kind, name)):
            self._known[kind, name] = ask(name)
        return self._known[kind, name]

    def _close(self) -> None:
        with self._one_at_a_time:
            while self._engines:
                self._engines.popitem()[1].dispose()


@contextmanager
def events_in_batches(size: int = 500) -> Iterator[None]:
    """Within the block this process hands over the events of a step's partitions together, where it would one by one.

    That is an option of Dagster, which it reads from the environment.
    """
    before = os.environ.get(BATCH_SIZE_VARIABLE)
    os.environ[BATCH_SIZE_VARIABLE] = before or str(size)
    try:
        yield
    finally:
        if before is None:
            del os.environ[BATCH_SIZE_VARIABLE]


def open_instance(home: Path) -> DagsterInstance:
    """The Dagster instance of a home; with this event log, unless its `dagster.yaml` names a storage of its own."""
    ref = InstanceRef.from_dir(str(home))
    stock = InstanceRef.config_defaults(str(home))
    files = stock["event_log_storage"]
    if files is not None and ref.storage_data == stock["storage"]:
        ours = {"module": __name__, "class": OpenEventLog.__name__, "config": files.config_dict}
        ref = InstanceRef.from_dir(str(home), overrides={"event_log_storage": ours})
    return DagsterInstance.from_ref(ref)
