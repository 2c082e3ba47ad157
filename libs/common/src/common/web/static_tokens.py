"""Tokens that the operator hands out. Only their SHA-256 is configured, so a leaked configuration lets no one in."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from common.web.auth import Identity, Scope

_ENTRY = re.compile(r"(?P<name>[^:\s,#]+):(?P<scopes>[a-z+]+):(?P<digest>[0-9a-fA-F]{64})")


class TokensInvalid(ValueError):
    """The configured tokens cannot be read; names every wrong entry by its place, and repeats none."""


@dataclass(frozen=True, slots=True)
class StaticTokens:
    """The tokens of a configuration. Unsalted SHA-256 is enough for tokens that are random and long."""

    _known: tuple[tuple[bytes, Identity], ...]

    @classmethod
    def parse(cls, text: str) -> "StaticTokens":
        """Read `name:scope+scope:sha256` entries separated by commas or lines; # starts a comment.

        Raises TokensInvalid.
        """
        lines = (line.partition("#")[0] for line in text.splitlines())
        entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
        known, wrong = [], []
        for place, entry in enumerate(entries, 1):
            found = _ENTRY.fullmatch(entry)
            scopes = set(found["scopes"].split("+")) if found else set()
            if found and scopes <= set(Scope):
                known.append((bytes.fromhex(found["digest"]), Identity.of(found["name"], map(Scope, scopes))))
            else:
                wrong.append(str(place))
        if wrong:
            form = f"name:scope:sha256 with a scope of {', '.join(Scope)} and 64 hex digits"
            raise TokensInvalid(f"entry {', '.join(wrong)} of {len(entries)} is not {form}")
        return cls(tuple(known))

    async def authenticate(self, token: str) -> Identity | None:
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        identity = None
        for known, owner in self._known:  # to the end, so that the time tells nothing
            if hmac.compare_digest(known, digest):
                identity = owner
        return identity

    async def still_has(self, identity: Identity, scope: Scope) -> bool:
        return any(owner.name == identity.name and scope in owner.scopes for _, owner in self._known)


def new_token(name: str, *scopes: Scope) -> tuple[str, str]:
    """A fresh token of 256 random bits, and the entry that lets it in."""
    token = secrets.token_urlsafe(32)
    return token, f"{name}:{'+'.join(scopes)}:{hashlib.sha256(token.encode()).hexdigest()}"
