"""Parameters of a battery and where they are read from.

What belongs here: the frozen `Battery`, its derived limits, and its two sources (settings and a TOML
file). What does not: what happens to its state of energy over time (`physics.py`) and the house
defaults (`battery_settings.BatterySettings`): a battery file never inherits those.

Powers and throughput are on the AC side, stored energy on the DC side (domain reference 7.1).
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bess_pipeline.battery_settings import BatterySettings, impossible_depth_cost
from bess_pipeline.errors import UserInputError

_LIST_KEY = "cycle_depth_cost_gbp_per_mwh"
_POSITIVE_LIMITS = ("max_cycles_per_day", "ramp_limit_mw_per_hour", "max_throughput_mwh_per_day", "warranty_cycles")


@dataclass(frozen=True)
class Battery:
    """One battery. Absent limits are infinite (`power_mw`) or None (all others); absent losses and costs are 0.

    power_mw: rating for charge and for discharge, AC, MW; may be infinite.
    energy_mwh: stored energy at a state of charge of 1, MWh.
    charge_efficiency, discharge_efficiency: fractions in (0, 1].
    soc_min, soc_max, initial_soc, final_soc: fractions of `energy_mwh`.
    degradation_cost_gbp_per_mwh: wear per MWh charged and per MWh discharged, AC.
    max_cycles_per_day: discharged MWh over usable MWh in a London calendar day; None = no limit.
    self_discharge_per_hour: fraction of the stored energy lost in an hour, in [0, 1).
    auxiliary_mw: load fed from the store at all times, MW on the DC side.
    import_limit_mw, export_limit_mw: of the grid connection, AC, MW; None = the rating alone limits.
    ramp_limit_mw_per_hour: largest change of net export (discharge - charge) from one period to the next,
        per hour between the starts of both, MW; None = no limit.
    max_throughput_mwh_per_day: charged + discharged, AC, in a London calendar day; None = no limit.
    warranty_cycles: discharged MWh over usable MWh in the whole horizon of a problem; None = no budget.
    cycle_depth_cost_gbp_per_mwh: cost per MWh discharged (AC) from each of J equal depth segments of the
        usable energy, shallowest first, never falling (Xu et al. 2018, domain reference 7.2); empty = none.

    Raises UserInputError, naming the key, when a value is impossible.
    """

    energy_mwh: float
    power_mw: float = math.inf
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    soc_min: float = 0.0
    soc_max: float = 1.0
    initial_soc: float = 0.0
    final_soc: float = 0.0
    degradation_cost_gbp_per_mwh: float = 0.0
    max_cycles_per_day: float | None = None
    self_discharge_per_hour: float = 0.0
    auxiliary_mw: float = 0.0
    import_limit_mw: float | None = None
    export_limit_mw: float | None = None
    ramp_limit_mw_per_hour: float | None = None
    max_throughput_mwh_per_day: float | None = None
    warranty_cycles: float | None = None
    cycle_depth_cost_gbp_per_mwh: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for message in (
            _impossible_value(self),
            _impossible_loss(self),
            _impossible_limit(self),
            _impossible_state(self),
        ):
            if message is not None:
                raise UserInputError(f"impossible battery: {message}")

    @classmethod
    def from_settings(cls, settings: BatterySettings) -> Battery:
        """The battery of a workspace's settings; an absent final_soc is the initial one."""
        values = settings.model_dump()
        if values["final_soc"] is None:
            values["final_soc"] = values["initial_soc"]
        return cls(**values)

    @property
    def energy_min_mwh(self) -> float:
        """Lowest stored energy, MWh."""
        return self.soc_min * self.energy_mwh

    @property
    def energy_max_mwh(self) -> float:
        """Highest stored energy, MWh."""
        return self.soc_max * self.energy_mwh

    @property
    def usable_energy_mwh(self) -> float:
        """Stored energy between soc_min and soc_max, MWh."""
        return self.energy_max_mwh - self.energy_min_mwh

    @property
    def initial_energy_mwh(self) -> float:
        """Stored energy a chain starts from, MWh."""
        return self.initial_soc * self.energy_mwh

    @property
    def final_energy_mwh(self) -> float:
        """Stored energy a horizon ends with, MWh."""
        return self.final_soc * self.energy_mwh

    @property
    def round_trip_efficiency(self) -> float:
        """AC to AC, fraction."""
        return self.charge_efficiency * self.discharge_efficiency


def read_battery_file(path: Path) -> Battery:
    """The battery of a TOML file, its keys at the top level or under [battery].

    A key absent from the file means no limit and no loss, never the house default: power unlimited,
    efficiencies 1, state of charge 0 to 1, no wear or other loss, cycles unlimited, initial_soc = soc_min and
    final_soc = initial_soc. `energy_mwh` is required; `cycle_depth_cost_gbp_per_mwh` is a list of numbers.

    Raises UserInputError with one sentence naming the file and the key.
    """
    values = _numbers(path, _table(path))
    if "energy_mwh" not in values:
        raise UserInputError(f"battery file {path} has no energy_mwh: give the energy at 100 % state of charge in MWh")
    values.setdefault("initial_soc", values.get("soc_min", 0.0))
    values.setdefault("final_soc", values["initial_soc"])
    try:
        return Battery(**values)
    except UserInputError as error:
        message = str(error)
    raise UserInputError(f"battery file {path}: {message}")


def _table(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"battery file {path} cannot be read: {error.strerror or error}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"battery file {path} is not valid TOML: {error}"
    else:
        table = document.get("battery", document)
        if not isinstance(table, dict) or ("battery" in document and len(document) > 1):
            raise UserInputError(
                f"battery file {path} must hold its keys either at the top level or in one table [battery], not both"
            )
        return table
    raise UserInputError(message)


def _numbers(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    known = [field.name for field in fields(Battery)]
    for key in table:
        if key not in known:
            raise UserInputError(f"battery file {path} has the unknown key {key}: the keys are {', '.join(known)}")
    return {
        key: _list_of_numbers(path, key, value) if key == _LIST_KEY else _number(path, key, value)
        for key, value in table.items()
    }


def _list_of_numbers(path: Path, key: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise UserInputError(f"battery file {path}: {key} = {value!r} is not a list of numbers such as [2.0, 6.0]")
    return tuple(_number(path, key, number) for number in value)


def _number(path: Path, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserInputError(f"battery file {path}: {key} = {value!r} is not a number")
    if not math.isfinite(value):
        raise UserInputError(f"battery file {path}: {key} = {value} is not finite; leave the key out for no limit")
    return float(value)


def _impossible_value(battery: Battery) -> str | None:
    if not (math.isfinite(battery.energy_mwh) and battery.energy_mwh > 0):
        return f"energy_mwh {battery.energy_mwh:g} must be above 0 and finite"
    if not battery.power_mw > 0:
        return f"power_mw {battery.power_mw:g} must be above 0"
    for key in ("charge_efficiency", "discharge_efficiency"):
        value = getattr(battery, key)
        if not 0 < value <= 1:
            return f"{key} {value:g} must be above 0 and at most 1"
    cost = battery.degradation_cost_gbp_per_mwh
    if not (math.isfinite(cost) and cost >= 0):
        return f"degradation_cost_gbp_per_mwh {cost:g} must be 0 or more and finite"
    return None


def _impossible_loss(battery: Battery) -> str | None:
    if not 0 <= battery.self_discharge_per_hour < 1:
        return f"self_discharge_per_hour {battery.self_discharge_per_hour:g} must be 0 or more and below 1"
    if not (math.isfinite(battery.auxiliary_mw) and battery.auxiliary_mw >= 0):
        return f"auxiliary_mw {battery.auxiliary_mw:g} must be 0 or more and finite"
    return impossible_depth_cost(battery.cycle_depth_cost_gbp_per_mwh)


def _impossible_limit(battery: Battery) -> str | None:
    for key in _POSITIVE_LIMITS:
        value = getattr(battery, key)
        if value is not None and not (math.isfinite(value) and value > 0):
            return f"{key} {value:g} must be above 0 and finite; leave it out for no limit"
    for key in ("import_limit_mw", "export_limit_mw"):
        value = getattr(battery, key)
        if value is not None and not (math.isfinite(value) and value >= 0):
            return f"{key} {value:g} must be 0 or more and finite; leave it out for no limit"
    return None


def _impossible_state(battery: Battery) -> str | None:
    for key in ("soc_min", "soc_max"):
        value = getattr(battery, key)
        if not 0 <= value <= 1:
            return f"{key} {value:g} must lie between 0 and 1"
    if battery.soc_min >= battery.soc_max:
        return f"soc_min {battery.soc_min:g} must be below soc_max {battery.soc_max:g}"
    for key in ("initial_soc", "final_soc"):
        value = getattr(battery, key)
        if not battery.soc_min <= value <= battery.soc_max:
            return f"{key} {value:g} must lie between soc_min {battery.soc_min:g} and soc_max {battery.soc_max:g}"
    return None
