"""Who may use the API: static tokens, Kubernetes tokens, or on one's own machine a token for this run."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from common.kube.access import KubeAccessReviews
from common.kube.api import Api
from common.web.auth import AnyOf, Authenticator, Identity, Rights, Scope
from common.web.kubernetes_tokens import KubernetesTokens
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token


class AccessMissing(Exception):
    """Nobody could use the API, or everybody; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Access:
    """`token` is the one made for this run, to be shown once; None when the settings let somebody in."""

    authenticator: Authenticator
    sources: Sequence[Rights]
    token: str | None = None

    async def still_has(self, identity: Identity, scope: Scope) -> bool:
        """Whether any of those who vouch for people says so. Raises AuthenticationUnavailable."""
        for source in self.sources:
            if await source.still_has(identity, scope):
                return True
        return False


def access(settings: WebSettings, api: Api | None, *, service: str) -> Access:
    """For a service such as health_monitor, whose settings are HEALTH_MONITOR_*. Raises AccessMissing.

    `api` is asked about Kubernetes tokens; it is needed only where the settings let them in.
    """
    text = settings.tokens.get_secret_value()
    given: list[StaticTokens | KubernetesTokens] = [StaticTokens.parse(text)] if text.strip() else []
    if settings.kubernetes_auth:
        if api is None:
            raise AccessMissing(
                f"{service.upper()}_WEB__KUBERNETES_AUTH=true needs an API server that knows the tokens: "
                "run the service in a cluster, or set KUBECONFIG"
            )
        given.append(KubernetesTokens(KubeAccessReviews(api), service))
    if given:
        return Access(AnyOf(*given), given)
    if not is_loopback(settings.host):
        raise AccessMissing(
            f"nobody could use the API on {settings.host}: set {service.upper()}_WEB__TOKENS "
            f"({service.replace('_', '-')} token new NAME makes one) or {service.upper()}_WEB__KUBERNETES_AUTH=true, "
            "or listen on 127.0.0.1"
        )
    token, entry = new_token("local", Scope.ADMIN)
    own = StaticTokens.parse(entry)
    return Access(own, [own], token)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
