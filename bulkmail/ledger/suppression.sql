-- add --
-- Put an address on the list; a known one keeps its first reason.
INSERT INTO suppression (mailbox, reason, added_at) VALUES (:mailbox, :reason, :now)
ON CONFLICT (mailbox) DO NOTHING;

-- apply --
-- Who waits in any campaign, and is claimed by nobody, is suppressed at once.
UPDATE delivery SET
    state = CASE state WHEN 'in_doubt' THEN state ELSE 'suppressed' END,
    reason = CASE state WHEN 'in_doubt' THEN reason ELSE 'on the suppression list' END,
    cause = 'listed', updated_at = :now
WHERE id IN (
    SELECT d.id FROM campaign AS c CROSS JOIN delivery AS d
    WHERE d.campaign_id = c.id AND d.key = :mailbox AND d.mailbox IS NULL
    UNION ALL
    SELECT id FROM delivery WHERE mailbox = :mailbox
)
AND owner IS NULL AND cause IS NULL AND state IN ('pending', 'deferred', 'in_doubt');

-- remove --
-- Take an address off the list.
DELETE FROM suppression WHERE mailbox = :mailbox;

-- all --
-- The list in the order of the alphabet.
SELECT mailbox, reason, added_at FROM suppression ORDER BY mailbox;

-- is listed --
-- One row for an address on the list.
SELECT 1 FROM suppression WHERE mailbox = :mailbox;
