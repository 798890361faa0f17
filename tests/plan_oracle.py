"""Rules of services read anew from rows of a plan, half-hour by half-hour, in plain arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
from ancillary_cases import ALL, BINDING_FROM, DURATION_H, RECOVERY, RESPONSE, is_low, path_by_hand, service

from bess_pipeline import gb_time
from bess_pipeline.trading.gate_problem import GateInputs

NEAR = 2e-5  # MW and MWh
SPLIT_FROM = date(2023, 11, 2)
HALF_HOURS = {46: date(2023, 3, 26), 48: date(2023, 10, 11), 50: date(2022, 10, 30)}  # days before the split


def expected_energy(inputs: GateInputs, code: str, period: int) -> float:
    """MWh that a MW is expected to deliver in a half-hour of the day, by the scenarios of its own stream."""
    values = inputs.scenarios.value[f"activation_{code}"][:, period]
    weights = inputs.scenarios.probability
    return sum(float(w) * float(v) for w, v in zip(weights, values, strict=True))


def efa_key(instant: datetime) -> tuple[date, int]:
    """EFA day and block by the London clock."""
    local = instant.astimezone(gb_time.LONDON)
    day = local.date() + timedelta(days=1) if local.hour == 23 else local.date()
    return day, (local.hour + 1) % 24 // 4


def broken_rules(rows: pd.DataFrame, inputs: GateInputs, *, sold_is_dispatched: bool = True) -> list[str]:
    """Every rule that a plan of response breaks; inputs: with scenarios of the energy of every product."""
    found: list[str] = []
    half_hours = rows.sort_values("start_utc").to_dict("records")
    battery, day = inputs.battery, inputs.efa_date
    needed = _requirements(half_hours, inputs)
    share = {code: RECOVERY[service(code)] if day >= BINDING_FROM else 0.0 for code in RESPONSE}
    energy, discharged = float(inputs.opening_energy_mwh), 0.0  # type: ignore[arg-type]
    for t, row in enumerate(half_hours):
        mw = {code: row[f"{code.lower()}_mw"] for code in RESPONSE}
        low, high = ({c: v for c, v in mw.items() if is_low(c) is side} for side in (True, False))
        export = sum(v * expected_energy(inputs, c, t) for c, v in low.items())
        taken = sum(v * expected_energy(inputs, c, t) for c, v in high.items())
        checks = {
            "both flows": min(row["charge_mw"], row["discharge_mw"]),
            "discharge rating": row["discharge_mw"] + sum(low.values()) + sum(share[c] * high[c] for c in high) - 50.0,
            "charge rating": row["charge_mw"] + sum(high.values()) + sum(share[c] * low[c] for c in low) - 50.0,
            "energy for low": needed[t][0] - battery.discharge_efficiency * (energy - 5.0),
            "room for high": needed[t][1] - (95.0 - energy) / battery.charge_efficiency,
            "usable energy": sum(v * DURATION_H[service(c)] for c, v in mw.items()) - 90.0,
        }
        if sold_is_dispatched:
            checks["imbalance"] = abs(row["discharge_mw"] - row["charge_mw"] - row["day_ahead_mw"]) - 2.5
        energy += battery.charge_efficiency * (0.5 * row["charge_mw"] + taken)
        energy -= (0.5 * row["discharge_mw"] + export) / battery.discharge_efficiency
        discharged += 0.5 * row["discharge_mw"]
        checks |= {"state": abs(energy - row["energy_mwh"]), "empty": 5.0 - energy, "full": energy - 95.0}
        found += [f"{name} at {t}: {amount:.6f}" for name, amount in checks.items() if amount > NEAR]
        found += [f"{c} of {v} MW at {t}" for c, v in mw.items() if v != int(v) or not 0 <= v <= 100]
    found += [] if discharged <= 1.5 * 90.0 + NEAR else [f"{discharged} MWh discharged"]
    return found + _blocks(half_hours, day)


def _requirements(half_hours: list[dict[Any, Any]], inputs: GateInputs) -> list[tuple[float, float]]:
    """Energy that low and high contracts require at the start of each half-hour, one EFA block after the other."""
    keys = [efa_key(row["start_utc"].to_pydatetime().astimezone(UTC)) for row in half_hours]
    sides: list[list[float]] = []
    for side in (True, False):
        codes, required = [c for c in RESPONSE if is_low(c) is side], []
        for key in dict.fromkeys(keys):
            within = [t for t, one in enumerate(keys) if one == key]
            mw = {c: half_hours[within[0]][f"{c.lower()}_mw"] for c in codes}
            volume = sum(mw[c] * DURATION_H[service(c)] for c in codes)
            delivered = [sum(mw[c] * expected_energy(inputs, c, t) for c in codes) for t in within]
            required += [max(one, 0.0) for one in path_by_hand(volume, delivered)]
        sides.append(required)
    return list(zip(*sides, strict=True))


def _blocks(half_hours: list[dict[Any, Any]], day: date) -> list[str]:
    found, held = [], dict[tuple[date, int], dict[str, float]]()
    for row in half_hours:
        mw = {code: row[f"{code.lower()}_mw"] for code in RESPONSE}
        key = efa_key(row["start_utc"].to_pydatetime())
        if held.setdefault(key, mw) != mw:
            found.append(f"response changes within block {key}")
        if abs(row["day_ahead_mw"] * 10 - round(row["day_ahead_mw"] * 10)) > NEAR:
            found.append(f"{row['day_ahead_mw']} MW is not in steps of 0.1 MW")
        found += [f"{code} is offered" for code in ALL if code not in RESPONSE and row[f"{code.lower()}_mw"] != 0]
    for key, mw in held.items():
        services = {service(code) for code, volume in mw.items() if volume > 0}
        if day < SPLIT_FROM and len(services) > 1:
            found.append(f"{sorted(services)} share block {key}")
    return found
