"""`alert-service serve` as a process of its own, with Slack and Teams as strict stand-ins."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml
from tests.support.service import ALERT_SERVICE, Json, Service, free_port, start_program

from devchat import Chat

LINK_KEY = "0123456789abcdef0123456789abcdef"


class AlertService(Service):
    """A running alert_service."""

    program = ALERT_SERVICE

    async def incidents(self, **filters: Any) -> list[Json]:
        """The newest page of them."""
        page: Json = await self.get("incidents", **filters)
        return list(page["items"])

    async def incident(self, alertname: str, state: str = "", **filters: Any) -> Json:
        """The newest of an alert, in that state, waited for."""

        async def there() -> Json | None:
            for each in await self.incidents(**filters):
                if each["labels"].get("alertname") == alertname and state in ("", each["state"]):
                    shown: Json = await self.get(f"incidents/{each['id']}")
                    return shown | shown["incident"]
            return None

        found: Json = await self.eventually(there)
        return found


def chat_settings(chat: Chat, url: str) -> Json:
    """What the service has to know of the stand-ins; `url` is the service's own."""
    channels = chat.settings.channels
    urls = {f"slack-{name}": chat.webhook_url(name) for name in channels}
    urls |= {f"teams-{name}": chat.workflow_url(name) for name in channels}
    urls |= {f"hook-{name}": chat.hook_url(name) for name in channels}
    signing = {f"hook-{name}": chat.settings.hook_secret for name in channels}
    return {
        "SLACK__API_URL": chat.slack_api_url,
        "SLACK__TOKEN": chat.settings.token,
        "SLACK__SIGNING_SECRET": chat.settings.signing_secret,
        "CHANNELS__URLS": msgspec.json.encode(urls).decode(),
        "CHANNELS__SIGNING_SECRETS": msgspec.json.encode(signing).decode(),
        "LINKS__URL": url,
        "LINKS__KEYS": f"k1:{LINK_KEY}",
    }


@asynccontextmanager
async def alert_service(
    database_url: str,
    policy: Json | str,
    chat: Chat,
    *,
    port: int | None = None,
    token: str | None = None,
    leads: bool = True,
    **settings: object,
) -> AsyncIterator[AlertService]:
    """The service, which the chat posts presses to, and whose links previewers visit; `leads` False: beside another."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    await chat.change(interactivity_url=f"{url}/api/v1/slack/interactivity", crawl=url)
    with tempfile.TemporaryDirectory(prefix="alert-service-") as folder:
        file = Path(folder) / "policy.yaml"
        file.write_text(policy if isinstance(policy, str) else yaml.safe_dump(policy))
        values = {"POLICY__FILE": file, "POLICY__POLL_SECONDS": 0.2, **chat_settings(chat, url), **settings}
        service = start_program(AlertService, None, Path(folder), database_url, values, port=port, token=token)
        service.secrets += [chat.settings.token, chat.settings.signing_secret, LINK_KEY]
        service.secrets += [f"{name}-secret" for name in chat.settings.channels]  # in the addresses of webhooks
        try:
            await (service.storing() if leads else service.ready())
            yield service
        finally:
            await service.close()
