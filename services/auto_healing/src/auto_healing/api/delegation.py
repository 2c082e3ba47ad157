"""In whose name somebody decides: a service that people use passes their word on, and vouches for them."""

from typing import Annotated

from fastapi import Depends, Header

from auto_healing.run import SERVICE
from auto_healing.storage.run_entries import POLICY
from common.web.auth import Scope
from common.web.parts import Approver
from common.web.problems import Mistake, Problem, wrong_request

HEADER = "On-Behalf-Of"
_Person = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        description="Identity of the person whose word is passed on; the caller needs the scope delegate, too",
        examples=["ana@example.com"],
    ),
]


def _person(caller: Approver, on_behalf_of: _Person = None) -> str:
    """Whose word it is; empty: the caller's own. Raises a problem of 403 or 422."""
    if on_behalf_of is None:
        return ""
    if Scope.DELEGATE not in caller.scopes:
        raise Problem(403, f"{caller.name} lacks the scope delegate, and speaks for nobody else", scope=Scope.DELEGATE)
    if on_behalf_of in {POLICY, SERVICE}:
        raise wrong_request(Mistake(location="header", path=f"/{HEADER}", message=f"{on_behalf_of} is no person"))
    return on_behalf_of


OnBehalfOf = Annotated[str, Depends(_person)]
