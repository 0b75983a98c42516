-- found --
-- Make the campaign where it is new.
INSERT INTO campaign (name, path, key_column, origin, from_domain, created_at)
VALUES (:name, :path, :key_column, :origin, :from_domain, :now)
ON CONFLICT (name) DO NOTHING;

-- unborn --
-- Some of the rows that a pass which was never completed brought into the ledger, and none behind
-- the latest one has seen.
SELECT id FROM delivery
WHERE campaign_id = :campaign_id
    AND generation <= :latest
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
