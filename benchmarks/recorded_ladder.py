"""The ladder of all markets on recorded GB data: what every strategy earns, and of which share of perfect foresight.

What belongs here: which weeks are run, and what is printed of them. What does not: how a week is run
(`recorded_run.py`), the yardstick's walk (`recorded_walk.py`) and the strategies themselves.

Usage, from the project's root:  python benchmarks/recorded_ladder.py --workspace FOLDER --weeks 4 --every 12 [--cap 0]

Each week that does not follow the one before it is a chain of its own, begun at the initial state of charge. P&L is
after wear, with the change of stored energy at one price for all: discharge efficiency x (mean index of the week -
wear). Ended early, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from recorded_forecasts import KNOWN_DAYS, by_rule
from recorded_run import WEEK, RecordedRun, settings_of, week_of, write_market
from recorded_tables import NO_DAY_AHEAD, RecordedTables, add_folder
from recorded_walk import Walk
from stopwatch import Stopwatch

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.lake import Lake
from bess_pipeline.risk.history import History, read_history
from bess_pipeline.risk.ladder import ladder, lead, wide
from bess_pipeline.risk.pnl import DAYS_PER_YEAR
from bess_pipeline.risk_settings import RiskSettings
from bess_pipeline.threads import one_thread
from bess_pipeline.trading.co_optimised_names import ENERGY_ONLY, PLANNED, PLANNED_GATES
from bess_pipeline.trading.market_strategies import BOUND, ENERGY_BOUND, FORESIGHT_48H
from bess_pipeline.trading.plan_status import COMPLETE, plan_status
from bess_pipeline.trading.stamps import RUN_STATUS
from bess_pipeline.trading_tables import ORDERS

FIRST, LAST = date(2024, 4, 1), date(2025, 3, 28)
MEAN_OF_28, YARDSTICK = "mean of 28 days", "day_ahead_rolling"
MEAN_OF_28_NAME = "mean of 28 days, index alone"
KNOWN_BEFORE = timedelta(days=KNOWN_DAYS + WEEK)
SEED = 1
TREATMENT = (
    "days with a hole: a half-hour without an index, an auction block without a result or a half-hour without a system "
    "price refuses the day for the strategies that need it; the battery idles, its state is carried over, and the day "
    "counts for nobody"
)
LABELS = (
    NO_DAY_AHEAD,
    "optimistic, marked *: strategies that decide within the day while an index of that day is their day-ahead leg",
    "day-ahead volumes are accepted as offered, whatever their limit; no trade within the day (its index is taken)",
    "response: recorded auctions (NESO); imbalance: recorded system prices (Elexon); activation: assumed throughput",
    "not included: balancing mechanism, capacity market, fees and charges",
)


def main() -> None:
    """Run the weeks that do not stand yet, and print what came of all of them."""
    asked = _arguments()
    starts = [FIRST + timedelta(days=WEEK * asked.every * k) for k in range(asked.weeks)]
    weeks = [[day for day in week_of(start) if day <= LAST] for start in starts if start <= LAST]
    chains = [week[0] for k, week in enumerate(weeks) if k == 0 or week[0] != weeks[k - 1][-1] + timedelta(days=1)]
    settings = settings_of(chains, reduced=asked.reduced, drawn=asked.drawn, cap_mw=asked.cap)
    name = "cap_default" if asked.cap is None else f"cap_{asked.cap:g}"
    folder = asked.workspace or Path(tempfile.mkdtemp(prefix="recorded_ladder_"))
    market = write_market(folder, asked.tables)
    run = RecordedRun(folder, settings, market, name, Stopwatch())
    with one_thread():
        for week in weeks:
            run.week(week)
            print(f"{week[0]} to {week[-1]} stand", flush=True)
        run.bounds([day for week in weeks for day in week])
    _print_run(run, weeks, RecordedTables.read(asked.tables))


def _print_run(run: RecordedRun, weeks: Sequence[Sequence[date]], tables: RecordedTables) -> None:
    settings, battery = run.settings, Battery.from_settings(run.settings.battery)
    cap_mw = settings.co_optimisation.imbalance_limit_of(battery.power_mw)
    drawn = settings.scenarios
    print(f"\n{len(weeks)} weeks, {run.folder}: imbalance cap {cap_mw:g} MW, {battery.power_mw:g} MW / "
          f"{battery.energy_mwh:g} MWh, {drawn.reduced} scenarios of {drawn.count}, models "
          f"{', '.join(settings.forecast.models)}")  # fmt: skip
    for label in LABELS:
        print(label)
    _print_days(run.lake, weeks, tables)
    walks = [Walk.over(tables, battery, week[0], week[-1]) for week in weeks]
    daily, streams = _pnl(run.lake, walks)
    _print_ladder(daily, battery.power_mw)
    _print_captures(_with_bounds(run.lake, walks, cap_mw), battery.power_mw)
    _print_streams(streams, daily, battery.power_mw)
    _print_services(run.lake, weeks)
    _print_seconds(run.timings())


def _print_days(lake: Lake, weeks: Sequence[Sequence[date]], tables: RecordedTables) -> None:
    """Days, holes, and every plan or day that is not complete with its reason."""
    print(f"weeks from {', '.join(str(week[0]) for week in weeks)}: {sum(map(len, weeks))} trading days")
    holes = [hole for week in weeks for hole in tables.holes(week[0], week[-1] + timedelta(days=1))]
    print(f"half-hours without an index: {', '.join(f'{hole:%Y-%m-%d %H:%MZ}' for hole in holes) or 'none'}")
    auctions = pd.concat([lake.read("market/auction_clearing", week[0], week[-1]) for week in weeks])
    print(f"auction blocks of 6 products: {len(auctions)} of {36 * sum(map(len, weeks))}, "
          f"{int(auctions['clearing_price_gbp_mw_h'].isna().sum())} of them without a price")  # fmt: skip
    print(TREATMENT)
    for day in [day for week in weeks for day in week]:
        gates = [plan_status(lake, day, strategy, gate) for strategy, gate in PLANNED_GATES]
        rows = lake.read(RUN_STATUS, day, day)
        for one in gates:
            if one.status != COMPLETE:
                print(f"  plan {one}")
        for row in rows[rows["status"] != "complete"].itertuples():
            print(f"  day  {day}  {row.strategy}  {row.status}: {row.reason}")


def _pnl(lake: Lake, walks: Sequence[Walk]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """P&L after wear with the change of stored energy, GBP, a row a day and a column a strategy; and cash by stream."""
    parts, streams = [], []
    for walk in walks:
        history = _week(lake, walk)
        value = _stored_mwh(history.status) * walk.stored_value_gbp_mwh
        table = wide(history.totals, "after_wear_gbp").add(value)
        panel = walk.tables.panel(walk.days[0] - KNOWN_BEFORE)
        table[MEAN_OF_28_NAME] = walk.of_slots(by_rule(panel, walk.days)[MEAN_OF_28])
        parts.append(table)
        kept = value.rename_axis(columns="strategy").stack().rename("pnl_gbp").reset_index()
        streams += [history.daily, kept.assign(stream="stored energy")]
    return pd.concat(parts), pd.concat(streams, ignore_index=True)


def _with_bounds(lake: Lake, walks: Sequence[Walk], cap_mw: float) -> pd.DataFrame:
    """P&L as `_pnl`, of strategies and of the bounds of all markets, stored energy at the price that bounds state."""
    parts = []
    for walk in walks:
        history = _week(lake, walk)
        rows = lake.read(BOUND_TABLE, walk.days[0], walk.days[-1]).rename(columns={"bound": "strategy"})
        rows = rows[(rows["imbalance_cap_mw"] == cap_mw) & rows["strategy"].isin([ENERGY_BOUND, BOUND])]
        price = float(rows["energy_price_gbp_mwh"].iloc[0])
        strategies = wide(history.totals, "after_wear_gbp").add(_stored_mwh(history.status) * price)
        parts.append(strategies.join(wide(rows, "pnl_gbp").add(_stored_mwh(rows) * price)))
    return pd.concat(parts)


def _week(lake: Lake, walk: Walk) -> History:
    """What counts of the days of a walk."""
    history, first = read_history(lake, walk.days[-1]), walk.days[0]
    daily, totals, status = (
        rows[rows["efa_date"] >= first] for rows in (history.daily, history.totals, history.status)
    )
    return replace(history, daily=daily, totals=totals, status=status)


def _stored_mwh(rows: pd.DataFrame) -> pd.DataFrame:
    """By how much stored energy grows on each day, MWh, a column a strategy."""
    return wide(rows.assign(grown=rows["closing_energy_mwh"] - rows["opening_energy_mwh"]), "grown")


def _print_ladder(daily: pd.DataFrame, power_mw: float) -> None:
    settings = RiskSettings()
    bounds = dict.fromkeys(daily, FORESIGHT_48H)
    rows = ladder(daily, bounds, power_mw, settings, SEED)
    used = daily.dropna()
    print(f"\n{len(used)} days used of {len(daily)}; 95 % intervals, stationary bootstrap of days")
    print(f"{'':32s}{'GBP/MW/year':>28s}{f'share of {FORESIGHT_48H}':>32s}   lead over {YARDSTICK}; {MEAN_OF_28}")
    for row in rows.itertuples():
        ahead = []
        for over in (YARDSTICK, MEAN_OF_28_NAME):
            by = lead(used, row.strategy, over, power_mw, settings, SEED) if row.strategy != over else None
            ahead.append("" if by is None else f"{by.value:+,.0f} [{by.low:+,.0f}, {by.high:+,.0f}]")
        worth = f"{row.value:,.0f} [{row.ci_low:,.0f}, {row.ci_high:,.0f}]"
        share = f"{100 * row.capture:.1f} % [{100 * row.capture_low:.1f}, {100 * row.capture_high:.1f}]"
        name = f"{row.strategy}{' *' if row.strategy in PLANNED else ''}"
        print(f"{name:32s}{worth:>28s}{share:>32s}   {'; '.join(ahead)}")


def _print_captures(daily: pd.DataFrame, power_mw: float) -> None:
    """Share of the bounds over each run of days, stored energy at the mean index on both sides."""
    print(f"\nshare of the bound at this cap: {ENERGY_BOUND} for {ENERGY_ONLY}, {BOUND} for all others")
    bounds = {name: ENERGY_BOUND if name == ENERGY_ONLY else BOUND for name in daily}
    for row in ladder(daily, bounds, power_mw, RiskSettings(), SEED).itertuples():
        share = f"{100 * row.capture:.1f} % [{100 * row.capture_low:.1f}, {100 * row.capture_high:.1f}]"
        print(f"{row.strategy:32s}{row.value:12,.0f}{share:>28s}")


def _print_streams(streams: pd.DataFrame, daily: pd.DataFrame, power_mw: float) -> None:
    """GBP/MW/year by stream, of the days used."""
    used = streams[streams["efa_date"].isin(daily.dropna().index)]
    table = used.pivot_table(index="strategy", columns="stream", values="pnl_gbp", aggfunc="sum", observed=True)
    table = table.fillna(0.0) * DAYS_PER_YEAR / power_mw / len(daily.dropna())
    print("\nGBP/MW/year by stream")
    print(table.loc[:, table.abs().max() > 0].round(0).astype(int).to_string())


def _print_services(lake: Lake, weeks: Sequence[Sequence[date]]) -> None:
    """By product, what was accepted of it: MW h and their cash, and of those at a negative price."""
    orders = pd.concat([lake.read(ORDERS, week[0], week[-1]) for week in weeks])
    orders = orders[orders["market"] == "response"]
    hours = (orders["end_utc"] - orders["start_utc"]) / pd.Timedelta(hours=1)
    held = pd.DataFrame({"strategy": orders["strategy"], "product": orders["product"]})
    held["offered_mw_h"], held["accepted_mw_h"] = orders["offered_mw"] * hours, orders["accepted_mw"] * hours
    held["cash_gbp"] = held["accepted_mw_h"] * orders["clearing_price"]
    negative = orders["clearing_price"] < 0
    held["negative_mw_h"], held["negative_gbp"] = held["accepted_mw_h"] * negative, held["cash_gbp"] * negative
    print("\nresponse by product")
    print(held.groupby(["strategy", "product"]).sum().round(0).astype(int).to_string())


def _print_seconds(timings: pd.DataFrame) -> None:
    """Processor seconds a day by step."""
    days = timings.drop_duplicates("first_date")["days"].sum()
    table = timings.groupby("step")[["cpu_s", "highs_s", "calls"]].sum() / days
    table.loc["all"] = table.sum()
    table["inside HiGHS"] = (100 * table["highs_s"] / table["cpu_s"]).round(0)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nprocessor seconds a day over {days} days (calls of HiGHS a day, share of time inside it in %); "
          f"load {os.getloadavg()[0]:.1f}, peak memory {peak_mb:.0f} MB")  # fmt: skip
    print(table.round(3).to_string())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder(parser)
    parser.add_argument("--workspace", type=Path, help="folder of results, kept (default: a new temporary one)")
    parser.add_argument("--weeks", type=int, default=4, help=f"weeks from {FIRST} on")
    parser.add_argument("--every", type=int, default=1, help="weeks from one start to the next")
    parser.add_argument("--reduced", type=int, default=20, help="scenarios that plans are made with")
    parser.add_argument("--drawn", type=int, default=200, help="scenarios that they are reduced from")
    parser.add_argument("--cap", type=float, help="imbalance cap, MW (default: that of the settings)")
    asked = parser.parse_args()
    if asked.weeks < 1 or asked.every < 1:
        parser.error("--weeks and --every are 1 or more")
    return asked


if __name__ == "__main__":
    main()
