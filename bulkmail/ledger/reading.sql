-- counts --
-- Deliveries by state.
SELECT state, count(*) FROM delivery WHERE campaign_id = :campaign_id GROUP BY state;

-- unborn counts --
-- Those of a pass that is not complete, by state.
SELECT state, count(*) FROM delivery
WHERE campaign_id = :campaign_id
    AND born > (SELECT generation FROM campaign WHERE id = :campaign_id)
GROUP BY state;

-- duplicate count --
-- How many rows of the list repeat a key.
SELECT count(*) FROM duplicate
WHERE campaign_id = :campaign_id
    AND generation = (SELECT generation FROM campaign WHERE id = :campaign_id);

-- duplicates --
-- The rows that repeat a key, and the row that has it first.
SELECT row_number, key, first_row FROM duplicate
WHERE campaign_id = :campaign_id
    AND generation = (SELECT generation FROM campaign WHERE id = :campaign_id)
ORDER BY row_number;

-- last update --
-- When a delivery of the campaign changed last.
SELECT max(updated_at) FROM delivery WHERE campaign_id = :campaign_id;

-- held --
-- How many in doubt are not sent to again: a person has to decide, or has cancelled.
SELECT count(*) FROM delivery
WHERE campaign_id = :campaign_id AND state = 'in_doubt' AND (cause IS NOT NULL OR due_at IS NULL);

-- tried since --
-- How many deliveries were tried since then.
SELECT count(*) FROM delivery
WHERE campaign_id = :campaign_id AND updated_at >= :since
    AND state NOT IN ('pending', 'suppressed');

-- rows --
-- Rows of the list as it is, in the order of their enrolment.
SELECT id, epoch, row_number, key, address, fields, attempts, doubts, first_attempt_at, message_id,
    state
FROM delivery
WHERE id > :after AND +campaign_id = :campaign_id
    AND generation = (SELECT generation FROM campaign WHERE id = :campaign_id)
ORDER BY id;

-- row --
-- One row of the list by its number.
SELECT id, epoch, row_number, key, address, fields, attempts, doubts, first_attempt_at, message_id
FROM delivery
WHERE campaign_id = :campaign_id AND row_number = :row_number
    AND generation = (SELECT generation FROM campaign WHERE id = :campaign_id);

-- mailbox --
-- The first row of the list with an address.
SELECT id, epoch, row_number, key, address, fields, attempts, doubts, first_attempt_at, message_id
FROM delivery
WHERE ((campaign_id = :campaign_id AND key = :mailbox AND mailbox IS NULL)
        OR (mailbox = :mailbox AND campaign_id = :campaign_id))
    AND generation = (SELECT generation FROM campaign WHERE id = :campaign_id)
ORDER BY row_number LIMIT 1;

-- report --
-- A page of the report, in the list's order.
SELECT row_number, id, address, key, state, reason, attempts, server, stage, code, enhanced_code,
    reply, refused_recipients, message_id, gateway_id, updated_at,
    CASE WHEN state IN ('sent', 'sending', 'in_doubt') THEN attachments END,
    CASE WHEN state IN ('sent', 'sending', 'in_doubt') THEN message_sha256 END
FROM delivery
WHERE campaign_id = :campaign_id AND (row_number, id) > (:row_number, :id)
    AND (:state IS NULL OR state = :state)
    AND born <= (SELECT generation FROM campaign WHERE id = :campaign_id)
ORDER BY row_number, id LIMIT :limit;

-- reasons --
-- What ended or holds deliveries, the most frequent first, with a few addresses each. What a server
-- said before a row was suppressed is not why it is.
SELECT state, code, enhanced_code, reason, reply, address, total FROM (
    SELECT state, code, enhanced_code, reason, reply, address,
        count(*) OVER (PARTITION BY state, code, enhanced_code, word) AS total,
        row_number() OVER (
            PARTITION BY state, code, enhanced_code, word ORDER BY row_number, id
        ) AS place,
        word
    FROM (
        SELECT state, reason, address, row_number, id,
            CASE WHEN state <> 'suppressed' THEN code END AS code,
            CASE WHEN state <> 'suppressed' THEN enhanced_code END AS enhanced_code,
            CASE WHEN state <> 'suppressed' THEN reply END AS reply,
            CASE WHEN code IS NULL OR state = 'suppressed' THEN reason END AS word
        FROM delivery
        WHERE campaign_id = :campaign_id
            AND state IN ('deferred', 'failed', 'suppressed', 'in_doubt')
            AND born <= (SELECT generation FROM campaign WHERE id = :campaign_id)
    ) AS ended
) AS ranked
WHERE place <= 3
ORDER BY total DESC, state, code, enhanced_code, word, place;

-- quotas --
-- What was used of all quotas, by bucket; not what is there for another clock (`quota.py`).
SELECT server, seconds, bucket, used FROM quota WHERE used > 0 AND seconds > 0 ORDER BY bucket;

-- waiting by domain --
-- Who is still to be sent to, by recipient domain.
SELECT domain, count(*) FROM delivery
WHERE campaign_id = :campaign_id AND (
    state IN ('pending', 'deferred') OR (state = 'in_doubt' AND cause IS NULL AND due_at IS NOT NULL)
)
GROUP BY domain;

-- by server --
-- Deliveries by the server of their last attempt.
SELECT server, state, count(*) FROM delivery
WHERE campaign_id = :campaign_id AND server IS NOT NULL
GROUP BY server, state ORDER BY server, state;
