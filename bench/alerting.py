"""alert_service as a process of its own, over a chat that stands in for Slack."""

import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from demo.service import ALERT_SERVICE, Service, running

from devchat import Chat


@contextlib.asynccontextmanager
async def alerting(
    database: str, chat: Chat, policy: Mapping[str, Any], settings: Mapping[str, str] | None = None
) -> AsyncIterator[Service]:
    """Ready. `database` is a URL, `settings` are further variables."""
    with tempfile.TemporaryDirectory(prefix="bench-alerts-") as folder:
        file = Path(folder) / "policy.json"
        file.write_text(json.dumps(policy))  # JSON is YAML
        environment = {
            "ALERT_SERVICE_DATABASE__URL": database,
            "ALERT_SERVICE_POLICY__FILE": str(file),
            "ALERT_SERVICE_SLACK__API_URL": chat.slack_api_url,
            "ALERT_SERVICE_SLACK__TOKEN": chat.settings.token,
            "ALERT_SERVICE_SLACK__SIGNING_SECRET": chat.settings.signing_secret,
            **(settings or {}),
        }
        async with running(environment, ALERT_SERVICE) as service:
            await service.until("/readyz", lambda body: bool(body["ready"]))
            yield service


def conversations(*channels: str) -> dict[str, Any]:
    """Slack channels of these names, for a policy."""
    return {name: {"kind": "slack", "conversation": f"#{name}"} for name in channels}
