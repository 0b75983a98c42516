-- pace --
-- The last slot that was given out under a pace.
SELECT last_at FROM pace WHERE server = :server AND seconds = :seconds;

-- set pace --
-- Remember the last slot.
INSERT INTO pace (server, seconds, last_at) VALUES (:server, :seconds, :last_at)
ON CONFLICT (server, seconds) DO UPDATE SET last_at = excluded.last_at;

-- quota --
-- What was used of a quota, by bucket, the oldest first.
SELECT bucket, used FROM quota
WHERE server = :server AND seconds = :seconds AND bucket >= :first
ORDER BY bucket;

-- use --
-- Count permits in a bucket.
INSERT INTO quota (server, seconds, bucket, used) VALUES (:server, :seconds, :bucket, :used)
ON CONFLICT (server, seconds, bucket) DO UPDATE SET used = quota.used + excluded.used;

-- give back --
-- Permits of a bucket that were never used.
UPDATE quota SET used = CASE WHEN used > :used THEN used - :used ELSE 0 END
WHERE server = :server AND seconds = :seconds AND bucket = :bucket;

-- prune --
-- Forget all but the last so many buckets.
DELETE FROM quota WHERE server = :server AND seconds = :seconds AND bucket < (
    SELECT bucket FROM quota AS latest
    WHERE latest.server = :server AND latest.seconds = :seconds
    ORDER BY bucket DESC LIMIT 1 OFFSET :kept
);

-- forget ahead --
-- Buckets of a clock that was set back since.
DELETE FROM quota WHERE server = :server AND seconds = :seconds AND bucket >= :first;

-- slowdown --
-- What was learned of a scope's pace.
SELECT scope, pace, full, at, reason FROM slowdown WHERE scope = :scope;

-- slowdowns --
-- All that was learned.
SELECT scope, pace, full, at, reason FROM slowdown ORDER BY scope;

-- set slowdown --
-- Remember a lower pace.
INSERT INTO slowdown (scope, pace, full, at, reason) VALUES (:scope, :pace, :full, :at, :reason)
ON CONFLICT (scope) DO UPDATE SET
    pace = excluded.pace, full = excluded.full, at = excluded.at, reason = excluded.reason;
