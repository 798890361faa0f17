"""Random days of all markets: whatever is contracted, asked and out of service, the record is physics and adds up."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from market_days import BATTERY, a_day, knowing, market, shape_of_day

from bess_pipeline.battery.limits import Availability
from bess_pipeline.trading.market_day import MarketDay, dispatch_market_day

CODES = ("DCL", "DMH", "DRL", "DRH", "NQR")
LOW = np.array([True, False, True, False, False])
RESERVE = np.array([False, False, False, False, True])
H = 0.5


@st.composite
def days(draw: st.DrawFn) -> MarketDay:
    """A day of random numbers, mild or wild."""
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    wild = draw(st.sampled_from([0.2, 1.0, 3.0]))
    noise = [shape_of_day(96) + wild * random.normal(0, 40, 96) for _ in range(3)]
    changes: dict[str, Any] = {
        "day_ahead_mw": np.repeat(random.normal(0, 15 * wild, 48), 2),
        "opening_energy_mwh": draw(st.floats(5.0, 95.0)),
        "imbalance_cap_mw": draw(st.sampled_from([0.0, 2.5, 20.0, np.inf])),
        "expect": knowing(*noise),
        "intraday": market(noise[2] + random.normal(0, 5, 96)) if draw(st.booleans()) else None,
        "absvd_applies": draw(st.booleans()),
        "baseline_adds_headroom": draw(st.booleans()),
    }
    if draw(st.booleans()):
        changes |= {
            "codes": CODES,
            "services_mw": np.repeat(random.integers(0, 12, (5, 12)), 8, axis=1) * wild,
            "activation_mwh_per_mw": np.minimum(random.exponential(0.05 * wild, (5, 48)), 0.5),
            "expected_activation_mwh_per_mw": np.full((5, 96), 0.05),
        }
    if draw(st.booleans()):
        changes["available"] = Availability(*np.where(random.random((2, 48)) < 0.8, 1.0, random.random((2, 48))))
    return a_day(**changes)


@settings(max_examples=25, deadline=None)
@given(days())
def test_the_record_of_any_day_is_physics_and_adds_up(day: MarketDay) -> None:
    rows = dispatch_market_day(day)
    of = {name: rows[name].to_numpy(dtype="float64") for name in rows.columns[3:]}
    charge, discharge, energy = of["charge_mw"] * H, of["discharge_mw"] * H, of["energy_mwh"]
    export, import_ = of["activation_export_mwh"], of["activation_import_mwh"]
    # the store, from what went in and out alone
    path = day.opening_energy_mwh + np.cumsum(0.9 * (charge + import_) - (discharge + export) / 0.95)
    assert np.abs(path - energy).max() < 1e-6
    assert BATTERY.energy_min_mwh - 1e-9 <= energy.min() <= energy.max() <= BATTERY.energy_max_mwh + 1e-9
    assert np.minimum(charge, discharge).max() == 0.0
    for flow, fraction in (
        (discharge + export, day.available.discharge),
        (charge + import_, day.available.charge),
    ):
        assert (flow <= 25.0 * np.asarray(fraction) + 1e-9).all()
    # services: never more than asked for, and the shares say how much
    asked = day.services[:, :48] * day.activation if day.codes else np.zeros((5, 48))
    for flow, share, direction in ((export, "delivered_low_share", LOW), (import_, "delivered_high_share", ~LOW)):
        assert np.abs(flow - of[share] * asked[direction].sum(axis=0)).max() < 1e-9
    reserve = -(asked[RESERVE].sum(axis=0) * of["delivered_high_share"])
    assert np.abs(of["reserve_mwh"] - reserve).max() < 1e-9
    # the books
    metered = discharge - charge + export - import_
    response = export - import_ - reserve
    assert np.abs(metered - of["metered_mwh"]).max() < 1e-9
    assert np.abs(of["absvd_mwh"] - reserve - (response if day.absvd_applies else 0.0)).max() < 1e-9
    assert np.abs(of["contracted_mwh"] - day.day_ahead_mw[:48] * H - of["intraday_mwh"]).max() < 1e-9
    imbalance = metered - of["contracted_mwh"] - of["absvd_mwh"]
    assert np.abs(of["imbalance_mwh"] - imbalance).max() < 1e-8
    chosen = imbalance - of["forced_imbalance_mwh"] - (0.0 if day.absvd_applies else response)
    assert np.abs(chosen).max() <= day.imbalance_cap_mw * H + 1e-5
    assert np.abs(of["intraday_mwh"]).max() <= (5.0 if day.intraday else 0.0) + 1e-9
