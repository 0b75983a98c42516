-- warm up --
-- Where a server's quota has grown from.
SELECT server, began_at, first_quota, factor, last_quota FROM warm_up WHERE server = :server;

-- warm ups --
-- All of them.
SELECT server, began_at, first_quota, factor, last_quota FROM warm_up ORDER BY server;

-- begin --
-- Day one begins; one that has begun stays, and is written as it is now.
INSERT INTO warm_up (server, began_at, first_quota, factor, last_quota)
VALUES (:server, :began_at, :first_quota, :factor, :last_quota)
ON CONFLICT (server) DO UPDATE SET
    first_quota = excluded.first_quota,
    factor = excluded.factor,
    last_quota = excluded.last_quota;

-- take back --
-- Day one has not begun after all: what was taken of it is unused.
DELETE FROM warm_up
WHERE server = :server AND began_at > :after AND NOT EXISTS (
    SELECT 1 FROM quota WHERE server = :server AND seconds = :seconds AND used > 0
);
