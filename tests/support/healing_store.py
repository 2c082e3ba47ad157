"""Runs as they stand in the table, and the API over what is stored."""

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import APIRouter
from sqlalchemy import insert
from tests.support.clock import NOON

from auto_healing.fault import Fault, FaultLevel
from auto_healing.plan import Decline, Harm, Mode, Plan, Step
from auto_healing.run import Place, Run, RunState
from auto_healing.storage.changes import Changes
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.ledger import Ledger
from auto_healing.storage.manifests import Manifests
from auto_healing.storage.models import run as run_table
from auto_healing.storage.pauses import Pauses
from auto_healing.storage.run_rows import run_values
from common.cluster.store import Store
from common.contracts import Finding, ObjectKey, ObjectRef, Severity
from common.database.connections import Database
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Scope
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token

OWNER = ObjectKey("Deployment", "shop", "checkout")
_TOKENS = {scope: new_token(scope.value, scope) for scope in Scope}
# Of a service that passes on what people decide.
VOUCHING_TOKEN, _VOUCHING = new_token("alerts", Scope.APPROVE, Scope.DELEGATE)


def a_plan(name: str = "checkout-1", **changes: Any) -> Plan:
    """Delete a crash-looping pod; `code`, `action` and `evidence` are of its finding and its step."""
    pod = ObjectRef(kind="Pod", namespace="shop", name=name, uid=f"uid-{name}")
    code, action = changes.pop("code", "pod-crash-loop"), changes.pop("action", "delete-pod")
    finding = Finding(
        code=code,
        object=pod,
        severity=Severity.CRITICAL,
        message="it does not work",
        since=NOON,
        evidence=changes.pop("evidence", {}),
    )
    values: dict[str, Any] = {
        "rule": "crash-loops",
        "mode": Mode.AUTO,
        "fault": Fault(level=FaultLevel.POD, subject=pod.key, findings=(finding,)),
        "target": pod,
        "steps": (Step(action=action, target=pod, harm=Harm.HARMFUL, reason="it crashes"),),
    }
    return Plan(**(values | changes))


def a_stored_run(state: RunState = RunState.HEALED, *, plan: Plan | None = None, **changes: Any) -> Run:
    at: datetime = changes.pop("at", NOON)
    values: dict[str, Any] = {
        "id": uuid4(),
        "plan": plan or a_plan(),
        "state": state,
        "created_at": at,
        "updated_at": at,
        "ended_at": at if state.ended else None,
        "requested_by": "policy",
        "place": Place(owner=OWNER),
    }
    return Run(**(values | changes))


def declined_plan(guard: str) -> Plan:
    return a_plan(declined=(Decline(guard=guard, message="not now"),))


async def store_runs(database: Database, *runs: Run) -> list[UUID]:
    async with database.begin() as connection:
        await connection.execute(insert(run_table), [run_values(run, 0) for run in runs])
    return [run.id for run in runs]


def a_healing_client(
    database: Database,
    routers: Sequence[APIRouter],
    *,
    scope: Scope | None = Scope.ADMIN,
    cluster: Any = None,
    snapshot: Store | None = None,
    acting: bool = True,
) -> httpx.AsyncClient:
    """The routers over a database, in process. The time is NOON; `snapshot` None: the cluster is still being read."""
    app = create_app(
        "auto_healing",
        "1.0",
        routers=routers,
        authenticator=StaticTokens.parse(",".join([_VOUCHING, *(entry for _, entry in _TOKENS.values())])),
        probes=(),
        metrics=ServiceMetrics("auto_healing", "1.0"),
        settings=WebSettings(),
    )
    stored = SimpleNamespace(
        database=database,
        ledger=Ledger(database),
        pauses=Pauses(database),
        evidence=EvidenceStore(database),
        manifests=Manifests(database),
        changes=Changes(database),
    )
    app.state.services = SimpleNamespace(
        cluster_name="test",
        now=lambda: NOON,
        synced=lambda: snapshot is not None,
        snapshot=snapshot,
        cluster=cluster,
        acting=lambda: acting,
        storage=SimpleNamespace(stored=stored, reason=""),
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://test",
        headers={"Authorization": f"Bearer {_TOKENS[scope][0]}"} if scope is not None else {},
    )
