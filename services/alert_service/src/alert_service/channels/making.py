"""The vendors' ways in, and the channels that a policy and the settings make of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from alert_service.channels import teams
from alert_service.channels.channel import Channel
from alert_service.channels.slack import Slack
from alert_service.channels.slack_webhook import SlackWebhook
from alert_service.channels.teams import Teams
from alert_service.channels.webhook import Webhook
from alert_service.policy.routing import ChannelKind, ChannelPart
from alert_service.policy.settings import AlertPolicy
from alert_service.settings import AlertSettings
from common.policy.mistakes import Mistake
from common.web.signatures import SecretInvalid, check_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The channels that can be used, by name; and why the others cannot."""

    channels: Mapping[str, Channel] = field(default_factory=dict)
    mistakes: Sequence[Mistake] = ()


class _Wrong(Exception):
    """The settings do not have what a channel needs; the message says what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """What channels are made with."""

    settings: AlertSettings
    http: httpx.AsyncClient
    now: Callable[[], datetime]


def make_channels(
    policy: AlertPolicy, settings: AlertSettings, *, http: httpx.AsyncClient, now: Callable[[], datetime]
) -> Made:
    """All that the policy names. `http` serves all of them."""
    means = _Means(settings=settings, http=http, now=now)
    channels: dict[str, Channel] = {}
    mistakes = []
    for name, part in policy.channels.items():
        try:
            channels[name] = CHANNEL_KINDS[part.kind](name, part, means)
        except _Wrong as wrong:
            mistakes.append(Mistake(f"channels.{name}", str(wrong)))
    return Made(channels=channels, mistakes=mistakes)


def _slack(name: str, part: ChannelPart, means: _Means) -> Channel:
    slack = means.settings.slack
    token = slack.token.get_secret_value().strip()
    if not token:
        raise _Wrong("needs ALERT_SERVICE_SLACK__TOKEN, the bot token of the Slack app (xoxb-...)")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise _Wrong("has in ALERT_SERVICE_SLACK__TOKEN more than a token: it is one word (xoxb-...)")
    return Slack(name, means.http, api_url=slack.api_url, token=token, conversation=part.conversation)


def _slack_webhook(name: str, part: ChannelPart, means: _Means) -> Channel:
    return SlackWebhook(name, means.http, url=_url(part, means))


def _teams(name: str, part: ChannelPart, means: _Means) -> Channel:
    url = _url(part, means)
    if (why := teams.why_not(url)) is not None:
        raise _Wrong(f"the address {part.secret} {why}")
    return Teams(name, means.http, url=url)


def _webhook(name: str, part: ChannelPart, means: _Means) -> Channel:
    url, secrets = _url(part, means), _secrets(part, means)
    return Webhook(name, means.http, url=url, secrets=secrets, now=means.now)


def _url(part: ChannelPart, means: _Means) -> str:
    found = means.settings.channels.urls.get(part.secret)
    variable = "ALERT_SERVICE_CHANNELS__URLS"
    if found is None:
        raise _Wrong(f'{variable} has no address {part.secret}; give one there as {{"{part.secret}": "https://..."}}')
    url = found.get_secret_value().strip()
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _Wrong(f"the address {part.secret} in {variable} does not begin with https:// and a host")
    return url


def _secrets(part: ChannelPart, means: _Means) -> Sequence[str]:
    """Several while one is replaced."""
    variable = "ALERT_SERVICE_CHANNELS__SIGNING_SECRETS"
    found = means.settings.channels.signing_secrets.get(part.secret)
    secrets = [each.strip() for each in found.get_secret_value().split(",") if each.strip()] if found else []
    if not secrets:
        raise _Wrong(f"{variable} has no secret {part.secret}; messages to a webhook are signed with it (whsec_...)")
    for secret in secrets:
        try:
            check_secret(secret)
        except SecretInvalid as error:
            raise _Wrong(f"the secret {part.secret} in {variable}: {error}") from None
    return secrets


CHANNEL_KINDS: Mapping[ChannelKind, Callable[[str, ChannelPart, _Means], Channel]] = {
    ChannelKind.SLACK: _slack,
    ChannelKind.SLACK_WEBHOOK: _slack_webhook,
    ChannelKind.TEAMS: _teams,
    ChannelKind.WEBHOOK: _webhook,
}
