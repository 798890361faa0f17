"""Battery parameters: derived limits, files without house defaults, refusals in one sentence."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bess_pipeline.battery.parameters import Battery, read_battery_file
from bess_pipeline.battery_settings import BatterySettings
from bess_pipeline.errors import UserInputError

LIMITS = ("import_limit_mw", "export_limit_mw", "ramp_limit_mw_per_hour")
LIMITS += ("max_throughput_mwh_per_day", "warranty_cycles")


def _file(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_derived_energies() -> None:
    battery = Battery(energy_mwh=200, soc_min=0.1, soc_max=0.9, initial_soc=0.5, final_soc=0.25)
    assert battery.energy_min_mwh == pytest.approx(20)
    assert battery.energy_max_mwh == pytest.approx(180)
    assert battery.usable_energy_mwh == pytest.approx(160)
    assert battery.initial_energy_mwh == 100
    assert battery.final_energy_mwh == 50


def test_settings_carry_the_house_defaults() -> None:
    battery = Battery.from_settings(BatterySettings())
    assert (battery.power_mw, battery.energy_mwh, battery.max_cycles_per_day) == (50, 100, 1.5)
    assert battery.round_trip_efficiency == pytest.approx(0.88)
    assert battery.final_soc == battery.initial_soc == 0.5


def test_settings_keep_a_final_state_of_their_own() -> None:
    assert Battery.from_settings(BatterySettings(initial_soc=0.5, final_soc=0.2)).final_energy_mwh == pytest.approx(20)


def test_an_absent_key_is_no_limit_and_no_loss(tmp_path: Path) -> None:
    battery = read_battery_file(_file(tmp_path, "energy_mwh = 10\n"))
    assert battery == Battery(energy_mwh=10.0)
    assert math.isinf(battery.power_mw)
    assert battery.round_trip_efficiency == 1.0
    assert battery.max_cycles_per_day is None
    assert battery.degradation_cost_gbp_per_mwh == 0.0
    assert (battery.self_discharge_per_hour, battery.auxiliary_mw, battery.cycle_depth_cost_gbp_per_mwh) == (0, 0, ())
    for key in LIMITS:
        assert getattr(battery, key) is None
    assert (battery.initial_energy_mwh, battery.final_energy_mwh, battery.usable_energy_mwh) == (0.0, 0.0, 10.0)


def test_a_file_may_use_a_battery_table(tmp_path: Path) -> None:
    text = "[battery]\nenergy_mwh = 4\npower_mw = 2\nsoc_min = 0.1\nsoc_max = 0.9\nmax_cycles_per_day = 1\n"
    battery = read_battery_file(_file(tmp_path, text))
    assert (battery.power_mw, battery.max_cycles_per_day) == (2.0, 1.0)
    assert battery.initial_soc == battery.final_soc == 0.1  # absent: the lowest state, and back to it


def test_losses_limits_and_depth_costs_come_from_a_file_and_from_settings(tmp_path: Path) -> None:
    values = {"self_discharge_per_hour": 0.001, "auxiliary_mw": 0.2, "cycle_depth_cost_gbp_per_mwh": (1.0, 2.5)}
    values |= {key: 3.0 + k for k, key in enumerate(LIMITS)}
    lines = [f"{key} = {list(value) if isinstance(value, tuple) else value}" for key, value in values.items()]
    from_file = read_battery_file(_file(tmp_path, "\n".join(["energy_mwh = 4", *lines])))
    from_settings = Battery.from_settings(BatterySettings(**values))
    for battery in (from_file, from_settings):
        assert {key: getattr(battery, key) for key in values} == values
    assert hash(from_file) != hash(from_settings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("power_mw = 2", "has no energy_mwh"),
        ("energy_mwh = 4\npower = 2", "unknown key power:"),
        ("energy_mwh = 4\npower_mw = 'two'", "power_mw = 'two' is not a number"),
        ("energy_mwh = 4\npower_mw = true", "power_mw = True is not a number"),
        ("energy_mwh = 4\npower_mw = inf", "leave the key out for no limit"),
        ("energy_mwh = 4\npower_mw = 0", "power_mw 0 must be above 0"),
        ("energy_mwh = 0", "energy_mwh 0 must be above 0"),
        ("energy_mwh = nan", "energy_mwh = nan is not finite"),
        ("energy_mwh = 4\nsoc_min = 0.9\nsoc_max = 0.9", "soc_min 0.9 must be below soc_max 0.9"),
        ("energy_mwh = 4\nsoc_max = 1.1", "soc_max 1.1 must lie between 0 and 1"),
        ("energy_mwh = 4\ninitial_soc = 0.05\nsoc_min = 0.1", "initial_soc 0.05 must lie between"),
        ("energy_mwh = 4\nfinal_soc = 2", "final_soc 2 must lie between"),
        ("energy_mwh = 4\ncharge_efficiency = 0", "charge_efficiency 0 must be above 0"),
        ("energy_mwh = 4\ndischarge_efficiency = 1.2", "discharge_efficiency 1.2 must be above 0 and at most 1"),
        ("energy_mwh = 4\ndegradation_cost_gbp_per_mwh = -1", "degradation_cost_gbp_per_mwh -1 must be 0 or more"),
        ("energy_mwh = 4\nmax_cycles_per_day = 0", "max_cycles_per_day 0 must be above 0"),
        ("energy_mwh = 4\nself_discharge_per_hour = 1", "self_discharge_per_hour 1 must be 0 or more and below 1"),
        ("energy_mwh = 4\nauxiliary_mw = -1", "auxiliary_mw -1 must be 0 or more"),
        ("energy_mwh = 4\nimport_limit_mw = -1", "import_limit_mw -1 must be 0 or more and finite"),
        ("energy_mwh = 4\nexport_limit_mw = -1", "export_limit_mw -1 must be 0 or more and finite"),
        ("energy_mwh = 4\nramp_limit_mw_per_hour = 0", "ramp_limit_mw_per_hour 0 must be above 0"),
        ("energy_mwh = 4\nmax_throughput_mwh_per_day = 0", "max_throughput_mwh_per_day 0 must be above 0"),
        ("energy_mwh = 4\nwarranty_cycles = -2", "warranty_cycles -2 must be above 0"),
        ("energy_mwh = 4\ncycle_depth_cost_gbp_per_mwh = 2", "= 2 is not a list of numbers"),
        ("energy_mwh = 4\ncycle_depth_cost_gbp_per_mwh = ['a']", "cycle_depth_cost_gbp_per_mwh = 'a' is not a number"),
        ("energy_mwh = 4\ncycle_depth_cost_gbp_per_mwh = [1, nan]", "cycle_depth_cost_gbp_per_mwh = nan is not finite"),
        ("energy_mwh = 4\ncycle_depth_cost_gbp_per_mwh = [-1]", "-1 of segment 1 must be 0 or more"),
        ("energy_mwh = 4\ncycle_depth_cost_gbp_per_mwh = [2, 1]", "1 of segment 2 must not be below 2"),
        ("energy_mwh = ", "is not valid TOML"),
        ("soc_max = 0.9\n[battery]\nenergy_mwh = 4", "not both"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(UserInputError) as caught:
        read_battery_file(path)
    message = str(caught.value)
    assert words in message
    assert str(path) in message
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"none\.toml cannot be read: No such file"):
        read_battery_file(tmp_path / "none.toml")
