"""What /readyz says of each dependency."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.rows import a_snapshot

from common.clock import SystemClock
from common.cluster.snapshot import Source, SourceState
from common.supervisor import Supervisor
from common.web.probes import Probe
from health_monitor.engine.engine import Engine
from health_monitor.monitor import Monitor
from health_monitor.policy.file import PolicyFile
from health_monitor.readiness import probes

STARTING = {"Pod": Source(kind="Pod", state=SourceState.STARTING, reason="cannot reach the server")}
FORBIDDEN = {"Lease": Source(kind="Lease", state=SourceState.UNSEEN, reason="may not list leases")}
SEEN = {"Pod": Source(kind="Pod", state=SourceState.SYNCED)}


def asked(sources: dict[str, Source], *, synced: bool, policy: PolicyFile | None = None) -> dict[str, Probe]:
    monitor = Monitor(cast("Any", None), Engine(a_snapshot()), cast("Any", None), SystemClock())
    if synced:
        monitor.synced.set()
    found = probes(monitor, sources, Supervisor(lambda name: None), storage=None, policy=policy)
    return {probe.name: probe for probe in found}


@pytest.mark.parametrize(
    ("sources", "synced", "name", "reason"),
    [
        pytest.param(
            STARTING, False, "cluster", "not read yet: Pod: cannot reach the server", id="what is not read yet, and why"
        ),
        pytest.param(SEEN, False, "cluster", "everything is read, and is being scored", id="read, but not scored"),
        pytest.param(SEEN, True, "cluster", None, id="scored"),
        pytest.param(FORBIDDEN, True, "watch", "Lease is unseen: may not list leases", id="a kind that is forbidden"),
        pytest.param(
            {kind: Source(kind=kind, state=SourceState.STALE, reason=f"{kind}: no route") for kind in ("Node", "Pod")},
            True,
            "watch",
            "Node is stale, Pod is stale: Node: no route",
            id="kinds that are stale together, with one reason",
        ),
        pytest.param(
            FORBIDDEN, True, "cluster", "nothing of the cluster can be read; may not list leases", id="no rights at all"
        ),
        pytest.param(FORBIDDEN | SEEN, True, "cluster", None, id="one kind of several is forbidden"),
        pytest.param(STARTING, False, "watch", None, id="a view that is still being made"),
        pytest.param(SEEN, True, "watch", None, id="everything is seen"),
    ],
)
async def test_reason(sources: dict[str, Source], synced: bool, name: str, reason: str | None) -> None:
    assert await asked(sources, synced=synced)[name].check() == reason


def test_only_what_scores_cannot_do_without_is_required() -> None:
    required = {name for name, probe in asked(SEEN, synced=True).items() if probe.required}

    assert required == {"cluster", "tasks"}


async def test_mistakes_of_the_policy_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("{version: 1}", encoding="utf-8")
    policy = PolicyFile.open(path)
    probe = asked(SEEN, synced=True, policy=policy)["policy"]
    assert await probe.check() is None

    path.write_text("{version: 1, checks: {nope: {}}}", encoding="utf-8")
    policy.poll()
    assert "nope" in (await probe.check() or "")
    assert not probe.required


async def test_a_task_that_crashed_makes_the_service_unready() -> None:
    supervisor = Supervisor(lambda name: None, first_pause_seconds=60)
    monitor = Monitor(cast("Any", None), Engine(a_snapshot()), cast("Any", None), SystemClock())

    async def crash() -> None:
        raise RuntimeError

    supervisor.start("outbox", crash)
    await asyncio.sleep(0)
    tasks = next(
        probe for probe in probes(monitor, SEEN, supervisor, storage=None, policy=None) if probe.name == "tasks"
    )

    assert await tasks.check() == "outbox crashed with RuntimeError"
    assert tasks.required
    await supervisor.stop_all()
