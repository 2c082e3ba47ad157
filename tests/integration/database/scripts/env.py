from sqlalchemy import BigInteger, Column, Table, Text

from common.database.migrate import run_environment
from common.database.naming import metadata

tables = metadata("sample")
Table("note", tables, Column("id", BigInteger, primary_key=True), Column("body", Text, nullable=False, unique=True))

run_environment(tables)
