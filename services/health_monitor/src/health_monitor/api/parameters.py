"""Query parameters that several lists share."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AfterValidator

from common.cluster.rows import Selector
from common.contracts import Severity
from common.web.paging import CursorText, Limit
from common.web.problems import Mistake, wrong_request
from health_monitor.api.selectors import SelectorInvalid, parse_selector
from health_monitor.checks import CHECKS, CHECKS_BY_CODE
from health_monitor.view.view import Filter
from health_monitor.view.walks import Sort

_KINDS = frozenset(check.kind for check in CHECKS)


def known_code(code: str) -> str:
    """A filter that can match nothing is a slip of the pen; an empty answer would read as good news."""
    if code not in CHECKS_BY_CODE:
        raise ValueError(f"there is no check {code!r}; GET /api/v1/checks lists them")
    return code


def known_kind(kind: str) -> str:
    if kind not in _KINDS:
        raise ValueError(f"there are no findings about kind {kind!r}; there are about {', '.join(sorted(_KINDS))}")
    return kind


KnownCode = Annotated[str, AfterValidator(known_code)]
KnownKind = Annotated[str, AfterValidator(known_kind)]
Code = Annotated[
    KnownCode | None, Query(description="Only with an open finding of this check", examples=["pod-crash-loop"])
]
AtLeast = Annotated[Severity | None, Query(description="Only with an open finding at least this severe")]
Namespace = Annotated[str | None, Query(description="Only in this namespace", examples=["shop"])]


def _filter(
    *,
    max_score: Annotated[float, Query(ge=0, le=100, description="Only with at most this score")] = 100.0,
    min_score: Annotated[float, Query(ge=0, le=100, description="Only with at least this score")] = 0.0,
    severity: AtLeast = None,
    code: Code = None,
    labels: Annotated[
        str | None, Query(max_length=1000, description="Label selector as kubectl writes it", examples=["app=web,!old"])
    ] = None,
) -> Filter:
    return Filter(
        max_score=max_score,
        min_score=min_score,
        severity=severity,
        code=code,
        labels=None if labels is None else _selector(labels),
    )


def _selector(text: str) -> Selector:
    try:
        return parse_selector(text)
    except SelectorInvalid as error:
        raise wrong_request(Mistake(location="query", path="/labels", message=str(error))) from None


Filtered = Annotated[Filter, Depends(_filter)]


@dataclass(frozen=True, slots=True)
class _Paging:
    sort: Annotated[Sort, Query(description="`score`: the worst first; `name`: by kind, namespace and name")] = (
        Sort.SCORE
    )
    limit: Limit = 100
    cursor: CursorText = None


Paging = Annotated[_Paging, Depends()]
