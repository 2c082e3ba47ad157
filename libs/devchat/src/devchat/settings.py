"""What a chat is made of: its app, its channels, its people, and how strict it is."""

import msgspec

USERS = {"U0ANA": "ana", "U0BEN": "ben", "U0EVE": "eve"}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The defaults are no secrets: they open nothing but a stand-in."""

    token: str = "xoxb-devchat"
    signing_secret: str = "devchat-signing-secret"
    hook_secret: str = "whsec_ZGV2Y2hhdC1ob29rLXNlY3JldC0wMTIzNDU2Nzg5"
    interactivity_url: str = ""  # where presses of buttons are posted to; empty: the app has none
    channels: tuple[str, ...] = ("sre", "oncall", "ops")
    users: dict[str, str] = msgspec.field(default_factory=lambda: dict(USERS))  # Slack ids and names
    limits: bool = True  # the vendors' rate limits
    crawl: str = ""  # links that begin like this are visited by previewers as soon as they are posted
    team: str = "T0DEVCHAT"
    app: str = "A0DEVCHAT"
