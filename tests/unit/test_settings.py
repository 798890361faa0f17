"""Settings: where a value may come from, what is refused, and what never shows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bess_pipeline import settings as module
from bess_pipeline.errors import UserInputError
from bess_pipeline.settings import Settings, entsoe_token, load_settings

SECRET = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(**overrides: Any) -> str:
    with pytest.raises(UserInputError) as caught:
        load_settings(**overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.__cause__ is None
    return message


def test_defaults() -> None:
    settings = load_settings()
    assert settings.workspace == Path("data/live")
    assert settings.sources.mode is None
    assert settings.sources.day_ahead is None
    assert settings.battery.power_mw == 50.0
    assert settings.battery.charge_efficiency * settings.battery.discharge_efficiency == pytest.approx(0.88)


def test_precedence_from_the_command_line_down_to_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source sets every key below it too; the key's value tells who won."""
    Path("bess.toml").write_text(
        "[battery]\npower_mw = 11\nenergy_mwh = 12\nsoc_min = 0.11\nsoc_max = 0.81\n", encoding="utf-8"
    )
    Path(".env").write_text(
        "BESS_BATTERY__POWER_MW=21\nBESS_BATTERY__ENERGY_MWH=22\nBESS_BATTERY__SOC_MIN=0.22\n", encoding="utf-8"
    )
    monkeypatch.setenv("BESS_BATTERY__POWER_MW", "31")
    monkeypatch.setenv("BESS_BATTERY__ENERGY_MWH", "32")
    battery = load_settings(battery={"power_mw": 41}).battery
    assert (battery.power_mw, battery.energy_mwh, battery.soc_min, battery.soc_max) == (41, 32, 0.22, 0.81)
    assert battery.initial_soc == 0.5


@pytest.mark.parametrize("where", ["environment", ".env", "bess.toml"])
def test_a_section_within_a_section_can_be_set_anywhere(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "environment":
        monkeypatch.setenv("BESS_RISK__LIMITS__VAR_GBP", "5000")
        monkeypatch.setenv("BESS_RISK__STRESS__OUTAGE_HOURS", "6")
    elif where == ".env":
        Path(".env").write_text(
            "BESS_RISK__LIMITS__VAR_GBP=5000\nBESS_RISK__STRESS__OUTAGE_HOURS=6\n", encoding="utf-8"
        )
    else:
        Path("bess.toml").write_text(
            "[risk.limits]\nvar_gbp = 5000\n[risk.stress]\noutage_hours = 6\n", encoding="utf-8"
        )
    risk = load_settings().risk
    assert (risk.limits.var_gbp, risk.stress.outage_hours, risk.limits.cvar_gbp) == (5000, 6, None)


def test_settings_of_risk_change_measures_of_risk_and_nothing_else() -> None:
    usual, other = load_settings(), load_settings(risk={"limits": {"var_gbp": 1.0}})
    assert usual.risk_fingerprint() != other.risk_fingerprint()
    assert usual.risk_fingerprint() != load_settings(seed=1).risk_fingerprint()
    assert usual.risk_fingerprint() != load_settings(ancillary={"availability_factor": 0.9}).risk_fingerprint()
    for name in ("fingerprint", "forecast_fingerprint", "co_optimisation_fingerprint", "market_dispatch_fingerprint"):
        assert getattr(usual, name)() == getattr(other, name)(), name


@pytest.mark.parametrize("where", ["environment", ".env", "bess.toml", "command line"])
def test_the_workspace_can_be_chosen_anywhere(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = {}
    if where == "environment":
        monkeypatch.setenv("BESS_WORKSPACE", "data/x")
    elif where == ".env":
        Path(".env").write_text("BESS_WORKSPACE=data/x\n", encoding="utf-8")
    elif where == "bess.toml":
        Path("bess.toml").write_text('workspace = "data/x"\n', encoding="utf-8")
    else:
        overrides = {"workspace": "data/x"}
    assert load_settings(**overrides).workspace == Path("data/x")


def test_another_settings_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bess.toml").write_text("seed = 1\n", encoding="utf-8")
    Path("other.toml").write_text("seed = 2\n", encoding="utf-8")
    monkeypatch.setenv("BESS_CONFIG", "other.toml")
    assert load_settings().seed == 2
    monkeypatch.setenv("BESS_CONFIG", "absent.toml")
    assert "absent.toml named by BESS_CONFIG does not exist" in refusal()


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("BESS_BATERY__POWER_MW", "'batery'"),
        ("BESS_BATTERY__POWER_KW", "[battery] has"),
        ("BESS_WORKSPCE", "'workspce'"),
        ("BESS_SEED__START", "[seed] has no parts"),
        ("BESS_BATTERY__POWER_MW__X", "[battery.power_mw] has no parts"),
        ("BESS_RISK__LIMIT__VAR_GBP", "[risk] has"),
        ("BESS_RISK__LIMITS__VAR", "[risk.limits] has"),
    ],
)
@pytest.mark.parametrize("where", ["the environment", ".env"])
def test_unknown_names_are_refused(name: str, named: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == ".env":
        Path(".env").write_text(f"{name}=1\n", encoding="utf-8")
    else:
        monkeypatch.setenv(name, "1")
    message = refusal()
    assert message.startswith(f"unknown setting {name} in {where}: ")
    assert named in message


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[battery]\npower_kw = 1\n", "unknown setting battery.power_kw"),
        ("[batery]\npower_mw = 1\n", "unknown setting batery"),
        ("colour = 1\n", "unknown setting colour"),
        ("seed = \n", "bess.toml cannot be read as TOML"),
        ('seed = "x"\n', "seed"),
    ],
)
def test_unknown_or_broken_toml_is_refused(toml: str, named: str) -> None:
    Path("bess.toml").write_text(toml, encoding="utf-8")
    assert named in refusal()


@pytest.mark.parametrize(
    ("battery", "named"),
    [
        ({"soc_min": 0.6, "soc_max": 0.6}, "soc_min 0.6 must be below soc_max 0.6"),
        ({"soc_min": 0.9, "soc_max": 0.1}, "soc_min 0.9 must be below soc_max 0.1"),
        ({"charge_efficiency": 0}, "battery.charge_efficiency"),
        ({"discharge_efficiency": 1.01}, "battery.discharge_efficiency"),
        ({"power_mw": 0}, "battery.power_mw"),
        ({"energy_mwh": -1}, "battery.energy_mwh"),
        ({"energy_mwh": float("inf")}, "battery.energy_mwh"),
        ({"power_mw": float("nan")}, "battery.power_mw"),
        ({"initial_soc": 0.99}, "initial_soc 0.99 must lie between"),
        ({"final_soc": 0.01}, "final_soc 0.01 must lie between"),
        ({"max_cycles_per_day": 0}, "battery.max_cycles_per_day"),
        ({"power_mw": "much"}, "battery.power_mw = 'much'"),
        ({"self_discharge_per_hour": 1}, "battery.self_discharge_per_hour"),
        ({"auxiliary_mw": -1}, "battery.auxiliary_mw"),
        ({"import_limit_mw": -1}, "battery.import_limit_mw"),
        ({"export_limit_mw": -1}, "battery.export_limit_mw"),
        ({"ramp_limit_mw_per_hour": 0}, "battery.ramp_limit_mw_per_hour"),
        ({"max_throughput_mwh_per_day": 0}, "battery.max_throughput_mwh_per_day"),
        ({"warranty_cycles": 0}, "battery.warranty_cycles"),
        ({"cycle_depth_cost_gbp_per_mwh": [2, 1]}, "1 of segment 2 must not be below 2 of the shallower segment"),
    ],
)
def test_impossible_batteries_are_refused(battery: dict[str, Any], named: str) -> None:
    assert named in refusal(battery=battery)


@pytest.mark.parametrize(
    "overrides",
    [
        {"clock": {"now_utc": "2026-04-12T08:50:00"}},
        {"sources": {"mode": "dead"}},
        {"sources": {"day_ahead": "epex"}},
        {"trading": {"history_days": 0}},
        {"data": {"response_result_clock": "14:00"}},  # the auction's own gate
        {"data": {"frequency_publication_days": -1}},
    ],
)
def test_other_impossible_values_are_refused(overrides: dict[str, Any]) -> None:
    section, (key, *_) = next((name, list(value)) for name, value in overrides.items())
    assert f"{section}.{key}" in refusal(**overrides)


def test_now_is_the_setting_in_utc() -> None:
    settings = load_settings(clock={"now_utc": "2026-04-12T10:50:00+01:00"})
    assert settings.now() == datetime(2026, 4, 12, 9, 50, tzinfo=UTC)
    assert settings.now().tzinfo is UTC
    assert load_settings().now().tzinfo is UTC


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().battery.power_mw = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"battery": {"power_mw": 49.0}},
        {"battery": {"degradation_cost_gbp_per_mwh": 4.0}},
        {"trading": {"history_days": 14}},
        {"trading": {"chain_months": True}},
        {"data": {"system_price_lag_minutes": 30}},
        {"data": {"response_result_clock": "16:00"}},
        {"data": {"frequency_publication_days": 20}},
        {"seed": 1},
    ],
)
def test_fingerprint_changes_with_what_changes_a_number(change: dict[str, Any]) -> None:
    assert load_settings(**change).fingerprint() != load_settings().fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"workspace": "data/elsewhere"},
        {"sources": {"elexon_base_url": "http://127.0.0.1:1", "deadline_s": 1.0}},
        {"clock": {"now_utc": "2026-04-12T08:50:00Z"}},
        {"trading": {"chain_starts": ["2024-01-01"], "workers": 2}},
        {"schedule": {"cron": "0 12 * * *"}},
        {"report": {"copy_figures_to": "x"}},
    ],
)
def test_fingerprint_does_not_change_with_anything_else(change: dict[str, Any]) -> None:
    assert load_settings(**change).fingerprint() == load_settings().fingerprint()
    assert len(load_settings().fingerprint()) == 12


def test_the_token_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert entsoe_token() is None
    monkeypatch.setenv("ENTSOE_API_TOKEN", f" {SECRET} ")
    token = entsoe_token()
    assert token is not None
    assert token.get_secret_value() == SECRET
    settings = load_settings()
    for text in (repr(token), str(token), repr(settings), settings.model_dump_json(), settings.fingerprint()):
        assert SECRET not in text


def test_the_token_may_stand_in_the_env_file_beside_other_programs_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(f"ENTSOE_API_TOKEN={SECRET}\nPGHOST=db\nBESS_SEED=7\n", encoding="utf-8")
    settings = load_settings()
    assert settings.seed == 7
    assert SECRET not in repr(settings)
    token = entsoe_token()
    assert token is not None
    assert token.get_secret_value() == SECRET
    monkeypatch.setenv("ENTSOE_API_TOKEN", "from-the-environment")
    assert entsoe_token().get_secret_value() == "from-the-environment"  # type: ignore[union-attr]


def test_an_empty_token_is_no_token() -> None:
    Path(".env").write_text("ENTSOE_API_TOKEN=\n", encoding="utf-8")
    assert entsoe_token() is None


def test_every_setting_has_a_section_known_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name that Settings knows is refused as unknown."""
    for section, field in Settings.model_fields.items():
        for key in getattr(field.annotation, "model_fields", {}):
            module._refuse_unknown_names([f"BESS_{section}__{key}".upper()], "the environment")
