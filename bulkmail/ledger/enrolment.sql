-- found --
-- Make the campaign where it is new.
INSERT INTO campaign (name, path, key_column, origin, from_domain, created_at)
VALUES (:name, :path, :key_column, :origin, :from_domain, :now)
ON CONFLICT (name) DO NOTHING;

-- unborn --
-- Some of the rows that a pass which was never completed brought into the ledger.
SELECT id FROM delivery
WHERE campaign_id = :campaign_id
    AND born > (SELECT generation FROM campaign WHERE id = :campaign_id)
LIMIT 5000;

-- remove --
-- Delete a row that was never claimed.
DELETE FROM delivery WHERE id = ?;

-- remove duplicates --
-- Forget the duplicates of passes that were never completed.
DELETE FROM duplicate
WHERE campaign_id = :campaign_id
    AND generation > (SELECT generation FROM campaign WHERE id = :campaign_id);

-- remove other duplicates --
-- Forget the duplicates of every generation but one.
DELETE FROM duplicate WHERE campaign_id = :campaign_id AND generation <> :generation;

-- open generation --
-- Begin a pass: until it is complete nothing can be claimed, and the list counts as unknown.
UPDATE campaign SET enrolling = enrolling + 1, list_sha256 = NULL WHERE name = :name
RETURNING id, enrolling, origin, from_domain;

-- is open --
-- One row while this pass is the campaign's latest, and not complete.
SELECT 1 FROM campaign
WHERE id = :campaign_id AND enrolling = :generation AND generation < :generation;

-- enrol --
-- One row of the list; a key that this pass saw before changes nothing.
INSERT INTO delivery (
    campaign_id, born, generation, row_number, key, address, mailbox, domain, message_id,
    verdict, verdict_reason, due_at, updated_at, fields
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE true
ON CONFLICT (campaign_id, key) DO UPDATE SET
    generation = excluded.generation,
    row_number = excluded.row_number,
    verdict = excluded.verdict,
    verdict_reason = excluded.verdict_reason,
    address = CASE delivery.state WHEN 'sent' THEN delivery.address ELSE excluded.address END,
    mailbox = CASE delivery.state WHEN 'sent' THEN delivery.mailbox ELSE excluded.mailbox END,
    domain = CASE delivery.state WHEN 'sent' THEN delivery.domain ELSE excluded.domain END,
    fields = CASE
        WHEN delivery.state = 'sent' THEN delivery.fields
        WHEN delivery.cause = 'cancelled' AND delivery.fields IS NULL THEN NULL
        ELSE excluded.fields
    END
WHERE delivery.generation < excluded.generation;

-- note duplicate --
-- Remember a row whose key stands earlier in the list; a first row changes nothing.
INSERT INTO duplicate (campaign_id, generation, row_number, key, first_row)
SELECT :campaign_id, :generation, :row_number, :key, row_number FROM delivery
WHERE campaign_id = :campaign_id AND key = :key AND row_number <> :row_number;

-- pass --
-- Rows of a pass under way that will wait, or were tried before and wait again.
SELECT id, epoch, row_number, key, address, fields, attempts, doubts, first_attempt_at, message_id
FROM delivery
WHERE id > :after AND +campaign_id = :campaign_id AND generation = :generation
    AND verdict IS NULL
    AND (
        state IN ('pending', 'deferred', 'in_doubt')
        OR (state IN ('suppressed', 'failed') AND cause <> 'cancelled')
    )
ORDER BY id LIMIT :limit;

-- complete --
-- The pass is whole: its generation is the campaign's.
UPDATE campaign SET
    generation = :generation, list_sha256 = :list_sha256, path = :path, key_column = :key_column
WHERE id = :campaign_id;

-- forget --
-- A campaign whose first pass was given up leaves nothing behind.
DELETE FROM campaign WHERE id = :campaign_id AND generation = 0;

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
