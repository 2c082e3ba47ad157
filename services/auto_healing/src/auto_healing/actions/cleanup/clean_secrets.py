"""Secrets that nobody uses, as far as that can be proven by their metadata: their data is never read."""

from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import LIST_EVERYTHING, Cleanup, permissions_on
from auto_healing.actions.cleanup.rule import Found, Look, Unproven
from auto_healing.actions.cleanup.settings import SecretSettings
from auto_healing.actions.cleanup.unused import find_unused

# What of each type uses it is known. Tokens, releases of Helm and the like have users of their own.
TYPES = (
    "Opaque",
    "kubernetes.io/tls",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/dockercfg",
    "kubernetes.io/basic-auth",
    "kubernetes.io/ssh-auth",
)
UNRESTORABLE = "is used by nothing that could use it, but could not be restored; delete_unrestorable allows it"


class CleanSecrets(Cleanup):
    code: ClassVar[str] = "clean-secrets"
    title: ClassVar[str] = "Delete Secrets that are proven to be used by nothing, without ever reading their data"
    kind: ClassVar[str] = "Secret"
    permissions: ClassVar[tuple[Permission, ...]] = (*permissions_on("Secret"), LIST_EVERYTHING)
    settings: ClassVar[type[SecretSettings]] = SecretSettings
    undoable: ClassVar[str] = ""

    async def find(self, look: Look) -> Found:
        listed = [each for type_ in TYPES for each in await look.cluster.list(self.kind, fields=f"type={type_}")]
        found = await find_unused(look, self.kind, listed)
        if look.settings.delete_unrestorable:
            return found
        kept = tuple(Unproven(object=each.ref.key, reason=UNRESTORABLE) for each in found.candidates)
        return Found(unproven=(*found.unproven, *kept), total=found.total)
