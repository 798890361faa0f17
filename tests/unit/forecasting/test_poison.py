"""Poison: values that a gate did not know are made absurd, table by table, and what it knew keeps its bytes.

Positive control: one value that it did know is changed, and what it knew changes.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import market_frames as market
import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames
from bess_pipeline.forecasting.observation import observe, observe_dispatch, window

ONE_DAY, MOMENT = timedelta(days=1), timedelta(seconds=1)
CALIBRATION = 3
SPRING, AUTUMN, PLAIN = date(2024, 3, 31), date(2024, 10, 27), date(2024, 3, 4)  # PLAIN: February's file is out
VALUES = {
    "day_ahead_price": ["day_ahead_price_gbp_mwh"],
    "system_price": ["system_price_gbp_mwh", "net_imbalance_volume_mwh"],
    "system_price_revision": ["system_price_gbp_mwh", "net_imbalance_volume_mwh"],
    "market_index_price": ["market_index_price_gbp_mwh", "market_index_volume_mwh"],
    "auction_clearing": ["clearing_price_gbp_mw_h", "cleared_volume_mw"],
    "response_energy": ["energy_mwh_per_mw", "coverage"],
    "fundamental_forecast": ["value"],
}
TABLES = sorted(VALUES)

Case = tuple[date, str, str]
CASES: list[Case] = [
    (SPRING, "day_ahead", "neso_n2ex"),
    (AUTUMN, "response", "neso_n2ex"),
    (PLAIN, "day_ahead", "neso_n2ex"),
    (SPRING + ONE_DAY, "response", "elexon_mid"),
]


def build(case: Case, frames: market.Frames) -> MarketPanel:
    return panel_of_frames(window(case[0], CALIBRATION)[0], case[0], **frames, settings=market.SETTINGS)


def seen(case: Case, frames: market.Frames) -> Information:
    return observe(build(case, frames), case[0], case[1], CALIBRATION)


@pytest.fixture(scope="module")
def markets() -> dict[Case, market.Frames]:
    """A market over the window of each case and two days beyond it."""
    return {
        case: market.random_market(
            window(case[0], CALIBRATION)[0],
            case[0] + 2 * ONE_DAY,
            7,
            source=case[2],
            resolution=30 if case[2] == "elexon_mid" else 60,
        )
        for case in CASES
    }


def period_starts(rows: pd.DataFrame) -> list[datetime]:
    pairs = zip(rows["settlement_date"], rows["settlement_period"], strict=True)
    return [gb_time.period_start_utc(day, period) for day, period in pairs]


def there_utc(rows: pd.DataFrame) -> pd.Series:
    """Since when each version was there."""
    return rows[["fetched_utc", "published_utc"]].max(axis=1)


def known_rows(table: str, frames: market.Frames, instant: datetime) -> np.ndarray:
    """Rows that a gate at the instant may use; of versions those that were there, and the earliest of each period."""
    frame = frames[table]
    if table != "system_price_revision":
        return market.known_by(table, frame, instant)
    over = np.array([start + timedelta(minutes=90) <= instant for start in period_starts(frame)])
    return over & ((there_utc(frame) <= instant).to_numpy() | (frame["version"] == 1).to_numpy())


def poisoned(table: str, frames: market.Frames, instant: datetime) -> market.Frames:
    """What was not known is absurd, of other products' length, and more of it is there; known prices were revised."""
    frame, unknown = frames[table].copy(), ~known_rows(table, frames, instant)
    assert unknown.any()
    frame.loc[unknown, VALUES[table]] = market.ABSURD
    if table == "day_ahead_price":
        frame.loc[unknown, "native_resolution_minutes"] = 15
    if table == "system_price":  # the table shows the newest run: where versions are kept it is no evidence at all
        periods = pd.MultiIndex.from_frame(frame[["settlement_date", "settlement_period"]])
        frame.loc[periods.isin(kept_periods(frames)), VALUES[table]] = -market.ABSURD
    if table == "system_price_revision":
        frame = pd.concat([frame, revised(frame, instant)], ignore_index=True)
    if table == "fundamental_forecast":
        again = frame[~unknown].assign(value=-market.ABSURD, published_utc=pd.Timestamp(instant + MOMENT).as_unit("us"))
        other = frame[~unknown].head(40).assign(series="new_series", published_utc=again["published_utc"].iloc[0])
        frame = pd.concat([other, again.drop_duplicates(["series", "start_utc"]), frame], ignore_index=True)
    if table == "response_energy":
        frame = pd.concat([frame, frame[unknown].assign(product="DRL")], ignore_index=True)
    return {**frames, table: frame}


def revised(versions: pd.DataFrame, instant: datetime) -> pd.DataFrame:
    """One more version of every period, fetched a moment after the instant or after its last version."""
    newest = versions.sort_values("version").drop_duplicates(["settlement_date", "settlement_period"], keep="last")
    fetched = newest["fetched_utc"].where(newest["fetched_utc"] > instant, pd.Timestamp(instant)) + MOMENT
    absurd = dict.fromkeys(VALUES["system_price_revision"], -market.ABSURD)
    fetched = fetched.dt.as_unit("us")
    return newest.assign(version=newest["version"] + 1, fetched_utc=fetched, published_utc=fetched, **absurd)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
def test_what_a_gate_did_not_know_changes_nothing(markets: dict[Case, market.Frames], case: Case, table: str) -> None:
    frames, gate = markets[case], market.gate(case[0], case[1])
    clean = seen(case, frames)
    assert market.content(seen(case, poisoned(table, frames, gate))) == market.content(clean)
    if table != "system_price":  # without its rows it is not known when versions exist at all
        cut = {**frames, table: frames[table][known_rows(table, frames, gate)]}
        assert market.content(seen(case, cut)) == market.content(clean)
    assert not any((np.abs(values) == market.ABSURD).any() for values in clean.outcome.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
def test_each_row_holds_what_its_own_gate_knew(markets: dict[Case, market.Frames], case: Case) -> None:
    """All tables are poisoned at the gate of each past row: the row and those before it keep their bytes."""
    clean = seen(case, markets[case])
    for row, day in enumerate(clean.days):
        frames = markets[case]
        for table in TABLES:
            frames = poisoned(table, frames, market.gate(day, case[1]))
        length = markets[case]["day_ahead_price"]["native_resolution_minutes"]  # the last gate knows of what came
        frames = {**frames, "day_ahead_price": frames["day_ahead_price"].assign(native_resolution_minutes=length)}
        found = seen(case, frames)
        for kind in ("lagged", "fundamental"):
            for key, values in getattr(clean, kind).items():
                held = getattr(found, kind).get(key, np.full(values.shape, np.nan))
                assert held[: row + 1].tobytes() == values[: row + 1].tobytes(), (kind, key, day)


@pytest.mark.parametrize("column", [(table, column) for table in TABLES for column in VALUES[table][:1]], ids=str)
@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
def test_a_known_value_that_changes_is_seen(
    markets: dict[Case, market.Frames], case: Case, column: tuple[str, str]
) -> None:
    table, name = column
    frames, gate = markets[case], market.gate(case[0], case[1])
    known = known_rows(table, frames, gate)
    if table == "response_energy" and case[0] != PLAIN:
        assert not known.any()  # no monthly file of these days is out
        return
    frame = frames[table].copy()
    frame.loc[last_used(table, frames, known & frame[name].notna().to_numpy(), gate), name] += 1.0
    assert market.content(seen(case, {**frames, table: frame})) != market.content(seen(case, frames))


def last_used(table: str, frames: market.Frames, known: np.ndarray, gate: datetime) -> int:
    """The latest of the known rows that a feature is made of."""
    frame, keys = frames[table], ["settlement_date", "settlement_period"]
    if table == "auction_clearing":
        known &= frame["product"].isin(market.PRODUCTS).to_numpy()
    if table == "system_price_revision":  # the newest version that was there
        known &= (there_utc(frame) <= gate).to_numpy()
        return int(frame[known].sort_values([*keys, "version"]).index[-1])
    if table == "system_price":  # one that has no versions
        known &= ~pd.MultiIndex.from_frame(frame[keys]).isin(kept_periods(frames))
    order = ["start_utc", "published_utc"] if table == "fundamental_forecast" else ["start_utc"]
    order = ["delivery_start_utc"] if table == "auction_clearing" else order
    return int(frame[known].sort_values(order).index[-1])


def kept_periods(frames: market.Frames) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frames["system_price_revision"][["settlement_date", "settlement_period"]])


@pytest.mark.parametrize("half_hour", [0, 7, 45])
@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: str(case[0]))
def test_a_dispatch_decision_sees_nothing_later(markets: dict[Case, market.Frames], case: Case, half_hour: int) -> None:
    start = gb_time.efa_half_hours(case[0])[half_hour].to_pydatetime()
    decision = start - timedelta(hours=1)
    frames = markets[case]
    clean = observe_dispatch(build(case, frames), start)
    for table in TABLES:
        frames = poisoned(table, frames, decision)
    assert market.content(observe_dispatch(build(case, frames), start)) == market.content(clean)
    index = markets[case]["market_index_price"]
    last = index.index[market.known_by("market_index_price", index, decision)][-1]
    other = index.assign(market_index_price_gbp_mwh=index["market_index_price_gbp_mwh"].where(index.index != last, 0.5))
    changed = observe_dispatch(build(case, {**markets[case], "market_index_price": other}), start)
    assert market.content(changed) != market.content(clean)
