"""Who somebody is, and what they may do, by the policy.

A name that a vendor or a caller gives is never believed to be one of the policy's people: only ids are.
"""

from collections.abc import Mapping

from alert_service.incidents.acts import ActKind, Person
from alert_service.policy.routing import PersonPart
from alert_service.policy.settings import AlertPolicy
from common.web.auth import Identity, Scope

_DECISIONS = frozenset({ActKind.APPROVE, ActKind.DENY})
_LOOKS = frozenset({ActKind.RUNBOOK, ActKind.EXPLAIN})
# What a token of this service may do by itself, beside what the policy says of its owner.
_BY_SCOPE: dict[Scope, frozenset[ActKind]] = {
    Scope.READ: _LOOKS,
    Scope.APPROVE: _DECISIONS,
    Scope.OPERATE: frozenset(ActKind) - _DECISIONS,
    Scope.ADMIN: frozenset(ActKind),
}


class People:
    """Everybody of a policy."""

    def __init__(self, people: Mapping[str, PersonPart]) -> None:
        self._by_name = {name: _person(part) for name, part in people.items()}
        self._by_identity = {each.name: each for each in self._by_name.values()}
        self._by_slack = {part.slack: self._by_name[name] for name, part in people.items() if part.slack}

    @classmethod
    def of(cls, policy: AlertPolicy) -> "People":
        return cls(policy.people)

    def by_slack(self, user_id: str) -> Person | None:
        """By the id of a Slack user, such as U023BECGF."""
        return self._by_slack.get(user_id)

    def by_identity(self, identity: str) -> Person | None:
        """By what auto_healing and the ledger know them as, such as ana@example.com."""
        return self._by_identity.get(identity)

    def called(self, said: str) -> Person | None:
        """By whatever people call themselves: name, identity, or how cards call them; None when two are called so."""
        word = said.strip().casefold()
        found = {
            each.name: each
            for name, each in self._by_name.items()
            if word in (name, each.name.casefold(), each.shown.casefold())
        }
        return next(iter(found.values())) if len(found) == 1 else None

    def who_may(self, kind: ActKind) -> list[tuple[str, Person]]:
        """Their names in the policy and who they are, in the order of what cards call them."""
        found = [(name, each) for name, each in self._by_name.items() if kind in each.rights]
        return sorted(found, key=lambda each: each[1].shown.casefold())

    def caller(self, identity: Identity) -> Person:
        """Whoever has a token of this service: what its scopes allow, and what the policy says of its owner."""
        known = self.by_identity(identity.name)
        rights = frozenset().union(*(_BY_SCOPE.get(scope, frozenset()) for scope in identity.scopes))
        if known is None:
            return Person(name=identity.name, shown=identity.name, rights=rights)
        return Person(name=known.name, shown=known.shown, rights=known.rights | rights)

    def guest(self, vendor: str, user_id: str, shown: str) -> Person:
        """Somebody whom the policy does not have: they may look, and nothing else."""
        return Person(name=f"{vendor}:{user_id}", shown=shown or user_id, rights=_LOOKS)


def _person(part: PersonPart) -> Person:
    """Whatever the policy lists, everybody may look."""
    return Person(name=part.identity, shown=part.shown or part.identity, rights=_LOOKS.union(part.rights))
