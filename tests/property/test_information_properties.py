"""Information sets of random markets against an oracle that goes through the stored rows one by one.

The oracle knows the rules of `market_frames` only. Every array is rebuilt from it, cell by cell: nothing that was not
known by a row's gate (or, for outcomes, by the last gate) can be in it, and nothing that was known is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import market_frames as market
import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from bess_pipeline import gb_time
from bess_pipeline.forecasting.information import LAGS, LEADS, Information
from bess_pipeline.forecasting.market_panel import panel_of_frames
from bess_pipeline.forecasting.observation import observe, observe_dispatch, window

ONE_DAY = timedelta(days=1)
ENDS = (date(2024, 2, 21), date(2024, 4, 1), date(2024, 10, 29), date(2024, 3, 4))  # both clock changes, a month file
CALIBRATION = 3
LATE = datetime(9999, 1, 1, tzinfo=UTC)
VALUE = {
    "day_ahead": ("day_ahead_price", "day_ahead_price_gbp_mwh"),
    "market_index": ("market_index_price", "market_index_price_gbp_mwh"),
    **{f"response_{one}": ("auction_clearing", "clearing_price_gbp_mw_h") for one in market.PRODUCTS},
    **{f"activation_{one}": ("response_energy", "energy_mwh_per_mw") for one in market.PRODUCTS},
}
REVISED = {"system_price": "system_price_gbp_mwh", "net_imbalance_volume": "net_imbalance_volume_mwh"}


class Oracle:
    """Known values of a market by EFA day and slot at any instant, found by going through rows."""

    def __init__(self, frames: market.Frames, slots: int) -> None:
        self.frames, self.slots = frames, slots
        self.rows = {name: list(self._plain(name)) for name in VALUE} | {n: list(self._revised(n)) for n in REVISED}
        self.by_day: dict[tuple[str, date], list[tuple[datetime, datetime, list[tuple[datetime, float]]]]] = {}
        for name, rows in self.rows.items():
            for row in rows:
                self.by_day.setdefault((name, market.efa_date(row[0])), []).append(row)
        self.published: dict[tuple[str, datetime], list[tuple[datetime, float]]] = {}
        for row in frames["fundamental_forecast"].sort_values("published_utc").itertuples(index=False):
            self.published.setdefault((row.series, row.start_utc), []).append((row.published_utc, row.value))

    def _plain(self, name: str) -> Iterator[tuple[datetime, datetime, list[tuple[datetime, float]]]]:
        table, column = VALUE[name]
        frame = self.frames[table]
        if "product" in frame:
            frame = frame[frame["product"] == name[-3:]]
        for row in frame.itertuples(index=False):
            start = row.delivery_start_utc if table == "auction_clearing" else row.start_utc
            yield start, market.KNOWN[table](row), [(LATE, getattr(row, column))]

    def _revised(self, name: str) -> Iterator[tuple[datetime, datetime, list[tuple[datetime, float]]]]:
        versions: dict[datetime, list[tuple[datetime, float]]] = {}
        for row in self.frames["system_price_revision"].sort_values("version").itertuples(index=False):
            start = gb_time.period_start_utc(row.settlement_date, row.settlement_period)
            there = row.fetched_utc if pd.isna(row.published_utc) else max(row.fetched_utc, row.published_utc)
            versions.setdefault(start, []).append((there, getattr(row, REVISED[name])))
        for row in self.frames["system_price"].itertuples(index=False):
            stored = [(LATE, getattr(row, REVISED[name]))]
            start = row.start_utc.to_pydatetime()
            yield start, market.KNOWN["system_price"](row), versions.get(start, stored)

    def by_slot(self, name: str, slots: int, day: date, instant: datetime) -> np.ndarray:
        """What was known of a stream's day at an instant: one value a slot."""
        found: dict[int, list[float]] = {}
        for start, known, versions in self.by_day.get((name, day), []):
            if known <= instant:
                there = [value for since, value in versions if since <= instant]
                value = there[-1] if there else versions[0][1]
                if not np.isnan(value):
                    found.setdefault(slot(start, slots), []).append(value)
        return spread(found, slots)

    def fundamental(self, series: str, day: date, instant: datetime) -> np.ndarray:
        """The newest publications of a day's half-hours at an instant, not older than three days."""
        found: dict[int, list[float]] = {}
        for start in gb_time.efa_half_hours(day):
            asked = start.floor("h") if series == "wind" else start
            rounds = self.published.get((series, asked), [])
            known = [value for published, value in rounds if instant - 3 * ONE_DAY < published <= instant]
            if known:
                found.setdefault(slot(start, 48), []).append(known[-1])
        return spread(found, 48)


def slot(start: datetime, slots: int) -> int:
    """Place on the London clock, counted from 23:00."""
    local = start.astimezone(market.LONDON)
    return ((local.hour + 1) % 24 * 60 + local.minute) * slots // (24 * 60)


def spread(found: dict[int, list[float]], slots: int) -> np.ndarray:
    return np.array([np.mean(found[k]) if k in found else np.nan for k in range(slots)])


def check(known: Information, oracle: Oracle) -> None:
    now = market.gate(known.efa_date, known.gate)
    assert known.gate_utc == now
    assert known.days == tuple(known.efa_date - n * ONE_DAY for n in reversed(range(CALIBRATION + 1)))
    for name in oracle.rows:
        slots = oracle.slots if name == "day_ahead" else 6 if name.startswith("response") else 48
        gates = [(d, market.gate(d, known.gate)) for d in known.days]
        past = {(name, n): [oracle.by_slot(name, slots, d - n * ONE_DAY, at) for d, at in gates] for n in LAGS}
        came = {(name, n): [oracle.by_slot(name, slots, d + n * ONE_DAY, now) for d in known.days] for n in LEADS}
        if all(np.isnan(rows).all() for rows in (*past.values(), *came.values())):
            assert name not in known.streams
            continue
        assert known.streams[name].slots == slots
        for key, rows in past.items():
            np.testing.assert_allclose(known.lagged[key], rows, rtol=1e-12, err_msg=str(("lagged", *key)))
        for key, rows in came.items():
            np.testing.assert_allclose(known.outcome[key], rows, rtol=1e-12, err_msg=str(("outcome", *key)))
    assert {series for series, _ in known.fundamental} == set(market.SERIES)
    for (series, lead), values in known.fundamental.items():
        rows = [oracle.fundamental(series, d + lead * ONE_DAY, market.gate(d, known.gate)) for d in known.days]
        np.testing.assert_array_equal(values, rows, err_msg=f"{series} {lead}")


@settings(max_examples=10, deadline=None)
@given(
    end=st.sampled_from(ENDS),
    gate=st.sampled_from(["day_ahead", "response"]),
    seed=st.integers(0, 2**32 - 1),
    form=st.sampled_from([("neso_n2ex", 60), ("neso_n2ex", 30), ("elexon_mid", 30)]),
)
def test_every_cell_is_what_its_gate_knew(end: date, gate: str, seed: int, form: tuple[str, int]) -> None:
    first = window(end, CALIBRATION)[0]
    frames = market.random_market(first, end + ONE_DAY, seed, source=form[0], resolution=form[1])
    known = observe(panel_of_frames(first, end, **frames, settings=market.SETTINGS), end, gate, CALIBRATION)
    check(known, Oracle(frames, 24 * 60 // form[1]))


@settings(max_examples=10, deadline=None)
@given(end=st.sampled_from(ENDS), seed=st.integers(0, 2**32 - 1), half_hour=st.integers(0, 45))
def test_a_dispatch_decision_knows_what_came_before_its_hour(end: date, seed: int, half_hour: int) -> None:
    frames = market.random_market(end - 2 * ONE_DAY, end, seed)
    panel = panel_of_frames(end - 2 * ONE_DAY, end, **frames, settings=market.SETTINGS)
    start = gb_time.efa_half_hours(end)[half_hour].to_pydatetime()
    known = observe_dispatch(panel, start)
    decision = start - timedelta(hours=1)
    periods = [one for day in (end - ONE_DAY, end) for one in gb_time.efa_half_hours(day)]
    assert (known.decision_utc, list(known.period_start_utc), known.period_start_utc[known.here]) == (
        decision,
        periods,
        start,
    )
    assert known.lag.tolist() == [(end - market.efa_date(one)).days for one in periods]
    assert known.slot.tolist() == [slot(one, 48) for one in periods]
    oracle = Oracle(frames, 24)
    for name, rows in oracle.rows.items():
        if name.startswith("response"):
            continue
        found = {one: versions for one, instant, versions in rows if instant <= decision}
        there = {one: [v for since, v in versions if since <= decision] for one, versions in found.items()}
        wanted = [(there[one] or [found[one][0][1]])[-1] if one in found else np.nan for one in periods]
        np.testing.assert_array_equal(known.value.get(name, np.full(len(periods), np.nan)), wanted, err_msg=name)
