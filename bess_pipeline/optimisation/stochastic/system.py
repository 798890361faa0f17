"""All quantities of the interior point method at one iterate, and the Newton system they make.

What belongs here: the state of the method, its residuals and directions. What does not: the barrier of one box
(`barrier.py`), costs (`terms.py`), elimination (`elimination.py`) and how long a step is (`interior_point.py`).

The plan has one column more than the programme's, the VaR, when risk weighs anything (`terms.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.barrier import Box, BoxStep, Over, OverStep, Targets
from bess_pipeline.optimisation.stochastic.certificate import Duals
from bess_pipeline.optimisation.stochastic.elimination import (
    Elimination,
    RightHandSide,
    Step,
    WeightedRow,
    Weights,
    local_values,
)
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.structure import ENERGY, FLOWS, LocalRow, Structure
from bess_pipeline.optimisation.stochastic.terms import TAIL, terms_of


class Row:
    """A row per period with its multiplier, the box of what it sums to, and its excesses."""

    def __init__(self, row: LocalRow, value: FloatArray, dual: FloatArray, overs: list[Over]) -> None:
        self.row, self.overs = row, overs
        dual = np.broadcast_to(dual, value.shape)
        for over in overs:
            dual = np.minimum(dual, 0.5 * over.dual)
        self.box = Box(row.lower, row.upper, value, dual)
        self.multiplier = self.box.price()
        for over in overs:
            over.value = np.broadcast_to(over.value, value.shape).copy()
            over.dual = over.dual - over.sign * self.multiplier

    def weighted(self, tail: int | None, stiffness: FloatArray) -> WeightedRow:
        """Compliance and columns; `tail`: the local column of the tail price; stiffness: of its box."""
        compliance = 1.0 / stiffness
        columns = dict(self.row.plan)
        for over in self.overs:
            give = over.give()
            compliance = compliance + give
            if tail is not None and over.any_loss:
                columns[tail] = columns.get(tail, 0.0) + over.sign * give * over.loss
        return WeightedRow(self.row, compliance, columns)


@dataclass(frozen=True)
class Directions:
    """One step of everything: the eliminated unknowns, multipliers of balance and rows, boxes and excesses in order."""

    step: Step
    multipliers: list[FloatArray]
    boxes: list[BoxStep]
    overs: list[OverStep]


@dataclass(frozen=True)
class Aims:
    """What the products of every box and excess should become, in order."""

    boxes: list[Targets]
    overs: list[FloatArray | float]


class System:
    """The iterate. Everything it holds moves by `move` alone."""

    def __init__(self, programme: Programme, structure: Structure, risk: RiskAversion) -> None:
        self.programme, self.structure, self.risk = programme, structure, risk
        self._averse = risk.weight > 0
        self._shape = (programme.problem.periods, programme.problem.scenarios)
        self._tail = len(structure.plan_column) + len(structure.spanning) if self._averse else None
        self.terms = terms_of(programme, structure, risk)
        self._begin()
        members = [self.flow, self.energy, self.plan, self.plan_rows, self.spanning_box]
        self.boxes: list[Box] = [*members, *(row.box for row in self.rows)]
        self.overs: list[Over] = [over for row in self.rows for over in row.overs]
        self.overs += [over for over in self.spanning_overs if over is not None]
        self.count = sum(box.count for box in self.boxes) + sum(over.count for over in self.overs)

    # --- beginning ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """A point inside all bounds, with duals of the size of the costs; rows are met as the method goes."""
        programme, where = self.programme, self.programme.path.columns
        lower, upper = programme.lower, programme.upper
        box = [np.stack([side[where[name]] for name in FLOWS])[:, :, None] for side in (lower, upper)]
        shape = (2, *self._shape)
        price = self._price_scale()
        self.flow = Box(box[0], box[1], np.broadcast_to(0.7 * box[0] + 0.3 * box[1], shape).copy(), price)
        low, high = lower[where[ENERGY]][:, None], upper[where[ENERGY]][:, None]
        self.energy = Box(low, high, np.broadcast_to((low + high) / 2, self._shape).copy(), price)
        plan, extra = programme.plan, int(self._averse)
        bottom, top = np.append(plan.lower, [-np.inf] * extra), np.append(plan.upper, [np.inf] * extra)
        middle = np.append((plan.lower + plan.upper) / 2, np.zeros(extra))
        self.plan = Box(bottom, top, middle, np.abs(self.terms.plan_cost) + float(price.sum()) / self._shape[1])
        used = self.terms.plan_matrix @ middle
        under = np.minimum(used, plan.limit - 0.1 * np.abs(plan.limit) - 1e-3)
        self.plan_rows = Box(np.full(plan.limit.shape, -np.inf), plan.limit, under, float(price.sum()) / self._shape[1])
        self.plan_rows_dual = self.plan_rows.price()
        self.rows = [self._begin_row(row, price) for row in (self.structure.balance, *self.structure.rows)]
        self._begin_spanning(price)

    def _price_scale(self) -> FloatArray:
        """Size of a scenario's prices in the objective, (1, N)."""
        cost = np.abs(self.programme.cost[:, self.programme.path.columns[FLOWS[1]]]).mean(axis=1)
        weight = self.terms.mean + (self.risk.weight * self.programme.probability if self._averse else 0.0)
        return np.asarray(weight * (cost + 1.0))[None, :]

    def _begin_row(self, row: LocalRow, price: FloatArray) -> Row:
        value = self._activity(row)
        with np.errstate(invalid="ignore"):
            span = np.where(np.isfinite(row.upper - row.lower), row.upper - row.lower, 0.0)
        margin = np.where(span > 0, 0.1 * span, 0.1 * np.abs(row.upper) + 1.0)
        inside = np.minimum(value, row.upper - margin)
        inside = np.where(np.isfinite(row.lower), np.maximum(inside, row.lower + margin), inside)
        inside = np.where(row.lower == row.upper, row.upper, inside)
        overs = []
        for excess in row.excess:
            where = self.programme.path.columns[excess.name]
            cost = self.terms.mean[None, :] * self.programme.cost[:, where].T
            loss = self.programme.loss[:1, where].T if self._averse else np.zeros((1, 1))
            overs.append(self._over(excess.sign, cost, loss, price))
        return Row(row, np.array(np.broadcast_to(inside, self._shape)), price, overs)

    def _over(self, sign: float, cost: FloatArray, loss: FloatArray, price: FloatArray) -> Over:
        tail = self.risk.weight * self.programme.probability
        dual = cost + loss * tail if self._averse else cost
        dual = np.broadcast_to(np.maximum(dual, 1e-12), np.broadcast_shapes(dual.shape, price.shape)).copy()
        return Over(sign, cost, loss, price / dual, dual)

    def _begin_spanning(self, price: FloatArray) -> None:
        count, kinds = self._shape[1], len(self.terms.spanning)
        self.spanning_multiplier = np.zeros((kinds, count))
        self.spanning_overs: list[Over | None] = []
        activity = self._spanning_activity()
        upper = np.stack([row.upper for row in self.terms.spanning]) if kinds else np.zeros((0, count))
        scale = 0.1 * np.abs(upper) + 0.1 * np.abs(activity) + 1.0
        duals = np.broadcast_to(price * 0.1, (kinds, count)).copy()
        for k, row in enumerate(self.terms.spanning):
            if row.name == TAIL:
                duals[k] = self.risk.weight * self.programme.probability
                most = self.risk.most_tail_price(self.programme.probability)
                excess = np.maximum(activity[k], 0.0) + scale[k]
                self.spanning_overs.append(Over(1.0, most, np.zeros(1), excess, most - duals[k]))
            elif row.excess is not None:
                where = self.programme.path.columns[row.excess].start + row.period
                cost, loss = self.terms.mean * self.programme.cost[:, where], self.programme.loss[:1, where]
                over = self._over(1.0, cost, loss if self._averse else np.zeros(1), price[0])
                duals[k] = np.minimum(duals[k], 0.5 * over.dual)
                over.dual = over.dual - duals[k]
                self.spanning_overs.append(over)
            else:
                self.spanning_overs.append(None)
        self.spanning_multiplier = duals.copy()
        self.spanning_box = Box(np.full((kinds, 1), -np.inf), upper, np.minimum(activity, upper - scale), duals)

    def turn(self, risk: RiskAversion) -> None:
        """The same point in the problem of another risk aversion, neither of them 0.

        Tail prices follow the weight of CVaR. The duals of a scenario follow what a pound in it then weighs, so that
        they stay nearly feasible; the bounds' duals absorb what is left.
        """
        tail, last = self.spanning_multiplier[-1].copy(), self.spanning_overs[-1]
        assert last is not None
        farther, before = risk.weight / self.risk.weight, self.terms.mean
        self.risk, self.terms = risk, terms_of(self.programme, self.structure, risk)
        weight = (self.terms.mean + farther * tail) / (before + tail)
        for box in (self.flow, self.energy, self.spanning_box, *(row.box for row in self.rows)):
            box.dual_low, box.dual_high = box.dual_low * weight, box.dual_high * weight
        self.spanning_multiplier = self.spanning_multiplier * weight
        self.spanning_multiplier[-1] = self.spanning_box.dual_high[-1] = farther * tail
        for row in self.rows:
            row.multiplier = row.multiplier * weight
            for over in row.overs:
                over.turn(self.terms.mean / before, weight, farther * tail, row.multiplier)
        for k, spanning_over in enumerate(self.spanning_overs[:-1]):
            if spanning_over is not None:
                spanning_over.turn(self.terms.mean / before, weight, farther * tail, self.spanning_multiplier[k])
        last.cost, last.dual = last.cost * farther, last.dual * farther
        for box, reduced in zip(self.boxes, self._reduced(), strict=False):
            box.absorb(reduced + box.price())

    # --- residuals ----------------------------------------------------------------------------------------

    def _activity(self, row: LocalRow) -> FloatArray:
        """What a row's columns sum to, its excesses not counted, (T, N)."""
        total = row.flow[0][:, None] * self.flow.value[0] + row.flow[1][:, None] * self.flow.value[1]
        if row is self.structure.balance:
            total = total + self.energy.value
        if row.before.any():
            total[1:] += row.before[1:, None] * self.energy.value[:-1]
        seen = local_values(self.structure, self.plan.value, np.zeros((0, 0)))
        for j, value in row.plan.items():
            total = total + value * seen[j]
        return total

    def _spanning_activity(self) -> FloatArray:
        """What the spanning rows sum to, losses of excesses counted, their own excess not, (K, N)."""
        found = np.empty((len(self.terms.spanning), self._shape[1]))
        for k, row in enumerate(self.terms.spanning):
            found[k] = (row.flow * self.flow.value).sum(axis=(0, 1)) + self.terms.spanning_plan[k].T @ self.plan.value
            if row.energy.any():
                found[k] += (row.energy * self.energy.value).sum(axis=0)
            if row.name == TAIL and hasattr(self, "rows"):
                for over in self._losing():
                    found[k] += (over.loss * over.value).reshape(-1, self._shape[1]).sum(axis=0)
        return found

    def _losing(self) -> Iterator[Over]:
        """Excesses that count in the loss."""
        yield from (over for row in self.rows for over in row.overs if over.any_loss)
        yield from (over for over in self.spanning_overs if over is not None and over.any_loss)

    def _row_residual(self, row: Row) -> FloatArray:
        rest = self._activity(row.row) - row.box.value
        for over in row.overs:
            rest = rest - over.sign * over.value
        return rest

    def _spanning_residual(self) -> FloatArray:
        rest = self._spanning_activity() - self.spanning_box.value
        for k, over in enumerate(self.spanning_overs):
            if over is not None:
                rest[k] -= over.value
        return rest

    def _reduced(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """cost + rows' multipliers of flows, states and plan; the bounds' own duals not counted."""
        flow, energy, plan = self.terms.flow_cost.copy(), self.terms.energy_cost.copy(), self.terms.plan_cost.copy()
        column = self.structure.plan_column
        energy += self.rows[0].multiplier
        for row in self.rows:
            flow += row.row.flow[:, :, None] * row.multiplier
            if row.row.before.any():
                energy[:-1] += row.row.before[1:, None] * row.multiplier[1:]
            for j, value in row.row.plan.items():
                members = column[j] >= 0
                total = (value * row.multiplier).sum(axis=1)[members]
                plan += np.bincount(column[j][members], weights=total, minlength=plan.size)
        for k, spanning in enumerate(self.terms.spanning):
            flow += spanning.flow * self.spanning_multiplier[k]
            if spanning.energy.any():
                energy += spanning.energy * self.spanning_multiplier[k]
            plan += self.terms.spanning_plan[k] @ self.spanning_multiplier[k]
        return flow, energy, plan + self.terms.plan_matrix.T @ self.plan_rows_dual

    # --- Newton -------------------------------------------------------------------------------------------

    def weights(self) -> Weights:
        """The matrix of the Newton system."""
        kinds, count = len(self.terms.spanning), self._shape[1]
        spanning = np.zeros((count, kinds, kinds))
        self._stiff = [box.weight() for box in self.boxes]
        for k, over in enumerate(self.spanning_overs):
            spanning[:, k, k] -= 1.0 / self._stiff[4][k] + (over.give() if over is not None else 0.0)
            if over is not None and over.any_loss and k != kinds - 1:
                spanning[:, k, -1] += over.give() * over.loss
                spanning[:, -1, k] += over.give() * over.loss
        if self._averse:
            for over in self._losing():
                give = (over.loss**2 * over.give()).reshape(-1, count)
                spanning[:, -1, -1] -= give.sum(axis=0)
        plan = np.diag(self._stiff[2] * ~self.plan.fixed)
        plan = plan + self.terms.plan_matrix.T @ (self._stiff[3][:, None] * self.terms.plan_matrix)
        rows = [row.weighted(self._tail, stiff) for row, stiff in zip(self.rows, self._stiff[5:], strict=True)]
        flows = [row.flow for row in self.terms.spanning]
        return Weights(
            self._stiff[0], self._stiff[1], plan, ~self.plan.fixed, rows[0], rows[1:], spanning, flows,
            [row.energy for row in self.terms.spanning], self.terms.spanning_plan,
        )  # fmt: skip

    def no_aims(self) -> Aims:
        """Every product to 0 (predictor)."""
        return Aims([Targets()] * len(self.boxes), [0.0] * len(self.overs))

    def second_order(self, last: Directions, target: float) -> Aims:
        """Every product to the target, with what a step of its own adds (corrector)."""
        return Aims([one.second_order(target) for one in last.boxes], [one.second_order(target) for one in last.overs])

    def directions(self, elimination: Elimination, aims: Aims) -> Directions:
        """The step to the aims."""
        pulls = [box.pull(aim) for box, aim in zip(self.boxes, aims.boxes, strict=True)]
        over_pulls = [over.pull(aim) for over, aim in zip(self.overs, aims.overs, strict=True)]
        step = elimination.solve(self._right_hand_side(pulls, over_pulls))
        return self._read_directions(step, pulls, aims)

    def _right_hand_side(self, pulls: Sequence[FloatArray], over_pulls: Sequence[FloatArray]) -> RightHandSide:
        flow, energy, plan = self._reduced()
        flow = -(flow + self.flow.price() + pulls[0])
        energy = -(energy + self.energy.price() + pulls[1])
        plan = -(plan + self.plan.price() + pulls[2])
        rest = self.terms.plan_matrix @ self.plan.value - self.plan_rows.value
        plan -= self.terms.plan_matrix.T @ (self._stiff[3] * rest + pulls[3])
        given = iter(over_pulls)
        rows = []
        loss = np.zeros(self._shape[1])
        for row, pull, stiff in zip(self.rows, pulls[5:], self._stiff[5:], strict=True):
            right = -self._row_residual(row) - pull / stiff
            for over in row.overs:
                moved = next(given)
                right = right + over.sign * moved
                loss += (over.loss * moved).sum(axis=0) if over.any_loss else 0.0
            rows.append(right)
        spanning = -self._spanning_residual() - pulls[4] / self._stiff[4]
        for k, last in enumerate(self.spanning_overs):
            if last is not None:
                moved = next(given)
                spanning[k] += moved
                loss += last.loss * moved if last.any_loss else 0.0
        if self._averse:
            spanning[-1] -= loss
        return RightHandSide(flow, energy, rows[0], rows[1:], plan, spanning.T)

    def _read_directions(self, step: Step, pulls: Sequence[FloatArray], aims: Aims) -> Directions:
        """What goes with the eliminated unknowns: sums of rows, excesses, duals."""
        tail = step.spanning[:, -1] if self._averse else 0.0
        multipliers = [step.balance, *step.rows]
        used = self.terms.plan_matrix @ (self.plan.value + step.plan) - self.plan_rows.value
        changes = [step.flow, step.energy, step.plan, used, (step.spanning.T - pulls[4]) / self._stiff[4]]
        moved = zip(multipliers, pulls[5:], self._stiff[5:], strict=True)
        changes += [(multiplier - pull) / stiff for multiplier, pull, stiff in moved]
        box_steps = zip(self.boxes, changes, aims.boxes, strict=True)
        of_over = [multipliers[k] for k, row in enumerate(self.rows) for _ in row.overs]
        of_over += [step.spanning[:, k] for k, over in enumerate(self.spanning_overs) if over is not None]
        overs = zip(self.overs, of_over, aims.overs, strict=True)
        return Directions(
            step,
            multipliers,
            [box.step(change, aim) for box, change, aim in box_steps],
            [over.step(multiplier, tail, aim) for over, multiplier, aim in overs],
        )

    def reach(self, directions: Directions) -> tuple[float, float]:
        """Longest steps, primal and dual, that keep everything positive."""
        found = [box.reach(step) for box, step in zip(self.boxes, directions.boxes, strict=True)]
        found += [over.reach(step) for over, step in zip(self.overs, directions.overs, strict=True)]
        return min(one[0] for one in found), min(one[1] for one in found)

    def gap(self) -> float:
        """Sum of all products."""
        return sum(box.gap() for box in self.boxes) + sum(over.gap() for over in self.overs)

    def gap_after(self, directions: Directions, primal: float, dual: float) -> float:
        """Sum of all products after a step."""
        total = sum(b.gap_after(s, primal, dual) for b, s in zip(self.boxes, directions.boxes, strict=True))
        return total + sum(o.gap_after(s, primal, dual) for o, s in zip(self.overs, directions.overs, strict=True))

    def move(self, directions: Directions, primal: float, dual: float) -> None:
        """Take a step."""
        for box, box_step in zip(self.boxes, directions.boxes, strict=True):
            box.move(box_step, primal, dual)
        for over, over_step in zip(self.overs, directions.overs, strict=True):
            over.move(over_step, primal, dual)
        for row, change in zip(self.rows, directions.multipliers, strict=True):
            row.multiplier = row.multiplier + dual * change
        self.spanning_multiplier = self.spanning_multiplier + dual * directions.step.spanning.T
        self.plan_rows_dual = self.plan_rows.price()

    def cost(self) -> float:
        """What the plan and the dispatch cost, excesses not counted."""
        cost = (self.terms.flow_cost * self.flow.value).sum() + (self.terms.energy_cost * self.energy.value).sum()
        return float(cost + self.terms.plan_cost @ self.plan.value)

    def duals(self) -> Duals:
        """The multipliers as prices of the programme's rows."""
        programme = self.programme
        rows = np.zeros(programme.row_upper.shape)
        for row in self.rows:
            rows[:, programme.path.rows[row.row.name]] = -row.multiplier.T
        tail, seen = np.zeros(self._shape[1]), dict.fromkeys(programme.path.rows, 0)
        for spanning, multiplier in zip(self.terms.spanning, self.spanning_multiplier, strict=True):
            if spanning.name == TAIL:
                tail = multiplier
            else:
                rows[:, programme.path.rows[spanning.name].start + seen[spanning.name]] = -multiplier
                seen[spanning.name] += 1
        return Duals(rows, -self.plan_rows_dual, tail)
