"""What can go wrong between us and the API server. `str(error)` is one line for people that says what to do."""

import re

import msgspec


class Cause(msgspec.Struct, frozen=True):
    """One of the causes in a Status, such as a PodDisruptionBudget that forbids an eviction."""

    reason: str | None = None
    message: str | None = None


class KubeError(Exception):
    """Base. `status` is the HTTP status, 0 when there was none; `sent` is False when the request never left."""

    status = 0
    causes: tuple[Cause, ...] = ()

    def __init__(self, message: str, *, sent: bool = True, retry_after_seconds: float | None = None) -> None:
        super().__init__(" ".join(message.split()))
        self.sent = sent
        self.retry_after_seconds = retry_after_seconds


class BadKubeconfig(KubeError):
    """The kubeconfig, or what it names, cannot be used."""


class Unauthorized(KubeError):
    status = 401


class Forbidden(KubeError):
    status = 403


class NotFound(KubeError):
    status = 404


class Conflict(KubeError):
    """Somebody else was first: changed since it was read, or there already."""

    status = 409


class Gone(KubeError):
    """The resourceVersion is too old: list again."""

    status = 410


class Invalid(KubeError):
    """The server does not accept the request as it is."""

    status = 422


class Throttled(KubeError):
    status = 429


class Unavailable(KubeError):
    """No answer, or one that says try later."""


_BY_STATUS: dict[int, type[KubeError]] = {
    kind.status: kind for kind in (Unauthorized, Forbidden, NotFound, Conflict, Gone, Invalid, Throttled)
}
_HINTS: dict[type[KubeError], str] = {
    Unauthorized: "; the credentials are wrong or have expired",
    Throttled: "; the API server is overloaded",
}


# As the API server's RBAC says it, such as: cannot patch resource "deployments" in API group "apps"
_MISSING = re.compile(r'cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"(?: in API group "(?P<group>[^"]*)")?')


class _Details(msgspec.Struct):
    causes: tuple[Cause, ...] | None = None


class _Status(msgspec.Struct):
    """What a Kubernetes Status says."""

    message: str | None = None
    code: int | None = None


class _Refusal(msgspec.Struct):
    """The part of a Status that names its causes."""

    details: _Details | None = None


def from_answer(status: int, body: bytes, what: str, retry_after_seconds: float | None = None) -> KubeError:
    """The error of an answer that is not 2xx. `what` was tried, such as "list pods"."""
    kind = _BY_STATUS.get(status) or (Unavailable if status >= 500 else Invalid)
    said = message_of(body) or f"HTTP {status}"
    message = f"{what}: {said}{_rule_for(said) if kind is Forbidden else ''}{_HINTS.get(kind, '')}"
    error = kind(message, retry_after_seconds=retry_after_seconds)
    error.status = status
    error.causes = _causes_of(body)
    return error


def _rule_for(said: str) -> str:
    """The missing rule of a ClusterRole, ready to be pasted; empty when the refusal is of another sort."""
    missing = _MISSING.search(said)
    if missing is None:
        return ""
    verb, resource, group = missing["verb"], missing["resource"], missing["group"] or ""
    rule = f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]}}'
    return f"; it lacks the rule {rule}; grant it with RBAC"


def from_frame(body: bytes, what: str) -> KubeError:
    """The error that an ERROR frame of a watch carries."""
    try:
        code = msgspec.json.decode(body, type=_Status).code
    except msgspec.MsgspecError:
        code = None
    return from_answer(code or 500, body, what)


def _causes_of(body: bytes) -> tuple[Cause, ...]:
    try:
        details = msgspec.json.decode(body, type=_Refusal).details
    except msgspec.MsgspecError:
        return ()
    return (details.causes if details else None) or ()


def message_of(body: bytes) -> str:
    """The message of a Status, or the start of whatever else was sent."""
    try:
        return msgspec.json.decode(body, type=_Status).message or ""
    except msgspec.MsgspecError:
        return body[:200].decode(errors="replace").strip()
