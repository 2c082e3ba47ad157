"""Database URLs: the one form that is accepted."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError


class DatabaseUrlInvalid(ValueError):
    """The database URL cannot be used; the message says why without repeating it."""


def parse_url(url: str) -> URL:
    """The URL for SQLAlchemy with psycopg as the driver. Raises DatabaseUrlInvalid for anything but PostgreSQL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUrlInvalid("not a URL; write postgresql://user:password@host:5432/name") from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise DatabaseUrlInvalid("only PostgreSQL is supported; write postgresql://user:password@host:5432/name")
    return parsed.set(drivername="postgresql+psycopg")
