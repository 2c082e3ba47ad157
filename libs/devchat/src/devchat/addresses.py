"""What a sender has to be given to reach this chat: addresses and secrets, of the first channel."""

from collections.abc import Iterator

from devchat.slack import webhooks
from devchat.state import State
from devchat.teams import workflows


def addresses(state: State) -> Iterator[tuple[str, str]]:
    """Pairs of a name and a value, in the order in which people need them."""
    settings, url = state.settings, state.url
    first = settings.channels[0] if settings.channels else "CHANNEL"
    yield "Slack API", f"{url}/slack/api/"
    yield "bot token", settings.token
    yield "signing secret", settings.signing_secret
    yield "presses go to", settings.interactivity_url or "nowhere: give --interactivity-url"
    yield f"Slack webhook of {first}", url + webhooks.path(first)
    yield f"Teams flow of {first}", url + workflows.path(first)
    yield f"webhook of {first}", f"{url}/hooks/{first}"
    yield "secret of webhooks", settings.hook_secret
    yield "channels", ", ".join(settings.channels)
    yield "people", ", ".join(f"{name} is {user}" for user, name in settings.users.items())
