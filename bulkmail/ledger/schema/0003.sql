-- Limits by recipient domain, and paces that were learned from what servers said.

-- The limit a row counts under: a group of domains by name; '': none. Each run sets it anew.
ALTER TABLE delivery ADD COLUMN scope TEXT NOT NULL DEFAULT '';

DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (campaign_id, state, scope, due_at, id);
CREATE INDEX delivery_scope ON delivery (campaign_id, scope) WHERE scope <> '';

-- Who asked for a lower pace: a server, or "domain:" and the name of a group.
CREATE TABLE slowdown (
    scope TEXT PRIMARY KEY,
    -- Messages per second at `at`; it grows to `full`, and is forgotten then.
    pace REAL NOT NULL,
    full REAL NOT NULL,
    at REAL NOT NULL,
    -- What was said, by whom it was.
    reason TEXT NOT NULL
) STRICT;
