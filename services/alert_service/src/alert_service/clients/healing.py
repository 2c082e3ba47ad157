"""auto_healing, as far as people decide: yes and no to a run that waits for them, in their own name."""

from uuid import UUID

import httpx
from pydantic import BaseModel, TypeAdapter

from alert_service.clients.asking import Asking, Refused
from alert_service.incidents.acts import Person

_VARIABLE = "ALERT_SERVICE_HEALING__TOKEN, which needs the scopes approve and delegate"
ON_BEHALF_OF = "On-Behalf-Of"


class DecidedRun(BaseModel):
    """The run after the decision."""

    id: UUID
    state: str


_RUN: TypeAdapter[DecidedRun] = TypeAdapter(DecidedRun)


class Healing:
    """Every method raises Unavailable when asking again may help, and Refused when it will not (status 404: there is
    no such run; 409: it waits no more; 403: the person may not). Ends with `close`.
    """

    def __init__(self, url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._asking = Asking(url, token, name=f"auto_healing at {url}", variable=_VARIABLE, transport=transport)

    async def approve(self, run_id: UUID, person: Person) -> DecidedRun:
        """The ledger there shows the person, by way of this service."""
        return await self._decide(run_id, "approve", person, None)

    async def deny(self, run_id: UUID, person: Person, reason: str) -> DecidedRun:
        return await self._decide(run_id, "deny", person, {"reason": reason})

    async def _decide(self, run_id: UUID, verb: str, person: Person, content: dict[str, str] | None) -> DecidedRun:
        if not person.name.isascii():
            raise Refused(422, f"auto_healing takes identities of ASCII letters only, and {person.name} is none")
        path = f"/api/v1/runs/{run_id}/{verb}"
        body = await self._asking.ask("POST", path, content=content, headers={ON_BEHALF_OF: person.name})
        return self._asking.read(_RUN, body)

    async def close(self) -> None:
        await self._asking.close()
