"""Results that are too good to be true: the reject-if list of the domain reference (9), as warnings in words.

What belongs here: one function per check; each returns its warnings, none when there is nothing to say. What does not:
bounds and their gap (`optimisation/`), capture (`ladder.py`), physics of a schedule (`battery/physics.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import after_standing_losses_mwh

MOST_KGBP_PER_MW_YEAR = 250.0
RICH_YEARS = (2021, 2022)
RICH_DURATION_H = 2.0
MOST_CAPTURE = 0.95
MOST_CYCLES_A_DAY = 3.0
OVERLAP_MW = 1e-6
BURNT_MWH = 1e-6


def too_rich(strategy: str, kgbp_per_mw_year: float, first: date, last: date, duration_h: float) -> list[str]:
    """A battery of two hours or less above k GBP 250/MW/year, in a window that is not wholly in 2021-22."""
    rich_years = first.year >= RICH_YEARS[0] and last.year <= RICH_YEARS[1]
    if duration_h > RICH_DURATION_H or rich_years or not kgbp_per_mw_year > MOST_KGBP_PER_MW_YEAR:
        return []
    return [
        f"{strategy} earns £{kgbp_per_mw_year:,.0f}k/MW/year: no two-hour battery in Great Britain has earned more "
        f"than £{MOST_KGBP_PER_MW_YEAR:g}k outside 2021-22"
    ]


def above_bound(
    pnl_gbp: Mapping[str, float], bounds: Mapping[str, str], gap_gbp: Mapping[str, float], tolerance_gbp: float
) -> list[str]:
    """A strategy that earned more than its bound and the bound's gap allow.

    pnl_gbp: of strategies and bounds over one window, on one basis, closing energy valued alike; bounds: strategy to
    its bound; gap_gbp: proven gap of a bound, 0 when absent; tolerance_gbp: what the ends of the window may shift.
    Pairs of which one has no P&L are not compared.
    """
    found = []
    for strategy, bound in bounds.items():
        if strategy not in pnl_gbp or bound not in pnl_gbp:
            continue
        most = pnl_gbp[bound] + gap_gbp.get(bound, 0.0) + tolerance_gbp
        if pnl_gbp[strategy] > most:
            found.append(
                f"{strategy} earned £{pnl_gbp[strategy]:,.2f}, £{pnl_gbp[strategy] - most:,.2f} more than {bound} with "
                "its gap could: one of the two is wrong"
            )
    return found


def captures_too_much(share: Mapping[str, float]) -> list[str]:
    """Capture above 95 % by a strategy that decides on forecasts (strategy to share of its bound)."""
    return [
        f"{strategy} captures {captured:.1%} of its bound: with forecasts alone nobody gets above {MOST_CAPTURE:.0%}, "
        "so it may know what it cannot"
        for strategy, captured in share.items()
        if captured > MOST_CAPTURE
    ]


def cycles_too_much(strategy: str, dispatch: pd.DataFrame, usable_energy_mwh: float) -> list[str]:
    """More than three cycles on a mean day (`trading/dispatch` rows of one strategy; activation counts).

    A cycle is the usable energy discharged once, AC side.
    """
    if dispatch.empty:
        return []
    discharged = dispatch["discharge_mw"] * gb_time.HALF_HOUR_H + dispatch["activation_export_mwh"]
    days = dispatch["start_utc"].nunique() * gb_time.HALF_HOUR_H / 24.0
    cycles = float(discharged.sum()) / usable_energy_mwh / days
    if cycles <= MOST_CYCLES_A_DAY:
        return []
    return [f"{strategy} cycles {cycles:.2f} times a day: no warranty allows more than {MOST_CYCLES_A_DAY:g}"]


def free_lunch(
    strategy: str, dispatch: pd.DataFrame, price_gbp_mwh: np.ndarray, battery: Battery, opening_energy_mwh: float
) -> list[str]:
    """Being paid for energy that goes nowhere while the price is negative.

    dispatch: `trading/dispatch` rows of one strategy, in order and without a hole; price_gbp_mwh: of each (NaN: not
    looked at). Warns of charge and discharge at once, and of imports that neither the state of energy nor the
    battery's losses account for.
    """
    negative = np.asarray(price_gbp_mwh, dtype=float) < 0.0
    charge, discharge, energy = (
        dispatch[name].to_numpy(dtype=float) for name in ("charge_mw", "discharge_mw", "energy_mwh")
    )
    found = []
    both = negative & (np.minimum(charge, discharge) > OVERLAP_MW)
    if both.any():
        found.append(
            f"{strategy} charges and discharges at once in {both.sum()} half-hours of negative price, the first "
            f"{_when(dispatch, both)}: it is paid for burning energy"
        )
    into = charge * gb_time.HALF_HOUR_H + dispatch["activation_import_mwh"].to_numpy(dtype=float)
    out = discharge * gb_time.HALF_HOUR_H + dispatch["activation_export_mwh"].to_numpy(dtype=float)
    before = np.append(opening_energy_mwh, energy[:-1])
    due = after_standing_losses_mwh(battery, before, gb_time.HALF_HOUR_H)
    due = due + battery.charge_efficiency * into - out / battery.discharge_efficiency
    burnt = negative & (due - energy > BURNT_MWH)
    if burnt.any():
        found.append(
            f"{strategy} loses {float((due - energy)[burnt].sum()):,.3f} MWh that no loss of the battery accounts for "
            f"in {burnt.sum()} half-hours of negative price, the first {_when(dispatch, burnt)}"
        )
    return found


def _when(dispatch: pd.DataFrame, where: np.ndarray) -> str:
    return f"{dispatch['start_utc'].iloc[int(np.argmax(where))]:%Y-%m-%d %H:%M} UTC"
