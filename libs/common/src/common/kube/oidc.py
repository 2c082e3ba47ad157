"""Tokens of an OpenID provider, as kubectl keeps them in a kubeconfig: used while they last, refreshed before they end.

The client library's own refresh neither checks the provider's certificate nor keeps a refresh token that was rotated.
"""

import base64
import binascii
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import aiohttp

# A token is looked at once a minute, and must then last until the next look.
_EARLY_SECONDS = 90.0
_PATIENCE_SECONDS = 10.0


def expired(id_token: str, now: float) -> bool:
    """Whether the token is at its end; one that names no end lasts. `now` in seconds since 1970. Raises ValueError."""
    parts = id_token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return "exp" in claims and float(claims["exp"]) - _EARLY_SECONDS <= now
    except (IndexError, TypeError, ValueError, binascii.Error):
        raise ValueError("oidc: the id-token is no JSON web token; log in again") from None


async def refreshed(provider: Mapping[str, str]) -> dict[str, str]:
    """A new id-token, and the refresh token that is good from now on, named as in the kubeconfig.

    `provider` is the configuration of the auth-provider. Raises ValueError, with one line that names no secret.
    """
    missing = [name for name in ("idp-issuer-url", "client-id", "refresh-token") if not provider.get(name)]
    if missing:
        raise ValueError(f"oidc: the id-token has expired, and without {', '.join(missing)} there is no other one")
    issuer = provider["idp-issuer-url"].rstrip("/")
    try:
        answer = await _asked(issuer, provider)
    except aiohttp.ClientResponseError as error:
        raise ValueError(f"oidc: {issuer} gives no new token ({error.status} {error.message}); log in again") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:  # every timeout is an OSError
        reason = str(error) or "no answer in time"
        raise ValueError(f"oidc: {issuer} cannot be asked for a new token: {reason}") from None
    except (KeyError, TypeError):
        raise ValueError(f"oidc: {issuer} is no OpenID provider: it names no token_endpoint") from None
    if not isinstance(answer, dict) or not answer.get("id_token"):
        raise ValueError(f"oidc: {issuer} answered without an id_token: ask for the scope openid when you log in")
    kept = answer.get("refresh_token") or provider["refresh-token"]
    return {"id-token": str(answer["id_token"]), "refresh-token": str(kept)}


async def _asked(issuer: str, provider: Mapping[str, str]) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": provider["refresh-token"]}
    client, secret = provider["client-id"], provider.get("client-secret")
    headers = {"Authorization": _login(client, secret)} if secret else {}
    if not secret:  # a public client says its name in the form
        form["client_id"] = client
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=_trust(provider)),
        timeout=aiohttp.ClientTimeout(total=_PATIENCE_SECONDS),
        raise_for_status=True,
        trust_env=True,
    ) as session:
        async with session.get(f"{issuer}/.well-known/openid-configuration") as response:
            endpoint = (await response.json(content_type=None))["token_endpoint"]
        async with session.post(endpoint, data=form, headers=headers) as response:
            return await response.json(content_type=None)


def _login(client: str, secret: str) -> str:
    pair = f"{quote_plus(client)}:{quote_plus(secret)}"  # encoded first, says RFC 6749, 2.3.1
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _trust(provider: Mapping[str, str]) -> ssl.SSLContext:
    """The system's authorities, or the one that the kubeconfig names instead of them."""
    data = provider.get("idp-certificate-authority-data")
    return ssl.create_default_context(
        cafile=provider.get("idp-certificate-authority") or None,
        cadata=base64.b64decode(data).decode() if data else None,
    )
