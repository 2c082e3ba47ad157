"""The few ways a database call fails that a caller can act on. Anything else is a defect and passes through."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg
from psycopg import errors as pg
from sqlalchemy import exc


class DatabaseError(Exception):
    """A database call failed. The message names no value and no password."""


class DatabaseUnavailable(DatabaseError):
    """Nothing was committed as far as is known: no server, connection lost, none free, disk full. Try again later."""


class StatementTimeout(DatabaseError):
    """The server gave up on a statement that ran longer than the statement timeout."""


class Contended(DatabaseError):
    """Deadlock, lock not available or serialization failure: repeating the whole transaction is safe."""


class ConstraintViolated(DatabaseError):
    """A unique, foreign key, check or not-null constraint said no; `constraint` is its name when there is one."""

    def __init__(self, message: str, constraint: str | None) -> None:
        super().__init__(message)
        self.constraint = constraint


class ValueRejected(DatabaseError):
    """PostgreSQL cannot hold a value: a NUL character or half a surrogate pair in text, a number out of range."""


_UNAVAILABLE = (
    pg.IdleInTransactionSessionTimeout,
    pg.ReadOnlySqlTransaction,  # a primary that became a standby: the connection is of no use to us
)
# Lost connections, a full disk or memory, shutdowns, and disks that fail, as the first characters of the SQLSTATE:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNAVAILABLE_CLASSES = ("08", "53", "57P", "58")
_CONTENDED = (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable)


def classified(error: psycopg.Error) -> DatabaseError | None:
    """The error of the tree that stands for the driver's error; None when it is a defect of the caller."""
    if isinstance(error, pg.QueryCanceled):
        return StatementTimeout("the database cancelled a statement that took too long")
    if isinstance(error, _CONTENDED):
        return Contended(f"another transaction stood in the way ({type(error).__name__})")
    if isinstance(error, psycopg.IntegrityError):
        name = error.diag.constraint_name
        return ConstraintViolated(f"the database refused a row: {type(error).__name__} {name or ''}".rstrip(), name)
    if isinstance(error, psycopg.DataError):
        return ValueRejected("a value does not fit what PostgreSQL can store")
    if isinstance(error, _UNAVAILABLE) or (isinstance(error, psycopg.OperationalError) and _is_away(error)):
        return DatabaseUnavailable(_first_line(error))
    return None


def _is_away(error: psycopg.OperationalError) -> bool:
    """libpq reports a lost or refused connection without any SQLSTATE."""
    return error.sqlstate is None or error.sqlstate.startswith(_UNAVAILABLE_CLASSES)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


@contextmanager
def translated() -> Iterator[None]:
    """Raise the errors of this module in place of SQLAlchemy's and psycopg's."""
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseUnavailable("no free database connection in time") from error
    except exc.DBAPIError as error:
        translate(error, error.orig)
    except psycopg.Error as error:
        translate(error, error)
    except UnicodeEncodeError as error:
        if error.reason != "surrogates not allowed":
            raise
        raise ValueRejected("text holds half a surrogate pair") from error


def translate(raised: Exception, cause: BaseException | None) -> NoReturn:
    """Raise the error of this module for the driver's error `cause`; `raised` itself when there is none."""
    if isinstance(cause, psycopg.Error) and (ours := classified(cause)) is not None:
        raise ours from raised
    raise raised
