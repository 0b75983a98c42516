-- Schedules: when a campaign was first seen, and what became of each time it was due.

CREATE TABLE series (
    -- The campaign's name.
    name TEXT PRIMARY KEY,
    first_seen_at REAL NOT NULL
) STRICT;

CREATE TABLE occurrence (
    id INTEGER PRIMARY KEY,
    series TEXT NOT NULL REFERENCES series (name),
    due_at REAL NOT NULL,
    -- The ledger's name of its campaign: the series' own for `at`.
    campaign TEXT NOT NULL,
    -- Earlier times that were missed, and run as one with it.
    missed INTEGER NOT NULL,
    -- When its list began to be read, the last time that was tried.
    begun_at REAL NOT NULL,
    ended_at REAL,
    -- done, nobody, too late, superseded; NULL: it is under way, or waits.
    outcome TEXT,
    -- Why it ended so, or what it waits for.
    reason TEXT NOT NULL DEFAULT '',
    UNIQUE (series, due_at)
) STRICT;

CREATE INDEX occurrence_campaign ON occurrence (campaign);
