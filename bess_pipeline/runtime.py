"""One resolved view of settings and workspace: which market is behind it, what "now" is, what to ingest.

What belongs here: resolving settings left open (mode, day-ahead source, now) against the
workspace's stamp and the market that answers, and connecting to that market. What does not:
settings themselves (`settings.py`), the stamp file (`workspace.py`), fetching (`ingestion/`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from bess_pipeline import atomic, gb_time, sample_dates
from bess_pipeline.errors import OriginError, SourceError, SourceUnreachableError, UserInputError
from bess_pipeline.ingestion.datasets import Dataset, expected_datasets
from bess_pipeline.ingestion.forecasts import fundamental_forecast
from bess_pipeline.ingestion.frequency import response_energy_dataset
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.quality import Watched, watch
from bess_pipeline.ingestion.stack import STACK_WATCH
from bess_pipeline.settings import DayAheadSource, Mode, Settings, SourcesSettings
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.sources.provider_state import ProviderState
from bess_pipeline.sources.redaction import public_url
from bess_pipeline.workspace import Origin, Workspace, effective_sources, require_origin

INGEST_TIMEOUT_S = 3600.0  # a month of days from slow providers, and others that queue before it


@dataclass(frozen=True)
class MarketIdentity:
    """What stands behind the base URLs: a real market, recorded tables or the sample market."""

    origin: Origin
    day_ahead: DayAheadSource | None = None
    first_date: date | None = None
    last_date: date | None = None


class Runtime:
    """Settings and workspace, resolved. Reading attributes has no side effect on disk.

    `say` is told, in a sentence, when this process has to wait for another one.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None] = lambda text: None) -> None:
        self.settings = settings
        self.say = say
        self.workspace = Workspace(settings.workspace)

    @cached_property
    def mode(self) -> Mode:
        """live, sample or files: the setting, else the workspace's stamp, else what the market says it is."""
        stamp = self.workspace.stamp()
        if self.settings.sources.mode is None and stamp is None:
            return "sample" if identify_market(self.settings.sources).origin == "simulated" else "live"
        return effective_sources(self.settings, stamp)[0]

    @cached_property
    def identity(self) -> MarketIdentity:
        """The market that answers; asked once, and only where it is not a provider's own address.

        Raises OriginError when the market is simulated and the mode is not, or the reverse.
        """
        if self.mode == "files":
            return MarketIdentity("recorded", "file")
        if self.mode == "sample" and not self.settings.sources.base_url_given:
            return MarketIdentity("simulated", "neso_n2ex", sample_dates.FIRST_DATE, sample_dates.LAST_DATE)
        found = identify_market(self.settings.sources)
        require_origin(self.mode, found.origin)
        return found

    @property
    def day_ahead(self) -> DayAheadSource:
        """The day-ahead source: the setting, else the stamp, else what a replay server holds, else N2EX."""
        stamp = self.workspace.stamp()
        chosen = effective_sources(self.settings, stamp)[1]
        if self.settings.sources.day_ahead is None and stamp is None and self.identity.day_ahead:
            return self.identity.day_ahead
        return chosen

    def now(self) -> datetime:
        """The only "now": the setting, else the end of the demo in simulated data, else the wall clock."""
        if self.settings.clock.now_utc is None and self.mode == "sample":
            return sample_dates.NOW_UTC
        return self.settings.now()

    def last_finished_day(self) -> date:
        """The last EFA day that had ended, with its last system price out, at `now`."""
        lag = timedelta(minutes=self.settings.data.system_price_lag_minutes)
        return gb_time.efa_date_of(self.now() - lag) - timedelta(days=1)

    def next_trading_day(self) -> date:
        """The EFA day that follows the one in progress."""
        return gb_time.efa_date_of(self.now()) + timedelta(days=1)

    def datasets(self, *, offline: bool = False) -> list[Dataset]:
        """What this workspace ingests; `offline`: to build from kept answers only, which needs no token."""
        return expected_datasets(self.mode, self.day_ahead, self.settings.sources, offline=offline)

    def side_datasets(self) -> list[Dataset]:
        """What it can ingest besides; no trading day waits for them. Recorded tables hold no forecasts."""
        if self.mode == "files":
            return []
        forecasts = [] if self.origin == "recorded" else [fundamental_forecast()]
        return [*forecasts, response_energy_dataset(self.frequency_basis)]

    def watched(self) -> list[Watched]:
        """Everything whose days are judged: what it ingests, and what it can ingest besides."""
        stacks = [] if self.mode == "files" else [STACK_WATCH]
        return [
            *(watch(one) for one in self.datasets(offline=True)),
            *(watch(one, needed=False) for one in self.side_datasets()),
            *stacks,
        ]

    @property
    def origin(self) -> Origin:
        """The origin of what the workspace holds; of the market that answers where it holds nothing yet."""
        stamp = self.workspace.stamp()
        return stamp.origin if stamp else self.identity.origin

    @property
    def frequency_basis(self) -> str:
        """How rows made from system frequency are labelled: simulated, or measured."""
        return "simulated" if self.origin == "simulated" else "measured"

    def admit(self, origin: str | None) -> None:
        """Stamp a new workspace with `origin`, or raise OriginError when it holds another.

        The user's own file has none (None) and takes that of the market it joins.
        """
        expected = self.identity.origin
        if origin not in (None, expected):
            raise OriginError(
                f"an answer says its data is {origin} but the market was taken for {expected}: nothing was written"
            )
        self.workspace.claim(expected, self.day_ahead)

    def check_admission(self) -> None:
        """Raise OriginError before any request when this market's data cannot enter the workspace."""
        stamp = self.workspace.stamp()
        if stamp is not None:
            self.workspace.claim(self.identity.origin, self.day_ahead)

    def check_first_day(self, day: date) -> None:
        """Raise UserInputError when `day` lies before any data this pipeline could have."""
        first = max(self.settings.data.first_date, self.identity.first_date or date.min)
        if day < first:
            raise UserInputError(f"{day} is before data begins on {first}: choose a later --from")

    @contextmanager
    def alone_with(self, *names: str) -> Iterator[None]:
        """Let no other process of this workspace ask for or build the raw assets (or tables) `names` meanwhile.

        What has to be done must be looked up inside the block: the process waited for may have done it.
        Raises BessError when the wait exceeds INGEST_TIMEOUT_S.
        """
        with ExitStack() as held:
            for name in sorted(set(names)):
                file = self.workspace.raw / "locks" / f"{name.replace('/', '.')}.lock"
                held.enter_context(atomic.locked(file, f"bringing in {name}", INGEST_TIMEOUT_S, self.say))
            yield

    @contextmanager
    def ingestion(self) -> Iterator[Ingestion]:
        """An `Ingestion` connected to the market; a sample market lives as long as the block."""
        with (
            market_connection(self.settings.sources, self.mode) as sources,
            HttpClient(sources, self.now) as client,
        ):
            yield Ingestion(self.workspace.raw, self.workspace.lake, client, self.now, self.admit)


@contextmanager
def market_connection(sources: SourcesSettings, mode: Mode) -> Iterator[SourcesSettings]:
    """Source settings that reach the market; starts the sample market unless one is already given."""
    if mode != "sample" or sources.base_url_given:
        yield sources
        return
    from bess_pipeline.sample_market.server import MarketServer
    from bess_pipeline.sample_market.simulate import simulate

    with MarketServer(simulate()) as server:
        yield sources.model_copy(update=server.base_urls)


def identify_market(sources: SourcesSettings) -> MarketIdentity:
    """Ask a base URL that is not the provider's own what it serves; the providers themselves are live."""
    if not sources.base_url_given:
        return MarketIdentity("live")
    parts = urlsplit(public_url(sources.elexon_base_url))
    host = f"{parts.scheme}://{parts.netloc}"
    once = sources.model_copy(update={"max_attempts": 1})
    try:
        with HttpClient(once, lambda: datetime.now(UTC), state=ProviderState(None)) as client:  # counts for no breaker
            return _identity(json.loads(client.get("elexon", f"{host}/bess/market").content))
    except SourceUnreachableError:
        problem = f"nothing answers at {host}: start `bess serve-market` there or mend [sources] elexon_base_url"
    except (SourceError, ValueError, KeyError, TypeError):
        return MarketIdentity("live")  # a mirror or proxy of a provider knows nothing of our path
    raise SourceError(problem)


def _identity(found: Mapping[str, Any]) -> MarketIdentity:
    first, last = (date.fromisoformat(found[name]) for name in ("first_date", "last_date"))
    return MarketIdentity(found["origin"], found["day_ahead_leg"], first, last)
