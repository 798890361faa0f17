"""A user's mistake: one sentence on stderr, an exit status that is not 0, and nothing written."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from bess_command import Done, run_bess, tree

from bess_pipeline import gb_time
from bess_pipeline.sample_market import MarketServer, MarketTables
from bess_pipeline.workspace import Workspace

BACKFILL = ("backfill", "--from", "2026-03-28", "--to", "2026-03-29")
GOOD_CSV = "start_utc,price_gbp_mwh\n2026-03-28T00:00:00Z,20\n2026-03-28T00:30:00Z,120\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of each test: no settings, no data."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def simulated(folder: Path) -> Path:
    """A workspace that holds simulated data."""
    workspace = Workspace(folder / "simulated")
    workspace.root.mkdir()
    workspace.claim("simulated", "neso_n2ex")
    return workspace.root


@pytest.fixture
def recorded_market() -> Iterator[MarketServer]:
    """A server of recorded tables: three days, made here."""
    days = [date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)]
    starts = gb_time.settlement_half_hours(days[0]).append([gb_time.settlement_half_hours(day) for day in days[1:]])
    prices = gb_time.settlement_columns(starts).assign(start_utc=starts, system_price_gbp_mwh=70.0)
    blocks = [(day, block, *gb_time.efa_block_bounds_utc(day, block)) for day in days for block in range(1, 7)]
    auction = pd.DataFrame(blocks, columns=["efa_date", "efa_block", "delivery_start_utc", "delivery_end_utc"])
    for column in ("delivery_start_utc", "delivery_end_utc"):
        auction[column] = auction[column].astype(gb_time.UTC_DTYPE)
    tables = MarketTables(
        system_price=prices,
        market_index=prices.rename(columns={"system_price_gbp_mwh": "market_index_price_gbp_mwh"}),
        response_auction=auction.assign(product="DCL", clearing_price_gbp_mw_h=2.0, cleared_volume_mw=100.0),
        origin="recorded",
        day_ahead_leg="elexon_mid",
        first_date=days[0],
        last_date=days[-1],
    )
    with MarketServer(tables) as server:
        yield server


def point_at(server: MarketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in server.base_urls.items():
        monkeypatch.setenv(f"BESS_SOURCES__{name.upper()}", url)


def refused(*arguments: object, saying: str, folder: Path, status: int = 1) -> Done:
    """Run the command: it must refuse in one sentence that holds `saying`, and write nothing below `folder`."""
    before = tree(folder)
    result = run_bess(*arguments)
    assert tree(folder) == before
    assert result.status == status
    assert result.out == ""
    (sentence,) = result.err.strip().splitlines()
    assert sentence.startswith("bess: ")
    assert saying in sentence
    return result


COMMANDS = [BACKFILL, ("refresh",), ("demo",), ("doctor",), ("env",), ("plan",), ("report",), ("query", "SELECT 1")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_an_unknown_setting_stops_every_command(folder: Path, monkeypatch: pytest.MonkeyPatch, command: tuple) -> None:
    monkeypatch.setenv("BESS_BATERY__POWER_MW", "10")
    refused(*command, saying="unknown setting BESS_BATERY__POWER_MW in the environment", folder=folder)


SETTINGS = {
    "unknown section": ("[baterry]\npower_mw = 1", "unknown setting baterry"),
    "unknown key": ("[battery]\npower_kw = 1", "unknown setting battery.power_kw"),
    "not TOML": ("[battery\npower_mw = 1", "bess.toml cannot be read as TOML"),
    "soc_min above soc_max": ("[battery]\nsoc_min = 0.9\nsoc_max = 0.2", "soc_min 0.9 must be below soc_max 0.2"),
    "soc_min equal to soc_max": ("[battery]\nsoc_min = 0.5\nsoc_max = 0.5", "soc_min 0.5 must be below soc_max 0.5"),
    "efficiency 0": ("[battery]\ncharge_efficiency = 0", "battery.charge_efficiency = 0 cannot be used"),
    "efficiency above 1": (
        "[battery]\ndischarge_efficiency = 1.2",
        "battery.discharge_efficiency = 1.2 cannot be used",
    ),
    "unknown source": ('[sources]\nday_ahead = "epex"', "sources.day_ahead = 'epex' cannot be used"),
    "naive now": ('[clock]\nnow_utc = "2026-04-12T08:50:00"', "carries no time zone"),
}


@pytest.mark.parametrize(("toml", "saying"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_that_cannot_be_used_is_named(folder: Path, toml: str, saying: str) -> None:
    (folder / "bess.toml").write_text(toml)
    refused(*BACKFILL, saying=saying, folder=folder)


def test_a_settings_file_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BESS_CONFIG", "nowhere.toml")
    refused(*BACKFILL, saying="nowhere.toml named by BESS_CONFIG does not exist", folder=folder)
    monkeypatch.delenv("BESS_CONFIG")
    (folder / "bess.toml").write_bytes(b"\xff\xfe not text")
    refused(*BACKFILL, saying="bess.toml", folder=folder)


@pytest.mark.parametrize(
    ("variable", "value", "saying"),
    [
        ("BESS_BATTERY__SOC_MIN", "0.99", "soc_min 0.99 must be below soc_max 0.95"),
        ("BESS_BATTERY__CHARGE_EFFICIENCY", "1.2", "battery.charge_efficiency"),
        ("BESS_BATTERY__POWER_MW", "plenty", "battery.power_mw = 'plenty'"),
        ("BESS_BATTERY__ENERGY_MWH", "inf", "battery.energy_mwh"),
        ("BESS_SOURCES__MODE", "real", "sources.mode = 'real'"),
        ("BESS_CLOCK__NOW_UTC", "yesterday", "clock.now_utc"),
    ],
)
def test_an_environment_value_that_cannot_be_used_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, saying: str
) -> None:
    monkeypatch.setenv(variable, value)
    refused(*BACKFILL, saying=saying, folder=folder)


DATES = {
    "before data begins": ("2020-12-31", "2021-01-05", "2020-12-31 is before data begins on 2021-01-01"),
    "in the wrong order": ("2024-01-05", "2024-01-04", "--to 2024-01-04 is before --from 2024-01-05"),
    "to come": ("2095-01-01", "2095-01-02", "2095-01-01 has not ended yet"),
}


@pytest.mark.parametrize(("first", "last", "saying"), DATES.values(), ids=DATES)
def test_days_that_cannot_be_had(folder: Path, first: str, last: str, saying: str) -> None:
    refused("backfill", "--from", first, "--to", last, saying=saying, folder=folder)


def test_days_before_the_sample_market_begins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BESS_SOURCES__MODE", "sample")
    refused(
        "backfill",
        "--from",
        "2025-10-31",
        "--to",
        "2025-11-02",
        folder=folder,
        saying="2025-10-31 is before data begins on 2025-11-01",
    )


def test_days_before_recorded_tables_begin(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recorded_market: MarketServer
) -> None:
    point_at(recorded_market, monkeypatch)
    refused(
        "backfill",
        "--from",
        "2024-04-30",
        "--to",
        "2024-05-02",
        folder=folder,
        saying="2024-04-30 is before data begins on 2024-05-01",
    )


def test_the_tables_of_a_replay_that_are_not_there(folder: Path) -> None:
    refused("serve-market", "--tables", "nowhere", saying="nowhere does not exist", folder=folder)
    (folder / "tables").mkdir()
    refused("serve-market", "--tables", "tables", saying="system_price.parquet does not exist", folder=folder)


def test_entsoe_needs_a_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "entsoe")
    for command in (BACKFILL, ("refresh",)):
        refused(*command, saying="needs a token: set ENTSOE_API_TOKEN", folder=folder)


def test_a_port_in_use(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("ui", "serve-market"):
            refused(command, "--port", port, saying=f"port {port} on 127.0.0.1 is in use", folder=folder)


@pytest.mark.parametrize("command", [BACKFILL, ("refresh",), ("ui", "--port", "39999")], ids=lambda command: command[0])
def test_real_data_is_not_added_to_a_simulated_workspace(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    simulated: Path,
    recorded_market: MarketServer,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setenv("BESS_SOURCES__MODE", "live")
    saying = "holds simulated data with day-ahead source neso_n2ex; data of sources mode live cannot be added to it"
    refused("--workspace", simulated, *command, saying=saying, folder=folder)
    monkeypatch.delenv("BESS_SOURCES__MODE")
    point_at(recorded_market, monkeypatch)
    refused("--workspace", simulated, *command, saying="sources mode sample cannot bring recorded data", folder=folder)


def test_another_day_ahead_source_is_not_added_to_a_workspace(
    folder: Path, monkeypatch: pytest.MonkeyPatch, simulated: Path
) -> None:
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "elexon_mid")
    refused("--workspace", simulated, *BACKFILL, saying="day-ahead source elexon_mid cannot be added", folder=folder)


def test_the_demo_is_not_put_into_a_workspace_of_real_data(folder: Path) -> None:
    Workspace(folder / "real").root.mkdir()
    Workspace(folder / "real").claim("live", "neso_n2ex")
    refused("--workspace", folder / "real", "demo", saying="holds live data", folder=folder)


def test_nothing_answers_at_the_given_address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("BESS_SOURCES__ELEXON_BASE_URL", f"{address}/bmrs/api/v1")
    refused(*BACKFILL, saying=f"nothing answers at {address}", folder=folder)


@pytest.mark.parametrize("address", ["not an address", "ftp://127.0.0.1/", "http://"])
def test_an_address_that_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("BESS_SOURCES__ELEXON_BASE_URL", address)
    refused(*BACKFILL, saying="elexon_base_url", folder=folder)


CSVS = {
    "a missing column": ("start_utc,price\n2026-03-28T00:00:00Z,1\n", "prices.csv: no column price_gbp_mwh"),
    "naive times": (GOOD_CSV.replace("Z", ""), "line 2: 2026-03-28T00:00:00 has no time zone"),
    "a gap": (GOOD_CSV + "2026-03-28T02:00:00Z,5\n", "line 4: from 2026-03-28T00:30:00Z to 2026-03-28T02:00:00Z"),
    "a duplicate": (GOOD_CSV + "2026-03-28T00:30:00Z,5\n", "line 4: 2026-03-28T00:30:00Z is there twice"),
    "rows out of order": (GOOD_CSV + "2026-03-27T23:30:00Z,5\n", "line 4: 2026-03-27T23:30:00Z comes after"),
    "a word for a price": (GOOD_CSV + "2026-03-28T01:00:00Z,dear\n", "line 4: 'dear' is not a finite price"),
    "an infinite price": (GOOD_CSV + "2026-03-28T01:00:00Z,inf\n", "line 4: 'inf' is not a finite price"),
    "no row": ("start_utc,price_gbp_mwh\n", "prices.csv: 0 data rows"),
    "nothing": ("", "prices.csv: no column start_utc"),
}


@pytest.mark.parametrize(("content", "saying"), CSVS.values(), ids=CSVS)
def test_a_price_csv_that_cannot_be_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: str, saying: str
) -> None:
    (folder / "prices.csv").write_text(content)
    refused("optimise", "--prices", "prices.csv", "--output", "out.csv", saying=saying, folder=folder)
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "file")
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD_FILE", "prices.csv")
    refused(*BACKFILL, saying=saying, folder=folder)
    monkeypatch.setenv("BESS_SOURCES__MODE", "files")
    refused(*BACKFILL, saying=saying, folder=folder)
    (folder / "good.csv").write_text(GOOD_CSV)
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD_FILE", "good.csv")
    monkeypatch.setenv("BESS_SOURCES__SYSTEM_PRICE_FILE", "prices.csv")
    refused(*BACKFILL, saying=saying, folder=folder)


def test_a_price_csv_that_is_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a_folder").mkdir()
    for path, saying in (("nowhere.csv", "no such file"), ("a_folder", "a_folder: is a directory")):
        refused("optimise", "--prices", path, saying=saying, folder=folder)
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "file")
    refused(*BACKFILL, saying="no price file is set: set [sources] day_ahead_file", folder=folder)
    for path in ("nowhere.csv", "a_folder"):
        monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD_FILE", path)
        refused(*BACKFILL, saying=f"[sources] day_ahead_file: there is no file {path}", folder=folder)


def test_mode_files_needs_the_day_ahead_price_from_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BESS_SOURCES__MODE", "files")
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "neso_n2ex")
    refused(*BACKFILL, saying='set day_ahead = "file"', folder=folder)


def test_a_battery_file_that_cannot_be_used(folder: Path) -> None:
    (folder / "prices.csv").write_text(GOOD_CSV)
    for content, saying in (
        ("energy_mwh = 2\nsoc_min = 0.9\nsoc_max = 0.1", "soc_min 0.9 must be below soc_max 0.1"),
        ("energy_mwh = 2\ncharge_efficiency = 0", "charge_efficiency 0 must be above 0"),
        ("energy_mwh = 2\ndischarge_efficiency = 1.2", "discharge_efficiency 1.2 must be above 0 and at most 1"),
        ("energy_mwh = 2\ncapacity = 3", "unknown key capacity"),
        ("power_mw = 1", "has no energy_mwh"),
        ("energy_mwh = ", "is not valid TOML"),
    ):
        (folder / "battery.toml").write_text(content)
        refused("optimise", "--prices", "prices.csv", "--battery", "battery.toml", saying=saying, folder=folder)
    refused("optimise", "--prices", "prices.csv", "--battery", "nowhere.toml", saying="cannot be read", folder=folder)


def test_a_schedule_cannot_be_written_where_there_is_no_folder_for_it(folder: Path) -> None:
    (folder / "prices.csv").write_text(GOOD_CSV)
    (folder / "battery.toml").write_text("energy_mwh = 2\npower_mw = 1")
    (folder / "taken").mkdir()
    optimise = ("optimise", "--prices", "prices.csv", "--battery", "battery.toml", "--output")
    refused(*optimise, "taken", saying="taken", folder=folder)
    refused(*optimise, "prices.csv/below", saying="prices.csv", folder=folder)


@pytest.mark.parametrize("command", [BACKFILL, ("refresh",), ("ui", "--port", "39998"), ("env",)], ids=lambda c: c[0])
def test_a_workspace_cannot_be_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    (folder / "a_file").write_text("mine")
    monkeypatch.setenv("BESS_WORKSPACE", "a_file")
    monkeypatch.setenv("BESS_SOURCES__MODE", "sample")
    refused(*command, saying="a_file cannot be a workspace", folder=folder)


@pytest.mark.parametrize(
    ("command", "saying"),
    [
        (("plan",), "has no day_ahead_rolling plan for"),
        (("report",), "there is no warehouse"),
        (("query", "SELECT 1"), "there is no warehouse"),
        (("query",), "give either SQL"),
        (("query", "--file", "nowhere.sql"), "there is no SQL file nowhere.sql"),
    ],
)
def test_a_new_workspace_has_nothing_to_show(folder: Path, command: tuple[str, ...], saying: str) -> None:
    refused("--workspace", "new", *command, saying=saying, folder=folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sail",),
        ("backfill", "--from", "2026-13-01", "--to", "2026-03-02"),
        ("backfill", "--from", "yesterday", "--to", "2026-03-02"),
        ("backfill", "--from", "2026-03-01"),
        ("backfill", "--since", "2026-03-01"),
        ("plan", "--date", "29.03.2026"),
        ("plan", "--format", "xml"),
        ("serve-market", "--port", "65536"),
        ("ui", "--port", "0"),
        ("optimise",),
    ],
)
def test_a_wrong_command_line_says_how_it_should_be(folder: Path, arguments: tuple[str, ...]) -> None:
    before = tree(folder)
    result = run_bess(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: bess")
    assert "Error: " in result.err
    assert tree(folder) == before


def test_the_workspace_option_refuses_a_file(folder: Path) -> None:
    (folder / "a_file").write_text("mine")
    result = run_bess("--workspace", "a_file", "plan")
    assert (result.status, result.out) == (2, "")
    assert "'a_file' is a file" in result.err


def test_a_settings_file_that_may_not_be_read(folder: Path) -> None:
    (folder / "bess.toml").mkdir()
    refused(*BACKFILL, saying="bess.toml", folder=folder)
