"""The Dagster definitions as text that a person can read, kept in `orchestration/definitions.txt`.

After an intended change: `python tests/definitions_text.py > tests/orchestration/definitions.txt`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg

from bess_pipeline.definitions import build_defs
from bess_pipeline.settings import Settings, load_settings


def settings() -> Settings:
    """The defaults, whatever the environment."""
    return load_settings(workspace="nowhere", sources={"mode": "live"})


def text(definitions: dg.Definitions) -> str:
    """Assets with group, pool, kinds, dependencies and checks; jobs with their assets; schedules."""
    return "\n".join([*_assets(definitions), *_jobs(definitions), *_schedules(definitions)]) + "\n"


def assets(definitions: dg.Definitions) -> dict[str, dg.AssetsDefinition]:
    """Assets by key, in order of key."""
    found = [asset for asset in definitions.assets or () if isinstance(asset, dg.AssetsDefinition)]
    by_key = {key: asset for asset in found for key in asset.keys}
    return {key.to_user_string(): by_key[key] for key in sorted(by_key, key=lambda key: key.path)}


def spec_of(name: str, asset: dg.AssetsDefinition) -> dg.AssetSpec:
    """The specification of the asset `name`, which may be one of several that are made together."""
    return asset.specs_by_key[dg.AssetKey.from_user_string(name)]


def offsets(dep: dg.AssetDep) -> tuple[int, int]:
    """First and last partition offset that a dependency reads; (0, 0) = the same day."""
    mapping = dep.partition_mapping
    if mapping is None:
        return 0, 0
    assert isinstance(mapping, dg.TimeWindowPartitionMapping)
    return mapping.start_offset, mapping.end_offset


def _assets(definitions: dg.Definitions) -> Iterator[str]:
    for name, asset in assets(definitions).items():
        spec = spec_of(name, asset)
        pools = sorted(op.pool for op in asset.node_def.iterate_op_defs() if op.pool)
        yield f"asset {name}"
        yield f"    group {spec.group_name}, pool {', '.join(pools) or 'none'}, kinds {', '.join(sorted(spec.kinds))}"
        for dep in sorted(spec.deps, key=lambda dep: dep.asset_key.path):
            first, last = offsets(dep)
            days = "" if (first, last) == (0, 0) else f" (days {first:+d} to {last:+d})"
            yield f"    from {dep.asset_key.to_user_string()}{days}"
        own = [check for check in asset.check_specs if check.asset_key == spec.key]
        for check in sorted(own, key=lambda check: check.name):
            yield f"    check {check.name}"
        yield ""


def _jobs(definitions: dg.Definitions) -> Iterator[str]:
    graph = definitions.resolve_asset_graph()
    jobs: list[Any] = sorted(definitions.jobs or (), key=lambda job: job.name)
    for job in jobs:
        yield f"job {job.name}"
        yield from (f"    {key.to_user_string()}" for key in sorted(job.selection.resolve(graph)))
        yield ""


def _schedules(definitions: dg.Definitions) -> Iterator[str]:
    for schedule in definitions.schedules or ():
        assert isinstance(schedule, dg.ScheduleDefinition)
        when = f"{schedule.cron_schedule}, {schedule.execution_timezone}"
        yield f"schedule {schedule.name}: job {schedule.job_name}, {when}"


if __name__ == "__main__":
    sys.stdout.write(text(build_defs(settings())))
