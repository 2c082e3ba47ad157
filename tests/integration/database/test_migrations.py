"""A service's schema comes up to date by itself, once, whoever starts it and however many."""

import asyncio
import shutil
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, text

from common.database.connections import Database
from common.database.engine import Target
from common.database.errors import DatabaseUnavailable
from common.database.migrate import MigrationFailed, differences, upgrade
from common.database.naming import metadata
from common.database.settings import DatabaseSettings

pytestmark = pytest.mark.database

SCRIPTS = str(Path(__file__).parent / "scripts")


def sample_tables(*, extra_column: bool = False) -> MetaData:
    tables = metadata("sample")
    columns = [Column("id", BigInteger, primary_key=True), Column("body", Text, nullable=False, unique=True)]
    if extra_column:
        columns.append(Column("colour", Text))
    Table("note", tables, *columns)
    return tables


@pytest.fixture
def target(postgres_url: str) -> Target:
    return Target.of(postgres_url, schema="sample", service="sample")


async def test_eight_replicas_that_start_at_once_upgrade_a_new_database_together(target: Target) -> None:
    await asyncio.gather(*(upgrade(target, SCRIPTS) for _ in range(8)))

    database = Database(target, DatabaseSettings())
    async with database.begin() as connection:
        tables = set(
            await connection.scalars(
                text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'sample'")
            )
        )
        revisions = list(await connection.scalars(text("SELECT version_num FROM alembic_version")))
    await database.close()
    assert {"note", "procrastinate_jobs"} <= tables
    assert revisions == ["0001"]


async def test_scripts_are_found_inside_an_installed_package(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "installed_sample" / "migrations")
    (tmp_path / "installed_sample" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))

    await upgrade(target, "installed_sample:migrations")

    assert differences(target, sample_tables()) == []


async def test_an_upgraded_schema_equals_the_models(target: Target) -> None:
    await upgrade(target, SCRIPTS)

    assert differences(target, sample_tables()) == []
    assert len(differences(target, sample_tables(extra_column=True))) == 1


async def test_a_database_of_a_newer_version_is_refused_with_the_reason(target: Target) -> None:
    await upgrade(target, SCRIPTS)
    database = Database(target, DatabaseSettings())
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    await database.close()

    with pytest.raises(MigrationFailed, match=r"schema sample: .*0099.* newer version"):
        await upgrade(target, SCRIPTS)


async def test_a_newer_queue_library_brings_only_its_new_scripts(target: Target) -> None:
    await upgrade(target, SCRIPTS)
    database = Database(target, DatabaseSettings())
    # As an older library would have left it: its last script unknown, and what that script makes absent.
    async with database.begin() as connection:
        newest = await connection.scalar(text("SELECT max(script) FROM procrastinate_applied"))
        await connection.execute(text("DELETE FROM procrastinate_applied WHERE script = :newest"), {"newest": newest})
        before = await connection.scalar(text("SELECT count(*) FROM procrastinate_applied"))

    await upgrade(target, SCRIPTS)

    async with database.begin() as connection:
        after = await connection.scalar(text("SELECT count(*) FROM procrastinate_applied"))
    await database.close()
    assert after == before + 1


async def test_a_database_that_is_not_there_is_reported_as_unavailable(tmp_path: Path) -> None:
    nowhere = Target.of(f"postgresql://postgres@/none?host={tmp_path}", schema="sample", service="sample")

    with pytest.raises(DatabaseUnavailable):
        await upgrade(nowhere, SCRIPTS)
