"""PostgreSQL: events in order and once, published findings, history of scores."""
