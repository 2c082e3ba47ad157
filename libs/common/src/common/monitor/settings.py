"""The settings group about health_monitor of a service that goes by its events."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator

from common.settings import each_of
from common.web.signatures import SecretInvalid, check_secret


class MonitorPeerSettings(BaseModel):
    """health_monitor, whose events say what is wrong."""

    url: Annotated[str, Field(description="Its address.", pattern=r"^https?://", max_length=500)] = (
        "http://127.0.0.1:8080"
    )
    token: Annotated[SecretStr, Field(description="A token of it with the scope read.")] = SecretStr("")
    webhook_secrets: Annotated[
        SecretStr,
        Field(
            description="Secrets of its webhook subscriptions (whsec_...), comma separated: two while one is replaced. "
            "Unset: events are read, but none is taken by webhook."
        ),
    ] = SecretStr("")

    @field_validator("webhook_secrets")
    @classmethod
    def _are_secrets(cls, secrets: SecretStr) -> SecretStr:
        for secret in each_of(secrets):
            try:
                check_secret(secret)
            except SecretInvalid as error:
                raise ValueError(str(error)) from None
        return secrets

    @property
    def secrets(self) -> tuple[str, ...]:
        return each_of(self.webhook_secrets)
