"""Intake, runs, ledger, evidence, temporary changes, pauses, cleanup and what was observed."""

from alembic import op

from auto_healing.storage.models import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    op.execute("INSERT INTO healing.leader (id, epoch, holder) VALUES (1, 0, '')")
    op.execute("INSERT INTO healing.election (id, holder, expires_at) VALUES (1, '', '-infinity')")
    op.execute("INSERT INTO healing.intake (id, cursor) VALUES (1, 0)")
    op.execute("INSERT INTO healing.ledger_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'))")
    op.execute(_ONLY_ROTATED)
    op.execute(_ANCHOR_IS_TRUE)
    for statement in _PROTECTION:
        op.execute(statement)


# Entries are never changed, and go only behind an anchor, which has to say what they ended with.
_ONLY_ROTATED = """
CREATE FUNCTION healing.ledger_only_rotated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'ledger' THEN
        IF OLD.seq <= (SELECT max(seq) FROM healing.ledger_anchor) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the ledger is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING HINT = 'old entries are removed by rotation only; see the setting that says how long entries are kept';
END $$
"""
_ANCHOR_IS_TRUE = """
CREATE FUNCTION healing.ledger_anchor_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM healing.ledger WHERE seq = NEW.seq AND hash = NEW.hash) THEN
        RAISE EXCEPTION 'an anchor has to repeat the hash of an entry of the ledger';
    END IF;
    RETURN NEW;
END $$
"""
_PROTECTION = (
    """CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON healing.ledger
       FOR EACH ROW EXECUTE FUNCTION healing.ledger_only_rotated()""",
    """CREATE TRIGGER never_emptied BEFORE TRUNCATE ON healing.ledger
       FOR EACH STATEMENT EXECUTE FUNCTION healing.ledger_only_rotated()""",
    """CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON healing.ledger_anchor
       FOR EACH ROW EXECUTE FUNCTION healing.ledger_only_rotated()""",
    """CREATE TRIGGER never_emptied BEFORE TRUNCATE ON healing.ledger_anchor
       FOR EACH STATEMENT EXECUTE FUNCTION healing.ledger_only_rotated()""",
    """CREATE TRIGGER of_an_entry BEFORE INSERT ON healing.ledger_anchor
       FOR EACH ROW EXECUTE FUNCTION healing.ledger_anchor_is_true()""",
)
