"""Stored market tables as arrays: the values of every stream by period, and the instant each became known.

What belongs here: from tables to arrays, with the versions of what was revised. What does not: which of them a gate
may use (`observation.py`), when tables become known (`trading/timeline.py`) and models.

A panel is read once for a range of EFA days and serves every gate of every day in it. Nothing is filled: a period
without a row, or whose price is null because nothing cleared, has NaN. Where the clocks go back a slot has two periods
and gates see their mean; where they go forward two half-hour slots have no period and stay NaN.

**Versions.** The system price and the net imbalance volume are published anew by each settlement run. Of each period
all versions that were ever fetched are kept (`market/system_price_revision`). A version was there from the later of
its fetch and its publication. A gate uses the newest version that was there, and where none was (a workspace that
fetched its history afterwards) the earliest one stored; later versions never matter to it. So what a past gate sees
changes neither by a revision nor by when it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting import fundamentals, streams
from bess_pipeline.forecasting.fundamentals import Array, Instants, Publications, instants
from bess_pipeline.forecasting.information import LEADS
from bess_pipeline.lake import Lake
from bess_pipeline.settings import DataSettings
from bess_pipeline.trading import timeline

Integers = npt.NDArray[np.int64]

NEVER = np.iinfo(np.int64).max
_HALF_HOUR_US = gb_time.HALF_HOUR // timedelta(microseconds=1)
_ONE_DAY = timedelta(days=1)
DAY_AHEAD, SYSTEM_PRICE, NET_IMBALANCE = "day_ahead", streams.SYSTEM_PRICE.name, streams.NET_IMBALANCE.name


@dataclass(frozen=True)
class Grid:
    """The periods of consecutive EFA days in order of time: `day` (n,) counts from the first one, `slot` (n,).

    `slots` is how many a day has; `first` (days + 1,) the first period of each day, then n; start_us (n,) their starts.
    """

    slots: int
    start_us: Instants
    day: Integers
    slot: Integers
    first: Integers

    @classmethod
    def of(cls, clock: streams.Clock, first_day: date, last_day: date) -> Grid:
        """The grid of the days from `first_day` to `last_day`, both included."""
        bounds = gb_time.efa_day_bounds_utc(first_day)[0], gb_time.efa_day_bounds_utc(last_day)[1]
        half_hours = gb_time.half_hours(*bounds)
        local = half_hours.tz_convert(gb_time.LONDON).tz_localize(None) + pd.Timedelta(hours=1)
        day = np.asarray((local.normalize() - pd.Timestamp(first_day)).days, dtype=np.int64)
        slot = streams.slots_of(clock, half_hours)
        starts = np.flatnonzero(np.diff(day * 100 + slot, prepend=-1)) if clock == "efa_block" else np.arange(day.size)
        first = np.searchsorted(day[starts], np.arange((last_day - first_day).days + 2))
        return cls(streams.SLOTS[clock], np.asarray(half_hours.asi8)[starts], day[starts], slot[starts], first)

    def place(self, start_us: Instants) -> Integers:
        """The period that starts at each instant, or -1."""
        found = np.minimum(np.searchsorted(self.start_us, start_us), self.start_us.size - 1)
        return np.where(self.start_us[found] == start_us, found, -1)


@dataclass(frozen=True)
class Version:
    """A later version of some periods: value (n,), NaN where there is none, and since when it was there (n,)."""

    value: Array
    there_us: Instants


@dataclass(frozen=True)
class PeriodValues:
    """One stream on its grid: the earliest version (n,), when the period became known (n,), later versions in order.

    there_us (n,): when the earliest version was there; NEVER where no version was kept.
    """

    stream: streams.Stream
    value: Array
    known_us: Instants
    there_us: Instants
    later: tuple[Version, ...] = ()

    def at(self, periods: slice, gate_us: Instants | int) -> Array:
        """What gates (one a period, or one for all) knew of the periods, NaN where nothing."""
        value = self.value[periods]
        for version in self.later:
            value = np.where(version.there_us[periods] <= gate_us, version.value[periods], value)
        return np.where(self.known_us[periods] <= gate_us, value, np.nan)

    def undated(self, periods: slice, gate_us: Instants | int) -> npt.NDArray[np.bool_]:
        """Which of the values that gates knew have no version from before their gate."""
        dated = self.there_us[periods] <= gate_us
        for version in self.later:
            dated = dated | (version.there_us[periods] <= gate_us)
        return ~dated & ~np.isnan(self.at(periods, gate_us))


@dataclass(frozen=True)
class MarketPanel:
    """Market values of the EFA days `first_day` to `last_day`, both included, as arrays on the streams' grids.

    Streams are by name; `day_ahead` is on half-hours here, with the published product's length in minutes (n,; 0
    where there is no price) and whether the within-day index stands in (n,). Grids reach `max(LEADS)` days further.
    """

    first_day: date
    last_day: date
    half_hours: Grid
    blocks: Grid
    values: Mapping[str, PeriodValues]
    resolution_minutes: Integers
    within_day: npt.NDArray[np.bool_]
    publications: Mapping[str, Publications] = field(default_factory=dict)

    def grid(self, stream: streams.Stream) -> Grid:
        """The grid of a stream."""
        return self.blocks if stream.clock == "efa_block" else self.half_hours

    @property
    def half_hourly(self) -> tuple[str, ...]:
        """Names of the streams that stand on half-hours."""
        return tuple(name for name, values in self.values.items() if self.grid(values.stream) is self.half_hours)


def read_panel(lake: Lake, first_day: date, last_day: date, settings: DataSettings) -> MarketPanel:
    """The panel of the EFA days `first_day` to `last_day`, both included, from what the lake holds."""

    def read(table: str) -> pd.DataFrame:
        return lake.read(f"market/{table}", first_day - _ONE_DAY, last_day)

    first_gate = min(timeline.gate_utc(first_day, gate) for gate in timeline.GATES)
    published = gb_time.settlement_date_of(first_gate - fundamentals.LOOK_BACK)
    return panel_of_frames(
        first_day,
        last_day,
        day_ahead_price=read("day_ahead_price"),
        system_price=read("system_price"),
        system_price_revision=read("system_price_revision"),
        market_index_price=read("market_index_price"),
        auction_clearing=read("auction_clearing"),
        response_energy=read("response_energy"),
        fundamental_forecast=lake.read(fundamentals.TABLE, published, last_day),
        settings=settings,
    )


def panel_of_frames(
    first_day: date,
    last_day: date,
    *,
    day_ahead_price: pd.DataFrame | None = None,
    system_price: pd.DataFrame | None = None,
    system_price_revision: pd.DataFrame | None = None,
    market_index_price: pd.DataFrame | None = None,
    auction_clearing: pd.DataFrame | None = None,
    response_energy: pd.DataFrame | None = None,
    fundamental_forecast: pd.DataFrame | None = None,
    settings: DataSettings | None = None,
) -> MarketPanel:
    """The panel of rows of the market tables of these names (any rows: those of other days are left out).

    `settings` says when tables count as known. Raises ValueError when `last_day` lies before `first_day`.
    """
    if last_day < first_day:
        raise ValueError(f"a panel that ends on {last_day} cannot begin on {first_day}")
    builder = _Builder.of(first_day, last_day, settings or DataSettings())
    if system_price is not None:
        builder.add_system_price(system_price, system_price_revision)
    if market_index_price is not None:
        builder.add_market_index(market_index_price)
    if auction_clearing is not None:
        builder.add_response(auction_clearing)
    if response_energy is not None:
        builder.add_activation(response_energy)
    resolution, within_day = builder.add_day_ahead(day_ahead_price)
    known = {} if fundamental_forecast is None else fundamentals.publications(fundamental_forecast)
    order = [DAY_AHEAD, *(name for name in builder.values if name != DAY_AHEAD)]
    values = {name: builder.values[name] for name in order if name in builder.values}
    return MarketPanel(first_day, last_day, builder.half_hours, builder.blocks, values, resolution, within_day, known)


@dataclass(frozen=True)
class _Builder:
    """Puts rows of tables on the grids of a panel."""

    half_hours: Grid
    blocks: Grid
    settings: DataSettings
    values: dict[str, PeriodValues] = field(default_factory=dict)

    @classmethod
    def of(cls, first_day: date, last_day: date, settings: DataSettings) -> _Builder:
        last = last_day + max(LEADS) * _ONE_DAY
        return cls(Grid.of("half_hour", first_day, last), Grid.of("efa_block", first_day, last), settings)

    def known_us(self, rows: pd.DataFrame, kind: timeline.Kind) -> Instants:
        """When each row became known."""
        return instants(
            timeline.known_utc(
                rows,
                kind,
                system_price_lag_minutes=self.settings.system_price_lag_minutes,
                response_result_clock=self.settings.response_result_clock,
                frequency_publication_days=self.settings.frequency_publication_days,
            )
        )

    def add(self, stream: streams.Stream, place: Integers, value: pd.Series, known_us: Instants) -> None:
        """A stream whose rows have one version each, at `place` (-1: none of the grid's)."""
        on = place >= 0
        grid = self.blocks if stream.clock == "efa_block" else self.half_hours
        values, known = np.full(grid.day.size, np.nan), np.full(grid.day.size, NEVER)
        values[place[on]], known[place[on]] = value.to_numpy(dtype="float64")[on], known_us[on]
        if not np.isnan(values).all():
            self.values[stream.name] = PeriodValues(stream, values, known, np.full(values.size, NEVER))

    def add_market_index(self, rows: pd.DataFrame) -> None:
        """Rows of market/market_index_price."""
        place = self.half_hours.place(instants(rows["start_utc"]))
        known = self.known_us(rows, "market_index_price")
        self.add(streams.MARKET_INDEX, place, rows["market_index_price_gbp_mwh"], known)

    def add_day_ahead(self, rows: pd.DataFrame | None) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """Rows of market/day_ahead_price; the product's length and whether the index stands in, by half-hour."""
        count = self.half_hours.day.size
        resolution, within_day = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.bool_)
        if rows is not None:
            place = self.half_hours.place(instants(rows["start_utc"]))
            on = place >= 0
            known = self.known_us(rows, "day_ahead_price")
            self.add(streams.day_ahead(30), place, rows["day_ahead_price_gbp_mwh"], known)
            resolution[place[on]] = rows["native_resolution_minutes"].to_numpy(dtype=np.int64)[on]
            within_day[place[on]] = rows["source"].isin(timeline.WITHIN_DAY_SOURCES).to_numpy()[on]
        return resolution, within_day

    def add_response(self, rows: pd.DataFrame) -> None:
        """Rows of market/auction_clearing; products that are not response are left out."""
        for product, stream in streams.RESPONSE.items():
            mine = rows[rows["product"] == product]
            place = self.blocks.place(instants(mine["delivery_start_utc"]))
            self.add(stream, place, mine["clearing_price_gbp_mw_h"], self.known_us(mine, "auction_clearing"))

    def add_activation(self, rows: pd.DataFrame) -> None:
        """Rows of market/response_energy."""
        for product, stream in streams.ACTIVATION.items():
            mine = rows[rows["product"] == product]
            place = self.half_hours.place(instants(mine["start_utc"]))
            self.add(stream, place, mine["energy_mwh_per_mw"], self.known_us(mine, "response_energy"))

    def add_system_price(self, rows: pd.DataFrame, revisions: pd.DataFrame | None) -> None:
        """Rows of market/system_price, and of market/system_price_revision where versions were kept."""
        place = self.half_hours.place(instants(rows["start_utc"]))
        known = self.known_us(rows, "system_price")
        columns = {streams.SYSTEM_PRICE: "system_price_gbp_mwh", streams.NET_IMBALANCE: "net_imbalance_volume_mwh"}
        for stream, column in columns.items():
            self.add(stream, place, rows[column], known)
            if stream.name in self.values and revisions is not None and len(revisions):
                self.values[stream.name] = self._with_versions(self.values[stream.name], revisions, column)

    def _with_versions(self, plain: PeriodValues, revisions: pd.DataFrame, column: str) -> PeriodValues:
        """`plain` with its values replaced by the earliest versions, and the later ones behind them."""
        place = self.half_hours.place(_period_starts_us(revisions))
        published = revisions["published_utc"].fillna(revisions["fetched_utc"])
        there = np.maximum(instants(published), instants(revisions["fetched_utc"]))
        value, number = revisions[column].to_numpy(dtype="float64"), revisions["version"].to_numpy(dtype=np.int64)
        earliest, since, later = plain.value.copy(), plain.there_us.copy(), []
        for version in np.unique(number):
            of_it = (number == version) & (place >= 0)
            if version == 1:
                earliest[place[of_it]], since[place[of_it]] = value[of_it], there[of_it]
            elif of_it.any():
                layer = Version(np.full(earliest.size, np.nan), np.full(earliest.size, NEVER))
                layer.value[place[of_it]], layer.there_us[place[of_it]] = value[of_it], there[of_it]
                later.append(layer)
        return PeriodValues(plain.stream, earliest, plain.known_us, since, tuple(later))


def _period_starts_us(rows: pd.DataFrame) -> Instants:
    """Starts of settlement periods that are given by date and number."""
    days = {day: gb_time.settlement_day_bounds_utc(day)[0] for day in rows["settlement_date"].unique()}
    midnight = instants(pd.to_datetime(rows["settlement_date"].map(days), utc=True))
    return midnight + (rows["settlement_period"].to_numpy(dtype=np.int64) - 1) * _HALF_HOUR_US
