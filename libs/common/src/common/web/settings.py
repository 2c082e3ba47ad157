"""The settings group of a service's HTTP server."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator

from common.web.auth import Scope
from common.web.static_tokens import StaticTokens


class WebSettings(BaseModel):
    """Web server."""

    host: Annotated[str, Field(description="Address to listen on; 0.0.0.0 is every one.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8080
    body_limit_bytes: Annotated[
        int, Field(ge=1024, le=64 * 1024 * 1024, description="A larger request is answered with 413.")
    ] = 1024 * 1024
    shutdown_grace_seconds: Annotated[
        float,
        Field(ge=0, le=300, description="Running requests have this long to end. Below Kubernetes' own grace of 30 s."),
    ] = 10.0
    metrics_open: Annotated[
        bool, Field(description="Let /metrics be read without a credential. Otherwise it needs the scope read.")
    ] = False
    tokens: Annotated[
        SecretStr,
        Field(
            description="Static tokens, each name:scope:sha256 with the SHA-256 of the token in hex, "
            f"separated by commas or lines. Scopes: {', '.join(Scope)}; several are joined with +."
        ),
    ] = SecretStr("")
    kubernetes_auth: Annotated[
        bool, Field(description="Accept Kubernetes bearer tokens, checked by TokenReview and SubjectAccessReview.")
    ] = False

    @field_validator("tokens")
    @classmethod
    def _are_tokens(cls, tokens: SecretStr) -> SecretStr:
        StaticTokens.parse(tokens.get_secret_value())
        return tokens
