"""PostgreSQL: connections, transactions, migrations, the embedded server and the work queue."""
