"""The battery's condition on a trading day: what outages leave of its power, and wear of its energy.

What belongs here: the calendar's days and the wear carried from day to day, through the lake, and the limits
that follow from both; the table `risk/degradation`. What does not: the calendar's form (`availability.py`), the
wear model (`battery/degradation.py`) and the order of a day's steps (`replay.py`).

Wear after a day is stamped on the partition of `trading/dispatch`, with the wear it started from, so that a
day's row of `risk/degradation` needs no other day. Where `[degradation] fade_limits_energy` is set, the state of
health after a day scales the energy of the next one: planned after planned days, dispatched after dispatched
ones. The perfect-foresight bound holds the energy of the first day of its run, which only raises it; its
dispatch has that energy too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

import numpy as np
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.battery.cycle_counting import count_cycles
from bess_pipeline.battery.degradation import ReplacementCost, WearState, accrue
from bess_pipeline.battery.limits import Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.settings import Settings
from bess_pipeline.trading.availability import TABLE as AVAILABILITY
from bess_pipeline.trading.availability import available, calendar_days, known_vintage, read_calendar
from bess_pipeline.trading.dispatch import closing_energy_mwh
from bess_pipeline.trading.stamps import CASHFLOW, DISPATCH

DEGRADATION = "risk/degradation"


NEW = WearState()


@dataclass(frozen=True)
class Opening:
    """State at 23:00 before a day: energy, start of its chain and wear, or the reason why there is none."""

    energy_mwh: float | None
    chain_start: date | None
    reason: str = ""
    wear: WearState = NEW


class Condition:
    """Outages and wear of one workspace's battery under one set of settings."""

    def __init__(self, settings: Settings, lake: Lake) -> None:
        self.settings = settings
        self.lake = lake
        self.new_battery = Battery.from_settings(settings.battery)
        self._outages: dict[date, pd.DataFrame] = {}

    @cached_property
    def calendar(self) -> pd.DataFrame:
        """The outages of the user's file; UserInputError when it cannot be used."""
        return read_calendar(self.settings.trading.availability_file)

    # --- outages

    def record_availability(self, days: Iterable[date], stamp: Mapping[str, str]) -> int:
        """Write `trading/availability` of `days` from the calendar; the number of rows."""
        frames = calendar_days(self.calendar, days)
        self._outages.clear()
        return self._write(
            AVAILABILITY, frames, stamp, {day: known_vintage(rows) or "no outage" for day, rows in frames.items()}
        )

    def outages(self, day: date) -> pd.DataFrame:
        """The outages of a day as recorded, or where that was never done, of the calendar."""
        if day not in self._outages:
            recorded = self.lake.has(AVAILABILITY, day)
            self._outages[day] = (
                self.lake.read(AVAILABILITY, day, day) if recorded else calendar_days(self.calendar, [day])[day]
            )
        return self._outages[day]

    def availability(self, day: date, gate_utc: datetime | None = None) -> Availability:
        """Available fractions of a day's half-hours, by what was announced at the gate, or in truth."""
        return available(self.outages(day), gb_time.efa_half_hours(day), gate_utc)

    def vintage(self, day: date, gate_utc: datetime | None = None) -> str:
        """Which outages a result of the day stands on, for its stamp."""
        return known_vintage(self.outages(day), gate_utc)

    def calendar_holds(self, day: date, stamped: str, gate_utc: datetime | None = None) -> bool:
        """True when the calendar says today what a result was stamped with (`vintage`)."""
        return known_vintage(calendar_days(self.calendar, [day])[day], gate_utc) == stamped

    # --- wear

    @property
    def initial_wear(self) -> WearState:
        """The wear that a chain of days starts from."""
        wear = self.settings.degradation
        return WearState.of_fade(wear.initial_calendar_fade, wear.initial_cycle_fade)

    def battery(self, wear: WearState) -> Battery:
        """The battery of a day that starts with this wear: its energy scaled where the setting says so."""
        if not self.settings.degradation.fade_limits_energy:
            return self.new_battery
        return replace(self.new_battery, energy_mwh=self.new_battery.energy_mwh * wear.state_of_health)

    def start(self, wear: WearState, energy_mwh: float, held_mwh: str | None = None) -> tuple[Battery, float]:
        """The battery of a day and the state it opens with: energy above what fade has left is lost with it.

        held_mwh: the capacity that a bound holds through its run, as stamped on its plan.
        """
        battery = self.battery(wear)
        if held_mwh:
            battery = replace(battery, energy_mwh=float(held_mwh))
        return battery, min(energy_mwh, battery.energy_max_mwh)

    def wear_after(self, wear: WearState, opening_energy_mwh: float, rows: pd.DataFrame) -> WearState:
        """The wear after a day whose plan or dispatch `rows` (one strategy) are given."""
        after, _ = accrue(wear, self._soc(opening_energy_mwh, rows), gb_time.HALF_HOUR_H, self._temperature)
        return after

    def state_stamp(self, strategy: str, opening: Opening, rows: pd.DataFrame) -> dict[str, str]:
        """State and wear of a strategy before and after a day whose plan or dispatch are `rows`, for a stamp."""
        wear = self.wear_after(opening.wear, opening.energy_mwh or 0.0, rows)
        return {
            f"opening.{strategy}": repr(opening.energy_mwh),
            f"closing.{strategy}": repr(closing_energy_mwh(rows)),
            f"chain_start.{strategy}": opening.chain_start.isoformat() if opening.chain_start else "",
            f"wear_before.{strategy}": opening.wear.to_text(),
            f"wear.{strategy}": wear.to_text(),
        }

    def carried(self, strategy: str, stamp: Mapping[str, str], day: date) -> Opening | None:
        """What a strategy carries on from a `day` with this stamp; None where it has no closing state."""
        if not stamp.get(f"closing.{strategy}"):
            return None
        chain = stamp.get(f"chain_start.{strategy}") or day.isoformat()
        wear = stamp.get(f"wear.{strategy}")
        state = WearState.from_text(wear) if wear else self.initial_wear
        return Opening(float(stamp[f"closing.{strategy}"]), date.fromisoformat(chain), wear=state)

    def chain_start(self, day: date) -> Opening:
        """What a chain that starts on a day opens with."""
        return Opening(self.new_battery.initial_energy_mwh, day, wear=self.initial_wear)

    def write_degradation(self, days: Sequence[date], stamp: Mapping[str, str]) -> int:
        """Write `risk/degradation` of `days`, each from its own dispatch and cash; the number of rows."""
        frames, inputs = {}, {}
        for day in days:
            paid = self.lake.stamp(CASHFLOW, day)
            cash = self.lake.read(CASHFLOW, day, day)
            charged = -cash[cash["stream"] == "wear"].groupby("strategy")["amount_gbp"].sum()
            rows, dispatched = [], ""
            for table in (DISPATCH, MARKET_DISPATCH):
                made = self.lake.stamp(table, day)
                dispatched += made.get("inputs", "")
                rows += [
                    self._row(day, str(strategy), own, made, float(charged.get(strategy, 0.0)))
                    for strategy, own in self.lake.read(table, day, day).groupby("strategy", sort=True)
                ]
            frames[day] = pd.DataFrame(rows) if rows else schemas.empty_frame(DEGRADATION)
            inputs[day] = dispatched + paid.get("inputs", "")
        return self._write(DEGRADATION, frames, stamp, inputs)

    def _write(
        self, table: str, frames: dict[date, pd.DataFrame], stamp: Mapping[str, str], inputs: Mapping[date, str]
    ) -> int:
        stamps = {day: {**stamp, "inputs": inputs[day]} for day in frames}
        for refusal in self.lake.write_days(table, frames, stamps).values():
            raise refusal
        return sum(len(frame) for frame in frames.values())

    def _row(
        self, day: date, strategy: str, rows: pd.DataFrame, made: Mapping[str, str], plan_cost_gbp: float
    ) -> dict[str, object]:
        if f"wear_before.{strategy}" not in made:
            raise UserInputError(f"{DISPATCH} of {day} was made before wear was carried along: run that day again")
        before = WearState.from_text(made[f"wear_before.{strategy}"])
        soc = self._soc(float(made[f"opening.{strategy}"]), rows)
        after, _ = accrue(before, soc, gb_time.HALF_HOUR_H, self._temperature)
        wear, energy = self.settings.degradation, self.new_battery.energy_mwh
        price = ReplacementCost(wear.replacement_cost_gbp_per_kwh, wear.end_of_life_state_of_health)
        calendar_gbp = price.of_life(after.calendar_squared - before.calendar_squared, energy)
        cycle_gbp = price.of_life(after.cycle_life_squared - before.cycle_life_squared, energy)
        charged, discharged = (float(rows[name].sum()) * gb_time.HALF_HOUR_H for name in ("charge_mw", "discharge_mw"))
        charged += float(rows["activation_import_mwh"].sum())
        discharged += float(rows["activation_export_mwh"].sum())
        return {
            "efa_date": day,
            "strategy": strategy,
            "equivalent_cycles": discharged / self.new_battery.usable_energy_mwh,
            "throughput_mwh": charged + discharged,
            "max_depth": float(count_cycles(soc, gb_time.HALF_HOUR_H).depth.max(initial=0.0)),
            "calendar_fade": after.calendar_fade - before.calendar_fade,
            "cycle_fade": after.cycle_fade - before.cycle_fade,
            "state_of_health": after.state_of_health,
            "calendar_cost_gbp": calendar_gbp,
            "cycle_cost_gbp": cycle_gbp,
            "cost_gbp": calendar_gbp + cycle_gbp,
            "plan_cost_gbp": plan_cost_gbp + 0.0,
        }

    def _soc(self, opening_energy_mwh: float, rows: pd.DataFrame) -> np.ndarray:
        """States of charge of the new capacity, from the opening to the end of each half-hour."""
        energy = rows.sort_values("start_utc")["energy_mwh"].to_numpy(dtype="float64")
        return np.append(opening_energy_mwh, energy) / self.new_battery.energy_mwh

    @property
    def _temperature(self) -> float:
        return self.settings.degradation.cell_temperature_c
