"""Random small problems of every kind the optimiser knows, and what the independent oracle says of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from optimisation_oracle import best_profit

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.problem import ClosingKind, ClosingState, EnergyProblem

hundredths = st.integers(0, 100).map(lambda n: n / 100)
LOSSES = {
    "self_discharge_per_hour": (0.0, 0.01, 0.1),
    "auxiliary_mw": (0.0, 0.05, 0.3),
    "import_limit_mw": (None, 0.0, 0.25, 5.0),
    "export_limit_mw": (None, 0.0, 0.2, 4.0),
}
LINKS = {
    "max_cycles_per_day": (None, 0.4, 1.0, 3.0),
    "max_throughput_mwh_per_day": (None, 0.5, 2.0, 30.0),
    "warranty_cycles": (None, 0.3, 1.5),
    "ramp_limit_mw_per_hour": (None, 0.3, 2.0, 50.0),
    "cycle_depth_cost_gbp_per_mwh": ((), (3.0,), (0.0, 4.0, 20.0)),
}


@st.composite
def problems(draw: st.DrawFn, losses: bool = False, links: tuple[str, ...] = ("max_cycles_per_day",)) -> EnergyProblem:
    """A small problem: any rating, losses, window, closing state, hourly and half-hourly periods mixed.

    losses: standing losses, limits of the grid connection and availabilities (outages too) as well; links: the limits
    and costs that link periods by more than the state.
    """
    low, high = draw(st.integers(0, 40)) / 100, draw(st.integers(60, 100)) / 100
    opening = low + (high - low) * draw(hundredths)
    terms: dict[str, Any] = {name: draw(st.sampled_from(LINKS[name])) for name in links}
    if losses:
        terms |= {name: draw(st.sampled_from(values)) for name, values in LOSSES.items()}
    battery = Battery(
        energy_mwh=draw(st.sampled_from([1.0, 2.0, 37.5, 200.0])),
        power_mw=draw(st.sampled_from([0.3, 1.0, 10.0, 100.0, math.inf])),
        charge_efficiency=draw(st.sampled_from([0.7, 0.9, 0.9381, 1.0])),
        discharge_efficiency=draw(st.sampled_from([0.8, 0.9381, 1.0])),
        soc_min=low,
        soc_max=high,
        initial_soc=min(opening, high),
        final_soc=min(opening, high),
        degradation_cost_gbp_per_mwh=draw(st.sampled_from([0.0, 1.2, 5.0])),
        **terms,
    )
    price = draw(st.lists(st.integers(-20_000, 30_000).map(lambda n: n / 100), min_size=1, max_size=9))
    periods = len(price)
    hours = draw(st.lists(st.sampled_from([0.5, 1.0]), min_size=periods, max_size=periods))
    target = battery.energy_mwh * (low + (high - low) * draw(hundredths))
    closing = draw(
        st.sampled_from(
            [
                ClosingState.fixed(battery.initial_energy_mwh),
                ClosingState.fixed(target),
                ClosingState.at_least(target, 20.0),
                ClosingState.free(),
                ClosingState.free(60.0),
                ClosingState.free(-40.0),
            ]
        )
    )
    days = np.arange(periods) // draw(st.integers(1, 9))
    problem = EnergyProblem(price, hours, days, battery, battery.initial_energy_mwh, closing)
    if not losses:
        return problem
    share = st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.0]), min_size=periods, max_size=periods)
    return EnergyProblem(
        price,
        hours,
        days,
        battery,
        battery.initial_energy_mwh,
        closing,
        charge_availability=draw(share),
        discharge_availability=draw(share),
        opening_export_mw=draw(st.sampled_from([None, 0.0, 0.2])),
    )


def expected_profit(problem: EnergyProblem) -> float | None:
    """The oracle's answer; its closing window is written out here and not taken from the package."""
    closing = problem.closing
    window = {
        ClosingKind.FIXED: (closing.energy_mwh - 1e-9, closing.energy_mwh + 1e-9),
        ClosingKind.AT_LEAST: (closing.energy_mwh - 1e-9, math.inf),
        ClosingKind.FREE: (-math.inf, math.inf),
    }[closing.kind]
    return best_profit(
        problem.prices,
        problem.durations,
        np.asarray(problem.day_index),
        problem.battery,
        problem.opening_energy_mwh,
        window,
        closing.terminal_value_gbp_mwh,
        charge_availability=np.asarray(problem.charge_availability),
        discharge_availability=np.asarray(problem.discharge_availability),
        opening_export=problem.opening_export_mw,
        unserved=problem.unserved_mwh,
    )
