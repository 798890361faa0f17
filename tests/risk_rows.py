"""Rows of the risk tables for tests of what is shown of them: made by the functions of `risk/` from simulated days."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import schemas
from bess_pipeline.lake import Lake
from bess_pipeline.risk.attribution import attribution_rows, by_stream
from bess_pipeline.risk.ladder import capture_by_month, ladder, lead, wide
from bess_pipeline.risk.pnl import daily_totals
from bess_pipeline.risk.summary import measure_rows
from bess_pipeline.risk.waterfall import levels_to, waterfall
from bess_pipeline.risk_settings import RiskSettings
from bess_pipeline.trading.status import status_row
from bess_pipeline.trading.strategies import find

POWER_MW = 50.0
SETTINGS = RiskSettings(bootstrap_replicates=100, windows_days=(30,))
YARDSTICK = "day_ahead_rolling"
STREAMS = {
    "rule_based": {"day_ahead": 3000.0, "imbalance": 0.0, "wear": -900.0},
    "day_ahead_rolling": {"day_ahead": 3600.0, "imbalance": 0.0, "wear": -900.0},
    "day_ahead_perfect_foresight": {"day_ahead": 4600.0, "imbalance": 0.0, "wear": -1000.0},
    "day_ahead_imbalance": {"day_ahead": 3500.0, "intraday": 150.0, "imbalance": 600.0, "wear": -1000.0},
    "co_optimised": {
        "day_ahead": 2900.0, "intraday": -120.0, "imbalance": 500.0, "response": 2600.0, "reserve": 300.0,
        "penalty": -40.0, "wear": -900.0,
    },
    "co_optimised_cvar": {
        "day_ahead": 2800.0, "intraday": -90.0, "imbalance": 400.0, "response": 2700.0, "reserve": 300.0,
        "penalty": -20.0, "wear": -880.0,
    },
    "perfect_foresight_48h": {
        "day_ahead": 4100.0, "imbalance": 1500.0, "response": 2500.0, "reserve": 400.0, "wear": -1100.0,
    },
}  # fmt: skip
BOUNDS = {"energy_perfect_foresight": 6400.0, "perfect_foresight": 8600.0}  # GBP a day, after wear
BOUND_WEAR = 1200.0
TRADED_CAP_MW = 2.5
CAPPED = ("day_ahead_imbalance", "co_optimised", "co_optimised_cvar", "perfect_foresight_48h")


def daily_pnl(first: date, days: int, *, missing: dict[str, int] | None = None) -> pd.DataFrame:
    """`risk/daily_pnl` of all strategies; `missing`: by how many days a strategy starts later than the others."""
    rng = np.random.default_rng(7)
    common = rng.normal(size=days)
    rows = []
    for strategy, streams in STREAMS.items():
        for stream, mean in streams.items():
            size = abs(mean) * (0.7 * common + 0.5 * rng.normal(size=days)) * (0.1 if stream == "wear" else 1.0)
            for n in range((missing or {}).get(strategy, 0), days):
                rows.append((first + timedelta(days=n), strategy, stream, float(mean + size[n]) if mean else 0.0))
    frame = pd.DataFrame(rows, columns=["efa_date", "strategy", "stream", "pnl_gbp"])
    return schemas.validate("risk/daily_pnl", frame.assign(pnl_gbp_per_mw=frame["pnl_gbp"] / POWER_MW))


def bound_pnl(pnl: pd.DataFrame, cap_mw: float) -> pd.DataFrame:
    """efa_date, strategy, cash_gbp, after_wear_gbp of the bounds: less at a cap of 0."""
    best = daily_totals(pnl[pnl["strategy"] == "perfect_foresight_48h"]).set_index("efa_date")["after_wear_gbp"]
    share = {"energy_perfect_foresight": 0.75, "perfect_foresight": 1.15}
    parts = [
        pd.DataFrame({"efa_date": best.index, "strategy": name, "after_wear_gbp": (best * one + 900.0).to_numpy()})
        for name, one in share.items()
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows["after_wear_gbp"] *= 1.0 if cap_mw else 0.9
    return rows.assign(cash_gbp=rows["after_wear_gbp"] + BOUND_WEAR)


def store(lake: Lake, pnl: pd.DataFrame, caps_mw: tuple[float, ...] = (2.5, 0.0)) -> dict[str, pd.DataFrame]:
    """Write that history, its status and its risk tables into a lake; the risk tables. Its last day starts a chain."""
    last = max(pnl["efa_date"])
    for day, part in pnl.groupby("efa_date"):
        lake.write("risk/daily_pnl", day, part.reset_index(drop=True))
        status = [
            status_row(
                day,
                name,
                "complete",
                opening_energy_mwh=50.0,
                closing_energy_mwh=40.0 if day == last - timedelta(days=1) else 50.0,
                chain_start=day if day == last else None,
            )
            for name in sorted(set(part["strategy"]))
        ]
        lake.write("trading/run_status", day, pd.concat(status, ignore_index=True))
    tables = frames(pnl, caps_mw)
    for table, rows in tables.items():
        for day, part in rows.groupby("as_of" if "as_of" in rows else "efa_date"):
            lake.write(table, day, part.reset_index(drop=True))
    return tables


def frames(pnl: pd.DataFrame, caps_mw: tuple[float, ...] = (2.5, 0.0)) -> dict[str, pd.DataFrame]:
    """Validated rows of every risk table of that history, by table."""
    as_of = pnl["efa_date"].max()
    daily = daily_totals(pnl)
    found = {table: [] for table in ("ladder", "capture", "waterfall")}
    for cap in caps_mw:
        own = pd.concat([daily, bound_pnl(pnl, cap)], ignore_index=True)
        found["ladder"].append(_ladder(own, as_of, cap))
        found["capture"].append(_capture(own, as_of, cap))
        found["waterfall"].append(_waterfall(own, as_of, cap))
    measures = [measure_rows(part, str(name), POWER_MW, SETTINGS, 1) for name, part in daily.groupby("strategy")]
    attributed = [
        attribution_rows(_kinds(part), as_of, str(name), level)
        for name, part in pnl.groupby("strategy")
        for level in (0.95, 0.99)
    ]
    tables = {
        "risk/measure": pd.concat(measures),
        "risk/attribution": pd.concat(attributed),
        **{f"risk/{name}": pd.concat(parts) for name, parts in found.items()},
        **_days(daily, as_of),
    }
    return {table: schemas.validate(table, rows.reset_index(drop=True)) for table, rows in tables.items()}


def _kinds(pnl: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The same P&L cut three ways: by stream, and by fixed shares of the day that stand for blocks and drivers."""
    streams = by_stream(pnl)
    total = streams.sum(axis=1)
    blocks = {"EFA block 1": -0.2, "EFA block 2": 0.1, "EFA block 3": 0.2, "EFA block 4": 0.0, "EFA block 5": 0.9}
    return {
        "stream": streams,
        "block": pd.DataFrame({name: total * part for name, part in blocks.items()}),
        "driver": pd.DataFrame(
            {"plan": total * 1.3, "spread_position": total * 0.0 - 150.0, "re_dispatch": 150.0 - total * 0.3}
        ),
    }


def _bounds(own: pd.DataFrame) -> dict[str, str]:
    known = {str(name): find(str(name)) for name in set(own["strategy"])}
    return {name: one.bound for name, one in known.items() if one is not None and one.bound is not None}


def _traded(names: pd.Series) -> pd.Series:
    """`TRADED_CAP_MW` of strategies of the imbalance market."""
    return names.map(lambda name: TRADED_CAP_MW if name in CAPPED else np.nan).astype("float64")


def _ladder(own: pd.DataFrame, as_of: date, cap: float) -> pd.DataFrame:
    parts = []
    for basis in ("cash", "after_wear"):
        table = wide(own, f"{basis}_gbp")
        stored = pd.DataFrame(0.0, index=table.index, columns=table.columns)
        stored.iloc[-1] = 40.0 * np.arange(1, len(table.columns) + 1)  # no two end alike
        rows = ladder(table, _bounds(own), POWER_MW, SETTINGS, 1, stored)
        ahead = {
            name: lead(table, str(name), YARDSTICK, POWER_MW, SETTINGS, 1)
            for name in rows["strategy"]
            if find(str(name)).bound is not None and name != YARDSTICK
        }
        names = rows["strategy"]
        parts.append(
            rows.assign(
                as_of=as_of,
                basis=basis,
                imbalance_cap_mw=cap,
                traded_cap_mw=_traded(names),
                unit="GBP/MW/year",
                kind=["bound" if find(str(name)).bound is None else "strategy" for name in names],
                bound=[_bounds(own).get(str(name)) for name in names],
                yardstick=[YARDSTICK if name in ahead else None for name in names],
                lead=[ahead[name].value if name in ahead else np.nan for name in names],
                lead_low=[ahead[name].low if name in ahead else np.nan for name in names],
                lead_high=[ahead[name].high if name in ahead else np.nan for name in names],
            )
        )
    return pd.concat(parts)[list(schemas.columns("risk/ladder"))]


def _capture(own: pd.DataFrame, as_of: date, cap: float) -> pd.DataFrame:
    bounds, table = _bounds(own), wide(own, "after_wear_gbp")
    rows = capture_by_month(table, bounds)
    rows = rows.assign(as_of=as_of, bound=rows["strategy"].map(bounds), imbalance_cap_mw=cap)
    rows["traded_cap_mw"] = _traded(rows["strategy"])
    pairs = [
        table.loc[[day.replace(day=1) == month for day in table.index], [name, bound]].dropna().sum()
        for month, name, bound in zip(rows["month"], rows["strategy"], rows["bound"], strict=True)
    ]
    rows["pnl_gbp"], rows["bound_gbp"] = [pair.iloc[0] for pair in pairs], [pair.iloc[1] for pair in pairs]
    return rows.assign(stored_gbp=0.0, bound_stored_gbp=0.0)[list(schemas.columns("risk/capture"))]


def _waterfall(own: pd.DataFrame, as_of: date, cap: float) -> pd.DataFrame:
    sums = own.groupby("strategy")[["cash_gbp", "after_wear_gbp"]].sum()
    pnl = {
        (str(name), basis): float(row[f"{basis}_gbp"])
        for name, row in sums.iterrows()
        for basis in ("cash", "after_wear")
    }
    parts = []
    for strategy in ("co_optimised_cvar", "day_ahead_rolling"):
        if (strategy, "cash") not in pnl:
            continue
        levels = levels_to(strategy)
        steps = waterfall(pnl, levels)
        start = {
            "step": "start", "to_replay": levels[0].replay, "to_basis": levels[0].basis,
            "level_gbp": pnl[levels[0].replay, levels[0].basis],
        }  # fmt: skip
        rows = pd.concat([pd.DataFrame([start]), steps], ignore_index=True)
        days = own["efa_date"].nunique()
        parts.append(
            rows.assign(
                as_of=as_of, strategy=strategy, place=range(len(rows)), first_date=own["efa_date"].min(), days=days,
                imbalance_cap_mw=cap, stored_gbp=0.0,
            )
        )  # fmt: skip
    return pd.concat(parts)[list(schemas.columns("risk/waterfall"))]


def _days(daily: pd.DataFrame, as_of: date) -> dict[str, pd.DataFrame]:
    """Rows of the tables about single days, one strategy each."""
    name, own = "co_optimised_cvar", daily[daily["strategy"] == "co_optimised_cvar"].sort_values("after_wear_gbp")
    worst = own.head(3)
    tail = pd.DataFrame(
        {
            "as_of": as_of, "strategy": name, "confidence": 0.95, "place": range(1, len(worst) + 1),
            "efa_date": worst["efa_date"].to_numpy(), "weekday": "Sunday",
            "pnl_gbp": worst["after_wear_gbp"].to_numpy(),
            "tail_weight": [0.6, 0.4, 0.0][: len(worst)], "share_of_cvar": [0.7, 0.3, 0.0][: len(worst)],
            "lost": "£1,200 in imbalance", "imbalance_mwh": 14.0,
            "words": "a Sunday that lost £1,200 in imbalance; system price -60 to 410 £/MWh",
        }
    )  # fmt: skip
    prices = {column: 50.0 for column in schemas.columns("risk/tail_day") if column.endswith("price_gbp_mwh")}
    status = [("within", 900.0, 0.0), ("breached", 1500.0, 500.0), ("not measured", np.nan, np.nan)]
    limits = pd.DataFrame(
        [
            (
                as_of - timedelta(days=n),
                name,
                "imbalance_mwh",
                None,
                "MWh",
                measured,
                1000.0,
                found,
                excess,
                f"it is {found}",
            )
            for n, (found, measured, excess) in enumerate(status)
        ],
        columns=list(schemas.columns("risk/limit_status")),
    )
    nothing = (np.nan, np.nan, 3, 1.4, len(own), np.nan, "insufficient data", f"{len(own)} days of 250")
    backtest = pd.DataFrame(
        [(as_of, name, "ex_ante", 0.95, "kupiec", *nothing)],
        columns=list(schemas.columns("risk/var_backtest")),
    )  # fmt: skip
    earlier = as_of - timedelta(days=3)
    stress = pd.DataFrame(
        [
            (as_of, name, as_of, "as_it_was", "the day as it was", 2000.0, 0.0, 0.0, 3.0, 3.0, pd.NaT, 0.0),
            (as_of, name, as_of, "asset_outage", "out for 4 h", 2000.0, -6500.0, 55.0, 3.0, -12.0, pd.NaT, 410.0),
            (as_of, name, earlier, "asset_outage", "out for 4 h", 900.0, -800.0, 9.0, 3.0, 1.0, pd.NaT, 0.0),
        ],
        columns=list(schemas.columns("risk/stress")),
    )  # fmt: skip
    explain = pd.DataFrame(
        [
            (as_of, name, as_of, as_of - timedelta(days=1), "day_ahead", 120.0, -20.0, 5.0, 105.0),
            (as_of, name, as_of, as_of - timedelta(days=1), "imbalance", -30.0, 10.0, 0.0, -20.0),
        ],
        columns=list(schemas.columns("risk/explain")),
    )
    words = "co_optimised_cvar captures 97.0% of its bound: with forecasts alone nobody gets above 95%"
    warning = pd.DataFrame(
        [(as_of, "captures_too_much", name, 1, words)], columns=list(schemas.columns("risk/warning"))
    )
    return {
        "risk/tail_day": tail.assign(**prices)[list(schemas.columns("risk/tail_day"))],
        "risk/limit_status": limits,
        "risk/var_backtest": backtest,
        "risk/stress": stress.assign(start_utc=pd.to_datetime(stress["start_utc"], utc=True)),
        "risk/explain": explain,
        "risk/warning": warning,
    }
