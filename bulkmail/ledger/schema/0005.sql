-- What was checked of a campaign, and what went out.

-- By the campaign's name: a person may check one that the ledger does not hold yet.
CREATE TABLE checked (
    id INTEGER PRIMARY KEY,
    campaign TEXT NOT NULL UNIQUE,
    -- When a person last checked it without a fault, and what they did: JSON, part to digest.
    -- NULL: nobody did, or the last check of it was cut off or found a fault.
    at REAL,
    facts TEXT
) STRICT;

-- Rows' own files as they were when the row was last checked.
CREATE TABLE checked_file (
    checked_id INTEGER NOT NULL REFERENCES checked (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    -- The campaign's entry: attachments[1], inline.photo.
    entry TEXT NOT NULL,
    path BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    -- 1: so it was when a person checked it.
    by_person INTEGER NOT NULL,
    PRIMARY KEY (checked_id, key, entry)
) STRICT, WITHOUT ROWID;

-- The message that went out, or may have; NULL before. Attachments are a JSON list.
ALTER TABLE delivery ADD COLUMN message_sha256 BLOB;
ALTER TABLE delivery ADD COLUMN attachments TEXT;
