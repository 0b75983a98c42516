-- create listed --
-- Who the campaign's own suppression files name; only this connection sees it.
CREATE TEMPORARY TABLE IF NOT EXISTS listed (mailbox TEXT PRIMARY KEY, reason TEXT NOT NULL);

-- empty listed --
-- Forget them.
DELETE FROM temp.listed;

-- list --
-- One of them; the first reason counts.
INSERT INTO temp.listed (mailbox, reason) VALUES (?, ?) ON CONFLICT (mailbox) DO NOTHING;

-- list suppression --
-- The ledger's own list applies as well.
INSERT INTO temp.listed (mailbox, reason)
SELECT mailbox, 'on the suppression list' FROM suppression WHERE true
ON CONFLICT (mailbox) DO NOTHING;

-- clear --
-- Rows of the list that nothing is held against any more wait again; their attempts stay.
UPDATE delivery SET
    state = CASE state WHEN 'in_doubt' THEN state ELSE 'pending' END,
    reason = CASE state WHEN 'in_doubt' THEN reason ELSE '' END,
    due_at = CASE state WHEN 'in_doubt' THEN due_at ELSE coalesce(due_at, 0) END,
    cause = NULL, updated_at = :now
WHERE campaign_id = :campaign_id AND state IN ('suppressed', 'failed', 'in_doubt')
    AND generation = (SELECT generation FROM campaign WHERE id = :campaign_id)
    AND verdict IS NULL
    AND (
        cause = 'gone' OR cause = 'row' OR cause = 'skipped' OR (cause = 'check' AND :recheck)
        OR (cause = 'listed' AND coalesce(mailbox, key) NOT IN (SELECT mailbox FROM temp.listed))
    );

-- judge rows --
-- What the list's own row came to holds for those that wait, or were held back before.
UPDATE delivery SET
    state = CASE state WHEN 'in_doubt' THEN state ELSE verdict END,
    reason = CASE state WHEN 'in_doubt' THEN reason ELSE verdict_reason END,
    cause = 'row', updated_at = :now
WHERE campaign_id = :campaign_id AND verdict IS NOT NULL
    AND (
        state IN ('pending', 'deferred')
        OR (state = 'in_doubt' AND cause IS NULL)
        OR (state IN ('failed', 'suppressed') AND cause <> 'cancelled'
            AND NOT (cause = 'row' AND state = verdict AND reason = verdict_reason))
    );

-- judge gone --
-- Rows that the list no longer holds; what is sent, failed at a server or in doubt stays so.
UPDATE delivery SET
    state = CASE state WHEN 'in_doubt' THEN state ELSE 'suppressed' END,
    reason = CASE state WHEN 'in_doubt' THEN reason ELSE 'gone from the list' END,
    cause = 'gone', updated_at = :now
WHERE campaign_id = :campaign_id
    AND generation < (SELECT generation FROM campaign WHERE id = :campaign_id)
    AND (
        state IN ('pending', 'deferred')
        OR (state = 'in_doubt' AND cause IS NULL)
        OR (state IN ('failed', 'suppressed') AND cause NOT IN ('gone', 'cancelled'))
    );

-- judge listed --
-- Rows that wait, and are on a suppression list.
UPDATE delivery SET
    state = CASE state WHEN 'in_doubt' THEN state ELSE 'suppressed' END,
    reason = CASE state
        WHEN 'in_doubt' THEN reason
        ELSE (
            SELECT l.reason FROM temp.listed AS l
            WHERE l.mailbox = coalesce(delivery.mailbox, delivery.key)
        )
    END,
    cause = 'listed', updated_at = :now
WHERE id IN (
    SELECT d.id FROM temp.listed AS l CROSS JOIN delivery AS d
    WHERE d.campaign_id = :campaign_id AND d.key = l.mailbox AND d.mailbox IS NULL
    UNION ALL
    SELECT d.id FROM temp.listed AS l CROSS JOIN delivery AS d
    -- By the index of mailboxes: all of the campaign's rows are many.
    WHERE d.mailbox = l.mailbox AND +d.campaign_id = :campaign_id
)
AND cause IS NULL AND state IN ('pending', 'deferred', 'in_doubt');

-- judge put back --
-- Of the rows that were put back, those on a suppression list; the others are for `admit`.
UPDATE delivery SET
    state = 'suppressed', cause = 'listed', due_at = 0, updated_at = :now,
    reason = (
        SELECT l.reason FROM temp.listed AS l
        WHERE l.mailbox = coalesce(delivery.mailbox, delivery.key)
    )
WHERE campaign_id = :campaign_id AND state = 'pending' AND due_at IS NULL AND owner IS NULL
    AND coalesce(mailbox, key) IN (SELECT mailbox FROM temp.listed);

-- admit --
-- Rows that were put back are due, if they still have what a message is made of.
UPDATE delivery SET due_at = 0
WHERE campaign_id = :campaign_id AND state = 'pending' AND due_at IS NULL AND owner IS NULL
    AND fields IS NOT NULL;

-- fail row --
-- A row that was found unfit by the check, while nobody holds it.
UPDATE delivery SET state = 'failed', reason = :reason, cause = 'check', updated_at = :now
WHERE id = :id AND campaign_id = :campaign_id AND state IN ('pending', 'deferred')
    AND owner IS NULL;

-- skip row --
-- A row that gets nothing by the campaign's condition, while nobody holds it.
UPDATE delivery SET state = 'suppressed', reason = :reason, cause = 'skipped', updated_at = :now
WHERE id = :id AND campaign_id = :campaign_id AND state IN ('pending', 'deferred')
    AND owner IS NULL;
