"""Fetches settlement stacks on demand, keeps them, and builds their table and the price check from the vault.

What belongs here: which answers make a whole day of stacks, and the outcome of such a day. What does not:
daily ingestion (`ingest.py`), the wire format (`sources/elexon_stack.py`), the prices (`market_checks/`).

A stack is no `Dataset`: a day takes about a hundred answers, an answer without rows is legal (nothing
was accepted on that side), and nothing else waits for it. Its outcome is kept beside the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.errors import BessError, NotPublishedError, SourceError
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.outcomes import COMPLETE, NOT_PUBLISHED, REFUSED, Outcome
from bess_pipeline.ingestion.quality import Watched
from bess_pipeline.ingestion.revisions import SYSTEM_PRICE_RAW
from bess_pipeline.ingestion.vault import Failure, RawRecord
from bess_pipeline.market_checks.imbalance_price import PricingRules
from bess_pipeline.market_checks.system_price_check import TABLE as CHECK
from bess_pipeline.market_checks.system_price_check import check_day
from bess_pipeline.settings import StackSettings
from bess_pipeline.sources import elexon_stack
from bess_pipeline.sources.http import RejectedAnswerError

RAW, STACK = "raw/elexon_settlement_stack", "market/settlement_stack"
STACK_WATCH = Watched(STACK, "elexon", lambda day: gb_time.settlement_day_bounds_utc(day)[1], needed=False)


class StackIngestion:
    """Stacks of one workspace, by the vault, lake, client and clock of its `Ingestion`."""

    def __init__(self, ingestion: Ingestion) -> None:
        self.base = ingestion

    def unfinished(self, days: Sequence[date]) -> list[date]:
        """The days that were not complete when they were last built, or never built."""
        return [day for day in days if not self.base.outcomes.complete(STACK, day)]

    def fetch(self, days: Sequence[date]) -> dict[date, Failure | None]:
        """Ask for the stacks of `days` and keep the answers; the failure of each day, None where it went well."""
        return {day: self._fetch_day(day) for day in days}

    def build(self, days: Sequence[date], until: str | None = None) -> list[Outcome]:
        """Write `market/settlement_stack` of `days` from the vault and say how each stands.

        With `until`, a mark of `RawVault.asks`, as if nothing had been answered after that ask.
        """
        outcomes = [self._build_day(day, until) for day in days]
        for outcome in outcomes:
            self.base.outcomes.put(outcome)
        return outcomes

    def check(self, days: Sequence[date], settings: StackSettings) -> pd.DataFrame:
        """Write `market/system_price_check` of those of `days` that have a stack; all rows written."""
        rules = PricingRules(
            settings.dmat_mwh, settings.par_mwh, settings.replacement_par_mwh, settings.rank_repriced_by
        )
        lake, parts = self.base.lake, [schemas.empty_frame(CHECK)]
        for day in days:
            if lake.has(STACK, day):
                prices, index = (
                    lake.read(table, day, day) for table in ("market/system_price", "market/market_index_price")
                )
                stack, adjustments = lake.read(STACK, day, day), self._adjustments(day)
                frame = check_day(day, stack, prices, index, adjustments, rules, settings.tolerance_gbp_mwh)
                lake.write(CHECK, day, frame, {"settings": settings.model_dump_json()})
                parts.append(frame)
        filled = [part for part in parts if not part.empty]
        return pd.concat(filled, ignore_index=True) if filled else parts[0]

    def _fetch_day(self, day: date) -> Failure | None:
        base, fetched_utc = self.base, self.base.now()
        starts = gb_time.settlement_day_bounds_utc(day)[0]
        if starts > fetched_utc:
            return self._fail(day, NOT_PUBLISHED, f"published from {starts:%Y-%m-%dT%H:%MZ}")
        problem: SourceError | None = None
        try:
            answers = elexon_stack.fetch_settlement_stack(base.client, day)
        except RejectedAnswerError as error:
            answers, problem = [error.answer], error
        except SourceError as error:
            answers, problem = [], error
        for origin in {answer.origin for answer in answers}:
            base.admit(origin)
        if answers:
            base.vault.keep(RAW, [day], answers, fetched_utc)
        if problem is None:
            return None
        status = NOT_PUBLISHED if isinstance(problem, NotPublishedError) else REFUSED
        return self._fail(day, status, str(problem))

    def _fail(self, day: date, status: str, reason: str) -> Failure:
        failure = Failure(status, reason, self.base.now())
        self.base.vault.note_failure(RAW, day, failure)
        return failure

    def _build_day(self, day: date, until: str | None) -> Outcome:
        """The outcome of a day; what is stored stays unless a whole day of answers takes its place."""
        expected = len(elexon_stack.SIDES) * gb_time.periods_in_day(day)
        record = self._newest_whole(day, expected, until)
        fetched = record.fetched_utc if record else None
        status, reason = self._why_none(day) if record is None else self._write(day, record)
        rows = expected if status == COMPLETE else 0
        return Outcome("elexon", STACK, day, status, reason, expected, rows, fetched)

    def _newest_whole(self, day: date, expected: int, until: str | None) -> RawRecord | None:
        records = self.base.vault.records(RAW, day, until)
        return next((record for record in records if len(record.bodies) == expected), None)

    def _write(self, day: date, record: RawRecord) -> tuple[str, str]:
        base = self.base
        try:
            parts = [elexon_stack.parse_settlement_stack(base.vault.body(b.sha256), b.url) for b in record.bodies]
            filled = [part for part in parts if not part.empty]
            if not filled:
                return NOT_PUBLISHED, "no action is published in any period of the day"
            rows = pd.concat(filled, ignore_index=True)
            lost = self._lost_periods(day, rows)
            if lost:
                return REFUSED, f"the newest answer lacks all actions of {lost} periods that are stored"
            base.lake.write(STACK, day, rows)
        except BessError as error:
            return (NOT_PUBLISHED if isinstance(error, NotPublishedError) else REFUSED), str(error)
        return COMPLETE, ""

    def _lost_periods(self, day: date, rows: pd.DataFrame) -> int:
        stored = self.base.lake.read(STACK, day, day)
        return len(set(stored["settlement_period"]) - set(rows["settlement_period"]))

    def _why_none(self, day: date) -> tuple[str, str]:
        failure = self.base.vault.failure(RAW, day)
        return (failure.status, failure.reason) if failure else (REFUSED, f"{RAW} was never fetched for {day}")

    def _adjustments(self, day: date) -> dict[int, tuple[float, float]]:
        """(Buy, sell) price adjustments of the newest readable system price answer; none where there is none."""
        for record in self.base.vault.records(SYSTEM_PRICE_RAW, day):
            try:
                parts = [elexon_stack.parse_price_adjustments(self.base.vault.body(b.sha256)) for b in record.bodies]
            except BessError:
                continue
            return {period: both for part in parts for period, both in part.items()}
        return {}
