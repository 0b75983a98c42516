-- The ledger's first schema: campaigns, their deliveries, what was tried, limits, suppression.
-- Moments are epoch seconds. JSON is text. A claim is owner, epoch and lease_until on the row.

CREATE TABLE campaign (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- The campaign's file, relative to the project root.
    path TEXT NOT NULL,
    key_column TEXT NOT NULL,
    -- From's domain at the first enrolment; Message-IDs end in it.
    from_domain TEXT NOT NULL,
    -- The last complete generation; 0: none yet.
    generation INTEGER NOT NULL DEFAULT 0,
    -- The last generation begun; above `generation` while a pass is under way or was cut off.
    enrolling INTEGER NOT NULL DEFAULT 0,
    -- NULL from the beginning of a pass to its completion.
    list_sha256 TEXT,
    -- What was checked, in the application's own words.
    fingerprint TEXT,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaign (id),
    -- The generation that enrolled it, and the last one whose list held it.
    born INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    row_number INTEGER NOT NULL,
    key TEXT NOT NULL,
    -- As on the wire.
    address TEXT NOT NULL,
    -- The address in lower case, where that is not the key; a second index of random order would
    -- cost half of the first one's enrolment again.
    mailbox TEXT,
    domain TEXT NOT NULL,
    message_id TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (
        state IN ('pending', 'sending', 'sent', 'deferred', 'failed', 'suppressed', 'in_doubt')
    ),
    reason TEXT NOT NULL DEFAULT '',
    -- What the ledger itself holds against the row, to be judged anew: gone, row, check, listed,
    -- skipped. NULL: nothing, or the state is what an attempt came to.
    cause TEXT,
    -- What the list's own row came to in the last pass: failed or suppressed, and why. NULL: fine.
    verdict TEXT,
    verdict_reason TEXT,
    -- 0: at once. NULL: not by itself (a doubt that is held).
    due_at REAL,
    owner TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    lease_until REAL,
    -- The state before the `sending` mark, for a claim that is given back untried.
    before_mark TEXT,
    -- The instant of the try that is marked.
    started_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    doubts INTEGER NOT NULL DEFAULT 0,
    first_attempt_at REAL,
    -- The last attempt's facts.
    server TEXT,
    stage TEXT,
    code INTEGER,
    enhanced_code TEXT,
    reply TEXT,
    refused_recipients TEXT,
    updated_at REAL NOT NULL,
    -- The row's columns as JSON; NULL once they are no longer needed. Last, for it is long.
    fields TEXT
) STRICT;

CREATE UNIQUE INDEX delivery_key ON delivery (campaign_id, key);
CREATE INDEX delivery_due ON delivery (campaign_id, state, due_at, id);
CREATE INDEX delivery_row ON delivery (campaign_id, row_number, id);
CREATE INDEX delivery_born ON delivery (campaign_id, born);
CREATE INDEX delivery_domain ON delivery (campaign_id, domain);
CREATE INDEX delivery_mailbox ON delivery (mailbox) WHERE mailbox IS NOT NULL;
CREATE INDEX delivery_claimed ON delivery (campaign_id, owner) WHERE owner IS NOT NULL;
CREATE INDEX delivery_verdict ON delivery (campaign_id) WHERE verdict IS NOT NULL;

CREATE TABLE duplicate (
    campaign_id INTEGER NOT NULL REFERENCES campaign (id),
    generation INTEGER NOT NULL,
    row_number INTEGER NOT NULL,
    key TEXT NOT NULL,
    first_row INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, generation, row_number)
) STRICT;

-- Attempts that did not end in `sent`; that one is on the delivery itself.
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    delivery_id INTEGER NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
    at REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    server TEXT,
    stage TEXT,
    code INTEGER,
    enhanced_code TEXT,
    reply TEXT
) STRICT;

CREATE INDEX attempt_delivery ON attempt (delivery_id);

-- A pace: the last slot that was given out.
CREATE TABLE pace (
    server TEXT NOT NULL,
    seconds REAL NOT NULL,
    last_at REAL NOT NULL,
    PRIMARY KEY (server, seconds)
) STRICT;

-- A quota: permits by bucket of the window, whatever the count allowed was at the time.
CREATE TABLE quota (
    server TEXT NOT NULL,
    seconds REAL NOT NULL,
    bucket INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (server, seconds, bucket)
) STRICT;

-- Who gets nothing from any campaign; addresses in lower case.
CREATE TABLE suppression (
    mailbox TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    added_at REAL NOT NULL
) STRICT;
