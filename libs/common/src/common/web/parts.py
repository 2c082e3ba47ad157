"""What routes ask for: the right to call them, and the parts they answer from; what is said while one is missing."""

from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, Request

from common.web.auth import Identity, Scope, requires
from common.web.problems import Problem

MAY_READ = Depends(requires(Scope.READ))
MAY_APPROVE = Depends(requires(Scope.APPROVE))
MAY_OPERATE = Depends(requires(Scope.OPERATE))
MAY_ADMIN = Depends(requires(Scope.ADMIN))
# For a route that wants to know who is calling.
Approver = Annotated[Identity, Depends(requires(Scope.APPROVE))]
Operator = Annotated[Identity, Depends(requires(Scope.OPERATE))]

Stored_co = TypeVar("Stored_co", covariant=True)


class StorageState(Protocol[Stored_co]):
    """The database as the API sees it: it may come later than the first request, or never."""

    @property
    def stored(self) -> Stored_co | None: ...

    @property
    def reason(self) -> str:
        """Why there is nothing stored, when there is not."""


def services_of(request: Request) -> Any:
    """What the service has put into `app.state.services`: one dataclass with everything that its API answers from."""
    return request.app.state.services


def stored_of(storage: StorageState[Stored_co]) -> Stored_co:
    """What rests on the database. Raises a problem of 503 while it is not open."""
    stored = storage.stored
    if stored is None:
        raise Problem(503, storage.reason, headers={"Retry-After": "5"})
    return stored


def still_reading() -> Problem:
    """The cluster is not seen as a whole yet, and half of one would look broken, or well."""
    return Problem(503, "the cluster is still being read; /readyz says what is missing", headers={"Retry-After": "2"})
