-- Quotas that grow from day to day: when the first message of a server under one was sent.

CREATE TABLE warm_up (
    server TEXT PRIMARY KEY,
    began_at REAL NOT NULL,
    -- As it was written last: for who asks how things stand.
    first_quota INTEGER NOT NULL,
    factor REAL NOT NULL,
    last_quota INTEGER NOT NULL
) STRICT;
