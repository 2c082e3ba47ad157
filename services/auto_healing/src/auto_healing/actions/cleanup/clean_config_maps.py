"""ConfigMaps that nobody uses, as far as that can be proven."""

from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import LIST_EVERYTHING, Cleanup, permissions_on
from auto_healing.actions.cleanup.rule import Found, Look
from auto_healing.actions.cleanup.settings import RuleSettings
from auto_healing.actions.cleanup.unused import find_unused


class CleanConfigMaps(Cleanup):
    code: ClassVar[str] = "clean-config-maps"
    title: ClassVar[str] = "Delete ConfigMaps that are proven to be used by nothing"
    kind: ClassVar[str] = "ConfigMap"
    permissions: ClassVar[tuple[Permission, ...]] = (*permissions_on("ConfigMap"), LIST_EVERYTHING)
    settings: ClassVar[type[RuleSettings]] = RuleSettings

    async def find(self, look: Look) -> Found:
        return await find_unused(look, self.kind, await look.cluster.list(self.kind))
