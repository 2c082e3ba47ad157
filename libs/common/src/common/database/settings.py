"""The settings group of a service's database."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator

from common.database.url import parse_url


class DatabaseSettings(BaseModel):
    """Database."""

    url: Annotated[
        SecretStr | None,
        Field(
            description="PostgreSQL URL, postgresql://user:password@host:5432/name. "
            "Unset: an embedded PostgreSQL is started, for one machine only."
        ),
    ] = None
    folder: Annotated[
        Path | None,
        Field(
            description="Folder of the embedded PostgreSQL; unset: ~/.local/share/k8s-health-checker/postgres, "
            "or /var/lib/k8s-health-checker/postgres as root."
        ),
    ] = None
    pool_size: Annotated[
        int,
        Field(ge=1, le=200, description="Connections for requests and loops. PostgreSQL allows 100 in all by default."),
    ] = 10
    work_pool_size: Annotated[
        int, Field(ge=2, le=200, description="Connections for the work queue, one of them listens for new jobs.")
    ] = 4
    connect_timeout_seconds: Annotated[
        int, Field(ge=1, le=300, description="Longest wait for a new connection, or for a free one.")
    ] = 5
    statement_timeout_seconds: Annotated[
        int, Field(ge=1, le=3600, description="A statement that runs longer is cancelled by the server.")
    ] = 30

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parse_url(url.get_secret_value())
        return url
