"""What /readyz of auto_healing says of each dependency."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from auto_healing.policy.file import PolicyFile
from auto_healing.readiness import probes
from common.cluster.snapshot import Source, SourceState
from common.supervisor import Supervisor
from common.web.probes import Probe

STARTING = Source(kind="Pod", state=SourceState.STARTING, reason="cannot reach the server")
FORBIDDEN = Source(kind="Lease", state=SourceState.UNSEEN, reason="may not list leases")
SEEN = Source(kind="Pod", state=SourceState.SYNCED)
REQUIRED = {"cluster", "database", "tasks"}


class Dependency:
    """Says what is wrong with it."""

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason

    async def trouble(self) -> str | None:
        return self.reason


def asked(
    *sources: Source,
    synced: bool = True,
    storage: str | None = None,
    policy: PolicyFile | None = None,
    monitor: Dependency | None = None,
    alerts: Dependency | None = None,
    supervisor: Supervisor | None = None,
    rights: str | None = None,
    notifier: Dependency | None = None,
) -> dict[str, Probe]:
    watch = SimpleNamespace(
        synced=asyncio.Event(), store=SimpleNamespace(sources={source.kind: source for source in sources})
    )
    if synced:
        watch.synced.set()
    found = probes(
        cast("Any", watch),
        supervisor or Supervisor(lambda name: None),
        storage=cast("Any", Dependency(storage)),
        policy=policy,
        rights=cast("Any", Dependency(rights)),
        catch_up=lambda: cast("Any", monitor),
        alerts=cast("Any", alerts),
        notifier=lambda: cast("Any", notifier),
    )
    return {probe.name: probe for probe in found}


@pytest.mark.parametrize(
    ("probe", "name", "reason"),
    [
        pytest.param(
            asked(STARTING, FORBIDDEN, synced=False),
            "cluster",
            "not read yet: Pod: cannot reach the server",
            id="what is not read yet, and why",
        ),
        pytest.param(asked(SEEN), "cluster", None, id="a cluster that is read"),
        pytest.param(
            asked(SEEN, FORBIDDEN), "watch", "Lease is unseen: may not list leases", id="a kind that is forbidden"
        ),
        pytest.param(asked(SEEN), "watch", None, id="everything is seen"),
        pytest.param(asked(storage="no server"), "database", "no server", id="no database"),
        pytest.param(asked(), "health_monitor", None, id="a replica that does not lead, and asks nothing"),
        pytest.param(
            asked(monitor=Dependency("does not answer")), "health_monitor", "does not answer", id="no health_monitor"
        ),
        pytest.param(asked(rights="no evictions"), "rights", "no evictions", id="a missing right"),
        pytest.param(asked(notifier=Dependency("no answer")), "alert_service", "no answer", id="no alert_service"),
        pytest.param(asked(), "alert_service", None, id="nobody is to be told"),
        pytest.param(asked(alerts=Dependency("no alerts")), "alertmanager", "no alerts", id="no Alertmanager"),
    ],
)
async def test_reason(probe: dict[str, Probe], name: str, reason: str | None) -> None:
    assert await probe[name].check() == reason


def test_what_nothing_can_be_decided_or_recorded_without_is_required() -> None:
    assert {name for name, probe in asked(alerts=Dependency()).items() if probe.required} == REQUIRED


def test_what_is_not_configured_is_not_asked() -> None:
    assert not {"alertmanager", "policy"} & set(asked())


async def test_mistakes_of_the_policy_file_are_told_and_leave_the_service_ready(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("{version: 1}", encoding="utf-8")
    policy = PolicyFile.open(path)
    probe = asked(policy=policy)["policy"]
    assert await probe.check() is None

    path.write_text("{version: 1, mode: everything}", encoding="utf-8")
    policy.poll()
    assert "mode" in (await probe.check() or "")
    assert not probe.required


async def test_a_task_that_crashed_makes_the_service_unready() -> None:
    supervisor = Supervisor(lambda name: None, first_pause_seconds=60)

    async def crash() -> None:
        raise RuntimeError

    supervisor.start("healer", crash)
    await asyncio.sleep(0)

    assert await asked(supervisor=supervisor)["tasks"].check() == "healer crashed with RuntimeError"
    await supervisor.stop_all()
