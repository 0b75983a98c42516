-- see --
-- Note that a campaign with a schedule was seen; only the first time counts, unless it has yet to
-- come: then the clock was ahead.
INSERT INTO series (name, first_seen_at) VALUES (:series, :now)
ON CONFLICT (name) DO UPDATE SET first_seen_at = excluded.first_seen_at
WHERE first_seen_at > excluded.first_seen_at;

-- first seen --
-- When that was.
SELECT first_seen_at FROM series WHERE name = :series;

-- occurrences --
-- What became of each time a campaign was due, the latest first.
SELECT series, due_at, campaign, missed, begun_at, ended_at, outcome, reason
FROM occurrence WHERE :series IS NULL OR series = :series
ORDER BY due_at DESC, series LIMIT :limit;

-- unfinished --
-- Those of a series that did not end, and of the latest those of which somebody was put back.
SELECT series, due_at, campaign, missed, begun_at, ended_at, outcome, reason
FROM occurrence
WHERE id IN (
    SELECT id FROM occurrence WHERE series = :series AND ended_at IS NULL
    UNION ALL
    SELECT id FROM (
        SELECT id, campaign FROM occurrence WHERE series = :series ORDER BY due_at DESC LIMIT 500
    ) AS latest
    WHERE EXISTS (
        SELECT 1 FROM campaign JOIN delivery ON delivery.campaign_id = campaign.id
        WHERE campaign.name = latest.campaign AND campaign.generation > 0
            AND delivery.state IN ('pending', 'deferred')
    )
)
ORDER BY due_at;

-- handled --
-- The last time of a series that was begun or skipped; none that lies so far ahead that the clock
-- must have been wrong.
SELECT max(due_at) FROM occurrence WHERE series = :series AND due_at <= :farthest;

-- handled at --
-- That time, if it was begun or skipped.
SELECT due_at FROM occurrence WHERE series = :series AND due_at = :at;

-- last read --
-- When the list was read for the occurrence before one: it was begun just then.
SELECT begun_at FROM occurrence
WHERE series = :series AND due_at < :due_at AND coalesce(outcome, '') <> 'too late' AND (
    outcome = 'nobody'
    OR EXISTS (SELECT 1 FROM campaign WHERE name = occurrence.campaign AND generation > 0)
)
ORDER BY due_at DESC LIMIT 1;

-- open --
-- Begin an occurrence; one that was begun before stays as it is.
INSERT INTO occurrence (series, due_at, campaign, missed, begun_at)
VALUES (:series, :due_at, :campaign, :missed, :now)
ON CONFLICT (series, due_at) DO NOTHING;

-- begin again --
-- Its list is read now: an earlier try came to nothing.
UPDATE occurrence SET begun_at = :now WHERE series = :series AND due_at = :due_at;

-- note --
-- What it waits for, or why it cannot go on.
UPDATE occurrence SET reason = :reason, ended_at = NULL, outcome = NULL
WHERE series = :series AND due_at = :due_at;

-- end --
-- How it ended.
UPDATE occurrence SET ended_at = :now, outcome = :outcome, reason = :reason
WHERE series = :series AND due_at = :due_at;

-- in time again --
-- Who got nothing of an earlier time because it was too late waits for this one; the lists of who
-- gets nothing are asked first.
UPDATE delivery SET
    state = 'pending', reason = '', cause = NULL, due_at = NULL, updated_at = :now
WHERE campaign_id = :campaign_id AND state = 'suppressed' AND cause = 'cancelled'
    AND reason LIKE 'too late%';

-- too late --
-- Who waits gets nothing any more. The cause is a cancellation's: only a person takes it back.
UPDATE delivery SET
    state = 'suppressed', reason = :reason, cause = 'cancelled', updated_at = :now
WHERE campaign_id = :campaign_id AND state IN ('pending', 'deferred') AND owner IS NULL;
