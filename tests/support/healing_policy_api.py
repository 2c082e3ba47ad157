"""The routes of policy and earned autonomy, in process, over a policy and what is stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
from tests.support.clock import NOON
from tests.support.web import READ_TOKEN, TOKENS, client_of

from auto_healing.api import policy, shadow
from auto_healing.policy import HealingPolicy
from auto_healing.policy.defaults import DEFAULT_POLICY
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings


@asynccontextmanager
async def a_policy_client(
    *,
    holds: HealingPolicy = DEFAULT_POLICY,
    file: Any = None,
    shadows: Any = None,
    token: str | None = READ_TOKEN,
) -> AsyncIterator[httpx.AsyncClient]:
    """The time is NOON. Without `shadows` there is no database."""
    app = create_app(
        "auto_healing",
        "1.0",
        routers=[policy.router, shadow.router],
        authenticator=TOKENS,
        probes=(),
        metrics=ServiceMetrics("auto_healing", "1.0"),
        settings=WebSettings(),
    )
    app.state.services = SimpleNamespace(
        now=lambda: NOON,
        policy=lambda: file.policy if file else holds,
        policy_file=file,
        storage=SimpleNamespace(stored=SimpleNamespace(shadows=shadows) if shadows else None, reason="no database"),
    )
    async with client_of(app, token) as client:
        yield client
