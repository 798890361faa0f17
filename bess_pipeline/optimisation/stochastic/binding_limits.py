"""Which limits hold a volume where it is, in words.

What belongs here: rows with duals and columns at their bounds, named for a reader, for each column of a plan. What does
not: what they are worth (`marginal_values.py`) and sentences about a trade (`trading/plan_explanation.py`).

A limit binds in a scenario and half-hour where a little more of it were worth more than a penny per MWh (or MW h).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.marginal_values import IMBALANCE_ROW, TO_THE_PENNY, MarginalValues, places

BoolArray = NDArray[np.bool_]
AT_BOUND_MW = 1e-4
LEAST_SHARE = 0.01  # of scenarios and half-hours: what binds more rarely is left out
WORDS: Mapping[str, str] = {
    "rating_low": "rating of the discharge side",
    "rating_high": "rating of the charge side",
    "band_low": "energy band: energy to discharge",
    "band_high": "energy band: room to charge",
    "imbalance": "imbalance limit",
    "cycle_limit": "cycles a day",
    "throughput_limit": "throughput a day",
    "warranty_budget": "warranted cycles",
    "ramp_up": "ramp limit",
    "ramp_down": "ramp limit",
}
BUDGET_ROWS = ("cycle_limit", "throughput_limit", "warranty_budget")
GIVEN = "volume already contracted"
CONTRACT_ROW = "constant_block"  # rows of a plan that tie half-hours to one offer: no limit of their own
ALONE: Mapping[str, str] = {
    "rating_low": "response alone fills the rating of the discharge side",
    "rating_high": "response alone fills the rating of the charge side",
    "usable_energy": "response alone fills the usable energy",
}


@dataclass(frozen=True)
class _Side:
    """What can hold a sale (a purchase) back: flow, its rating and band, and the end of the store it runs into."""

    flow: str
    rating: str
    band: str
    state: str
    sign: float


SELLING = _Side("discharge_mwh", "rating_low", "band_low", "battery at its lowest state of energy", 1.0)
BUYING = _Side("charge_mwh", "rating_high", "band_high", "battery at its highest state of energy", -1.0)


@dataclass(frozen=True)
class BindingLimit:
    """A limit that binds: its name; in how many of the column's half-hours, and in which share of scenarios there
    (both None for a limit of the plan itself, which binds whatever happens)."""

    name: str
    half_hours: int | None = None
    of: int | None = None
    share: float | None = None

    @property
    def text(self) -> str:
        """E.g. "rating of the discharge side in 3 of 8 half-hours (62 % of scenarios)"."""
        if self.share is None:
            return self.name
        often = f" ({100 * self.share:.0f} % of scenarios)" if self.share < 0.995 else ""
        where = "" if self.half_hours is None else f" in {self.half_hours} of {self.of} half-hours"
        return f"{self.name}{where}{often}"


def binding_limits(values: MarginalValues) -> tuple[tuple[BindingLimit, ...], ...]:
    """The limits that bind for each column of the plan, those of the plan itself first."""
    products = values.programme.problem.products
    found = []
    for _, k, at in places(values.programme):
        within = _of_energy(values, k, at) if k < products else _of_response(values, k)
        found.append((*_of_plan(values, k), *within))
    return tuple(found)


def joined(by_column: Sequence[tuple[BindingLimit, ...]]) -> tuple[BindingLimit, ...]:
    """The limits of one offer that several columns make up: each name once, half-hours added up."""
    if len(by_column) == 1:
        return by_column[0]
    names = dict.fromkeys(limit.name for limits in by_column for limit in limits)
    of = sum(max((limit.of or 0 for limit in limits), default=0) or 1 for limits in by_column)
    return tuple(
        _merged(name, of, [one for limits in by_column for one in limits if one.name == name]) for name in names
    )


def _merged(name: str, of: int, limits: list[BindingLimit]) -> BindingLimit:
    shares = [one.share for one in limits if one.share is not None]
    if not shares:
        return BindingLimit(name)
    counts = [one.half_hours for one in limits if one.half_hours is not None]
    return BindingLimit(name, sum(counts) if counts else None, of, sum(shares) / len(shares))


def _of_plan(values: MarginalValues, k: int) -> Iterator[BindingLimit]:
    """Bounds and rows of the first stage."""
    plan, mw, margin = values.programme.plan, float(values.mw[k]), float(values.margin[k])
    energy = k < values.programme.problem.products
    lower, upper = float(plan.lower[k]), float(plan.upper[k])
    if lower == upper and (energy or upper > 0):
        yield BindingLimit(GIVEN)
    elif mw >= upper - AT_BOUND_MW and (margin > TO_THE_PENNY or (not energy and upper < AT_BOUND_MW)):
        yield BindingLimit(f"whole offer limit {upper:g} MW" if energy else f"volume cap {upper:g} MW")
    elif energy and mw <= lower + AT_BOUND_MW and margin < -TO_THE_PENNY:
        yield BindingLimit(f"whole offer limit {-lower:g} MW")
    worth = np.abs(plan.matrix[:, k] * values.duals.plan_rows) / values.weight[k] if plan.limit.size else np.zeros(0)
    for row in np.flatnonzero(worth > TO_THE_PENNY):
        name = plan.row_names[row].split("[")[0]
        if not name.startswith(CONTRACT_ROW):
            yield BindingLimit(ALONE.get(name) or f"rule of the plan: {name.replace('_', ' ')}")


def _of_energy(values: MarginalValues, k: int, at: IntArray) -> Iterator[BindingLimit]:
    """Limits of dispatch in the half-hours of a day-ahead product on its side, and of the store at the end of them."""
    path, rows, recourse = values.programme.path, values.duals.rows, values.reduced.recourse
    side = SELLING if values.mw[k] >= 0 else BUYING
    least = TO_THE_PENNY * values.w[:, at]

    def active(row: str, where: IntArray) -> BoolArray:
        if row not in path.rows:
            return np.zeros(least.shape, dtype=np.bool_)
        return np.asarray(np.abs(rows[:, path.rows[row]][:, where]) > least)

    moves = values.solution.of(side.flow)[:, at] > 0
    rated = (recourse[:, path.columns[side.flow]][:, at] < -least) | (moves & active("shared_power", at))
    yield from _told(values, WORDS[side.rating], rated | active(side.rating, at), at)
    stored = side.sign * recourse[:, path.columns["energy_mwh"]][:, at]
    yield from _told(values, side.state, stored > least, at)
    yield from _told(values, WORDS[side.band], active(side.band, np.minimum(at + 1, values.w.shape[1] - 1)), at)
    for row in (IMBALANCE_ROW, "ramp_up", "ramp_down"):
        yield from _told(values, WORDS[row], active(row, at), at)
    days = values.programme.problem.energy.cycle_groups[at]
    for row in BUDGET_ROWS:
        where = np.zeros_like(days) if row == "warranty_budget" else days
        yield from _told(values, WORDS[row], active(row, where), at, counted=False)


def _of_response(values: MarginalValues, k: int) -> Iterator[BindingLimit]:
    """Rows of scenarios that a response column stands in."""
    technology, rows = values.programme.technology, values.duals.rows
    mine = np.flatnonzero(technology.column == k)
    worth = np.abs(technology.value[:, mine] * rows[:, technology.row[mine]])
    hours = values.programme.problem.energy.durations
    for name, where in values.programme.path.rows.items():
        of_family = (technology.row[mine] >= where.start) & (technology.row[mine] < where.stop)
        if name not in WORDS or not of_family.any():
            continue
        if name in BUDGET_ROWS:
            everywhere = np.arange(values.w.shape[1])
            of_row = TO_THE_PENNY * values.w[:, : worth[:, of_family].shape[1]] * values.hours[k]
            yield from _told(values, WORDS[name], worth[:, of_family] > of_row, everywhere, counted=False)
        else:
            at = technology.row[mine][of_family] - where.start
            binds = worth[:, of_family] > TO_THE_PENNY * values.w[:, at] * hours[at]
            yield from _told(values, WORDS[name], binds, at)


def _told(
    values: MarginalValues, name: str, binds: BoolArray, at: IntArray, counted: bool = True
) -> Iterator[BindingLimit]:
    """A limit that binds in some half-hours, (N, len(at)); its share of scenarios is the mean over those."""
    by_half_hour: FloatArray = values.programme.probability @ binds
    often = by_half_hour >= LEAST_SHARE
    if often.any():
        count = int(often.sum()) if counted else None
        yield BindingLimit(name, count, at.size, float(by_half_hour[often].mean()))
