"""The two-stage problem: what is given, checked before any solver sees it.

What belongs here: data of a problem (`StochasticProblem`), its first-stage columns by name, and the refusal of what
cannot be used. What does not: constraints (`formulation.py`), their numbers (`numbers.py`) and solvers.

Day-ahead gate: volumes and response are both decided here, in ignorance of every price. Response gate: the day-ahead
result is known, so it is given (`day_ahead_fixed_mw`), and its price is the same in every scenario.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem, FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.checks import check_scenarios

PENALTY_TIMES_HIGHEST_PRICE = 10.0
LEAST_PENALTY_GBP_MWH = 1000.0


@dataclass(frozen=True)
class ResponseProduct:
    """What the programme must know of a response product.

    code: its name; direction: "low" discharges, "high" charges; recovery_share: MW per MW that recovery takes of the
    rating in the opposite direction; volume_mwh_per_mw: response energy volume of a MW (hours of full delivery).
    """

    code: str
    direction: Literal["low", "high"]
    recovery_share: float = 0.0
    volume_mwh_per_mw: float = 0.0


@dataclass(frozen=True, eq=False)
class PlanRows:
    """Further rules of the first stage: matrix (rows, columns) @ plan <= limit (rows,), columns as `plan_names`."""

    matrix: FloatArray
    limit: FloatArray
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StochasticProblem:
    """A battery over T periods in N scenarios; R response products, B blocks, P day-ahead products.

    hours, day_index (T,): durations, and the day of each period's daily limits. committed_periods: length of the
    committed EFA day, the first periods of the horizon. product_of_period, block_of_period (T,): which day-ahead
    product and which response block a period belongs to; -1 = none (without a product, dispatch is sold at the
    day-ahead price of its scenario; without a block there is no response).

    day_ahead_price_gbp_mwh, system_price_gbp_mwh (N, T); probability (N,), positive, of sum 1.
    opening_energy_mwh: a number or (N,). closing: of every scenario; its terminal value also values the energy at the
    end of the committed day. imbalance_limit_mw: |dispatch - plan|, a number or (T,).

    responses: R products; response_price_gbp_mw_h (N, R, B); response_cap_mw (R, B); activation_mwh_per_mw (N, T, R):
    delivered energy of a contracted MW, >= 0; required_mwh_per_mw (N, T, R) or (T, R): energy (AC) that a contracted
    MW requires at the start of the period. absvd_applies: activation is neither bought nor sold (else at the system
    price).
    baseline_adds_headroom: a charging baseline makes room for low response, a discharging one for high.
    day_ahead_fixed_mw (P,), response_fixed_mw (R, B): volumes that are given (NaN: free).
    penalty_gbp_mwh: of each MWh by which a scenario breaks the imbalance limit, the rating, the band or a daily limit,
    so that recourse always exists; None = `PENALTY_TIMES_HIGHEST_PRICE` x the highest price in size.

    Raises UserInputError with one sentence where a value cannot be used.
    """

    battery: Battery
    hours: ArrayLike
    day_index: ArrayLike
    committed_periods: int
    product_of_period: ArrayLike
    day_ahead_price_gbp_mwh: FloatArray
    system_price_gbp_mwh: FloatArray
    probability: FloatArray
    opening_energy_mwh: ArrayLike
    closing: ClosingState
    imbalance_limit_mw: ArrayLike
    block_of_period: ArrayLike | None = None
    responses: tuple[ResponseProduct, ...] = ()
    response_price_gbp_mw_h: FloatArray | None = None
    response_cap_mw: FloatArray | None = None
    activation_mwh_per_mw: FloatArray | None = None
    required_mwh_per_mw: FloatArray | None = None
    day_ahead_fixed_mw: FloatArray | None = None
    response_fixed_mw: FloatArray | None = None
    plan_rows: PlanRows | None = None
    charge_availability: ArrayLike = 1.0
    discharge_availability: ArrayLike = 1.0
    opening_export_mw: float | None = None
    baseline_adds_headroom: bool = False
    absvd_applies: bool = True
    penalty_gbp_mwh: float | None = None
    energy: EnergyProblem = field(init=False)  # the battery's own limits, states and availabilities

    def __post_init__(self) -> None:
        price = np.atleast_2d(np.asarray(self.day_ahead_price_gbp_mwh, dtype=float))
        count, periods = price.shape
        opening = np.broadcast_to(np.asarray(self.opening_energy_mwh, dtype=float), (count,)).copy()
        blocks = -np.ones(periods, dtype=np.int64) if self.block_of_period is None else self.block_of_period
        arrays = {
            "day_ahead_price_gbp_mwh": price,
            "system_price_gbp_mwh": np.atleast_2d(np.asarray(self.system_price_gbp_mwh, dtype=float)),
            "probability": np.atleast_1d(np.asarray(self.probability, dtype=float)),
            "opening_energy_mwh": opening,
            "product_of_period": np.asarray(self.product_of_period, dtype=np.int64),
            "block_of_period": np.asarray(blocks, dtype=np.int64),
            "imbalance_limit_mw": np.broadcast_to(np.asarray(self.imbalance_limit_mw, dtype=float), (periods,)).copy(),
        }
        for name, array in arrays.items():
            object.__setattr__(self, name, array)
        self._fill_response(count, periods)
        check_scenarios(self)
        object.__setattr__(self, "energy", self._energy_problem(price.mean(axis=0), float(opening.mean())))
        for state in (opening.min(), opening.max()):
            self._energy_problem(price[0], float(state))  # refuses an impossible opening state

    def _fill_response(self, count: int, periods: int) -> None:
        kinds, blocks = len(self.responses), int(self.block_index.max(initial=-1)) + 1
        shapes = {
            "response_price_gbp_mw_h": (count, kinds, blocks),
            "response_cap_mw": (kinds, blocks),
            "activation_mwh_per_mw": (count, periods, kinds),
            "required_mwh_per_mw": (count, periods, kinds),
        }
        for name, shape in shapes.items():
            given = getattr(self, name)
            array = np.zeros(shape) if given is None else np.asarray(given, dtype=float)
            if array.shape not in {shape, shape[1:]}:
                raise UserInputError(f"{name} has the shape {array.shape}, not {shape}")
            object.__setattr__(self, name, np.broadcast_to(array, shape))

    def _energy_problem(self, price: FloatArray, opening: float) -> EnergyProblem:
        return EnergyProblem(
            price,
            self.hours,
            self.day_index,
            self.battery,
            opening,
            self.closing,
            charge_availability=self.charge_availability,
            discharge_availability=self.discharge_availability,
            opening_export_mw=self.opening_export_mw,
        )

    @property
    def scenarios(self) -> int:
        """N."""
        return int(self.probability.size)

    @property
    def periods(self) -> int:
        """T."""
        return int(self.day_ahead_price_gbp_mwh.shape[1])

    @property
    def product_index(self) -> IntArray:
        """`product_of_period` as an array."""
        return np.asarray(self.product_of_period, dtype=np.int64)

    @property
    def block_index(self) -> IntArray:
        """`block_of_period` as an array."""
        return np.asarray(self.block_of_period, dtype=np.int64)

    @property
    def products(self) -> int:
        """P."""
        return int(self.product_index.max(initial=-1)) + 1

    @property
    def blocks(self) -> int:
        """B."""
        return int(self.block_index.max(initial=-1)) + 1

    @property
    def opening(self) -> FloatArray:
        """Opening energy of each scenario, (N,), MWh."""
        return np.asarray(self.opening_energy_mwh, dtype=float)

    @property
    def imbalance_limit_mwh(self) -> FloatArray:
        """Most imbalance of each period, MWh; beyond any dispatch where no day-ahead product is sold."""
        energy = self.energy
        anything = energy.charge_limit_mwh + energy.discharge_limit_mwh
        limited = np.asarray(self.imbalance_limit_mw, dtype=float) * energy.durations
        return np.asarray(np.where(self.product_index >= 0, np.minimum(limited, 3 * anything), anything))

    @cached_property
    def penalty(self) -> float:
        """GBP per MWh of a broken limit."""
        if self.penalty_gbp_mwh is not None:
            return float(self.penalty_gbp_mwh)
        prices = (self.day_ahead_price_gbp_mwh, self.system_price_gbp_mwh, self.response_price_gbp_mw_h)
        highest = max(float(np.abs(values).max(initial=0.0)) for values in prices if values is not None)
        return max(PENALTY_TIMES_HIGHEST_PRICE * highest, LEAST_PENALTY_GBP_MWH)

    @cached_property
    def plan_names(self) -> tuple[str, ...]:
        """First-stage columns: `day_ahead_mw[p]`, then `response_mw_<code>[b]`."""
        names = [f"day_ahead_mw[{p}]" for p in range(self.products)]
        return tuple(names + [f"response_mw_{one.code}[{b}]" for one in self.responses for b in range(self.blocks)])

    def plan_vector(self, day_ahead_mw: FloatArray, response_mw: FloatArray) -> FloatArray:
        """A plan laid out by `plan_names`."""
        return np.concatenate([np.ravel(day_ahead_mw), np.ravel(response_mw)])

    def split_plan(self, plan: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Day-ahead MW (P,) and response MW (R, B) of a plan."""
        return plan[: self.products], plan[self.products :].reshape(len(self.responses), self.blocks)

    def only(self, scenarios: ArrayLike, probability: FloatArray | None = None) -> StochasticProblem:
        """The problem of some scenarios (or of one repeated), with their probabilities rescaled or given."""
        index = np.atleast_1d(np.asarray(scenarios))
        weight = self.probability[index] if probability is None else np.asarray(probability, dtype=float)
        changes: dict[str, Any] = {name: getattr(self, name)[index] for name in _BY_SCENARIO}
        changes |= {"probability": weight / weight.sum(), "penalty_gbp_mwh": self.penalty}
        return replace(self, **changes)

    def mean_scenario(self) -> StochasticProblem:
        """One scenario with the expectation of everything uncertain."""
        changes: dict[str, Any] = {
            name: np.tensordot(self.probability, getattr(self, name), axes=1)[None] for name in _BY_SCENARIO
        }
        changes |= {"probability": np.ones(1), "penalty_gbp_mwh": self.penalty}
        return replace(self, **changes)

    def with_plan(self, day_ahead_mw: FloatArray | None, response_mw: FloatArray | None) -> StochasticProblem:
        """The same problem with volumes that are given; None leaves a part as it is."""
        fixed: dict[str, Any] = {"day_ahead_fixed_mw": day_ahead_mw, "response_fixed_mw": response_mw}
        return replace(self, **{name: value for name, value in fixed.items() if value is not None})


_BY_SCENARIO = (
    "day_ahead_price_gbp_mwh",
    "system_price_gbp_mwh",
    "opening_energy_mwh",
    "response_price_gbp_mw_h",
    "activation_mwh_per_mw",
    "required_mwh_per_mw",
)
