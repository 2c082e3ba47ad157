"""Names of tables' constraints, and one schema per service."""

from sqlalchemy import MetaData

# Migrations must be able to name a constraint to change it; PostgreSQL's own names depend on its version.
CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def metadata(schema: str) -> MetaData:
    """The metadata a service declares its tables on; `schema` is the service's own."""
    return MetaData(schema=schema, naming_convention=CONVENTION)
