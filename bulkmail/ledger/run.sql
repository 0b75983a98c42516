-- due --
-- Who may be claimed of those in one state, the oldest due first, by its index; as `read_delivery`
-- has them, with the epoch that the claim gives them. What the owner still holds is not claimed
-- again, however old its lease. `among` is a JSON list of the ids to choose from, or NULL; `scope` the
-- domain limit whose rows are meant, '' those under none. The state is told by a query of its own: as
-- it stands beside `delivery_put_back`, SQLite would compile the statement anew for each value of it.
SELECT due_at, id, epoch + 1, row_number, key, address, fields, attempts, doubts,
    first_attempt_at, message_id,
    CASE WHEN state = 'deferred' AND stage = 'rcpt' AND code IN (450, 451) THEN server END
FROM delivery
WHERE campaign_id = :campaign_id AND state = (SELECT :state) AND scope = :scope
    AND due_at <= :now AND (lease_until IS NULL OR (lease_until < :now AND owner <> :owner))
    AND (:among IS NULL OR id IN (SELECT value FROM json_each(:among)))
    AND (state <> 'in_doubt' OR cause IS NULL)
    AND EXISTS (
        SELECT 1 FROM campaign
        WHERE campaign.id = :campaign_id AND generation > 0 AND generation = enrolling
            AND halt IS NULL
    )
ORDER BY due_at, id LIMIT :limit;

-- lease --
-- Lease these, a JSON list of ids, to one owner.
UPDATE delivery SET owner = :owner, epoch = epoch + 1, lease_until = :lease_until
WHERE id IN (SELECT value FROM json_each(:ids));

-- mark --
-- The end of data may go out from here on; not to who was put on the suppression list meanwhile.
-- A row of VALUES is a `Mark` of tries.py.
UPDATE delivery SET
    before_mark = state, state = 'sending', started_at = told.started_at,
    lease_until = told.lease_until, message_sha256 = told.message_sha256,
    attachments = told.attachments, updated_at = told.now
FROM (
    SELECT column1 AS id, column2 AS epoch, column3 AS owner, column4 AS started_at, column5 AS now,
        column6 AS lease_until, column7 AS message_sha256, column8 AS attachments
    FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?))
) AS told
WHERE delivery.id = told.id AND delivery.epoch = told.epoch AND delivery.owner = told.owner
    AND delivery.state IN ('pending', 'deferred', 'in_doubt')
    AND NOT EXISTS (
        SELECT 1 FROM suppression
        WHERE suppression.mailbox = coalesce(delivery.mailbox, delivery.key)
    );

-- let go --
-- End a claim whose mark was refused.
UPDATE delivery SET owner = NULL, lease_until = NULL
WHERE id = :id AND epoch = :epoch AND owner = :owner AND state <> 'sending';

-- record --
-- What a try came to, and the end of its claim. `pending` is no try: what was deferred or in doubt
-- before it stays so, and is due at once. A row of VALUES is a `Result` of tries.py.
UPDATE delivery SET
    state = CASE
        WHEN told.state <> 'pending' THEN told.state ELSE coalesce(before_mark, delivery.state)
    END,
    reason = CASE
        WHEN told.state = 'pending' AND coalesce(before_mark, delivery.state) = 'in_doubt'
            THEN delivery.reason
        ELSE told.reason
    END,
    due_at = told.due_at,
    cause = CASE told.state WHEN 'suppressed' THEN 'skipped' END,
    owner = NULL, lease_until = NULL, before_mark = NULL, started_at = NULL,
    attempts = attempts + told.counted, doubts = doubts + told.doubted,
    first_attempt_at = CASE
        WHEN told.state IN ('pending', 'suppressed') THEN first_attempt_at
        WHEN attempts > 0 THEN coalesce(first_attempt_at, told.started_at)
        ELSE told.started_at
    END,
    server = told.server, stage = told.stage, code = told.code,
    enhanced_code = told.enhanced_code, reply = told.reply,
    refused_recipients = told.refused_recipients, gateway_id = told.gateway_id,
    fields = CASE WHEN told.state <> 'sent' OR told.keep_fields THEN fields END,
    updated_at = told.at
FROM (
    SELECT column1 AS id, column2 AS epoch, column3 AS owner, column4 AS at, column5 AS started_at,
        column6 AS state, column7 AS reason, column8 AS due_at, column9 AS counted,
        column10 AS doubted, column11 AS server, column12 AS stage, column13 AS code,
        column14 AS enhanced_code, column15 AS reply, column16 AS refused_recipients,
        column17 AS gateway_id, column18 AS keep_fields
    FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
) AS told
WHERE delivery.id = told.id AND delivery.epoch = told.epoch AND delivery.owner = told.owner;

-- amend --
-- What became of cc and bcc behind the first transaction of a message that was accepted.
UPDATE delivery SET refused_recipients = :refused, reason = :reason, updated_at = :now
WHERE id = :id AND epoch = :epoch AND state = 'sent';

-- note attempt --
-- The history of what did not end in `sent`.
INSERT INTO attempt (
    delivery_id, at, state, reason, server, stage, code, enhanced_code, reply
) VALUES (:id, :at, :state, :reason, :server, :stage, :code, :enhanced_code, :reply);

-- release --
-- Give a claim back untried; a mark is taken back too.
UPDATE delivery SET
    state = coalesce(before_mark, state), before_mark = NULL, started_at = NULL,
    owner = NULL, lease_until = NULL
WHERE id = :id AND epoch = :epoch AND owner = :owner;

-- apply suppression --
-- A row that was claimed when its address was listed is suppressed once it waits again; a doubt is
-- held.
UPDATE delivery SET
    state = CASE state WHEN 'in_doubt' THEN state ELSE 'suppressed' END,
    reason = CASE state WHEN 'in_doubt' THEN reason ELSE 'on the suppression list' END,
    cause = 'listed', updated_at = :now
WHERE id = :id AND state IN ('pending', 'deferred', 'in_doubt') AND owner IS NULL AND cause IS NULL
    AND coalesce(mailbox, key) IN (SELECT mailbox FROM suppression);

-- apply cancellation --
-- The same for a row that was claimed when its campaign was cancelled; a doubt is held.
UPDATE delivery SET
    state = CASE state WHEN 'in_doubt' THEN state ELSE 'suppressed' END,
    reason = CASE state WHEN 'in_doubt' THEN reason ELSE 'cancelled' END,
    fields = CASE WHEN state = 'in_doubt' OR :keep_fields THEN fields END,
    cause = 'cancelled', updated_at = :now
WHERE id = :id AND state IN ('pending', 'deferred', 'in_doubt') AND owner IS NULL
    AND (SELECT halt FROM campaign WHERE campaign.id = delivery.campaign_id) = 'cancelled';

-- next due --
-- The earliest moment at which there may be something to claim of these scopes, a JSON list; with
-- `others`, also by the end of other owners' leases, else by those that have ended.
SELECT min(due_at) FROM (
    SELECT (
        SELECT due_at FROM delivery
        WHERE campaign_id = :campaign_id AND state = 'pending' AND scope = named.value
            AND owner IS NULL AND due_at IS NOT NULL
        ORDER BY due_at LIMIT 1
    ) AS due_at FROM json_each(:scopes) AS named
    UNION ALL
    SELECT (
        SELECT due_at FROM delivery
        WHERE campaign_id = :campaign_id AND state = 'deferred' AND scope = named.value
            AND owner IS NULL AND due_at IS NOT NULL
        ORDER BY due_at LIMIT 1
    ) FROM json_each(:scopes) AS named
    UNION ALL
    SELECT (
        SELECT due_at FROM delivery
        WHERE campaign_id = :campaign_id AND state = 'in_doubt' AND scope = named.value
            AND owner IS NULL AND due_at IS NOT NULL AND cause IS NULL
        ORDER BY due_at LIMIT 1
    ) FROM json_each(:scopes) AS named
    UNION ALL
    SELECT CASE WHEN due_at > lease_until THEN due_at ELSE lease_until END FROM delivery
    WHERE (:others OR lease_until < :now) AND campaign_id = :campaign_id AND owner IS NOT NULL AND owner <> :owner
        AND state IN ('pending', 'deferred', 'in_doubt') AND due_at IS NOT NULL
        AND scope IN (SELECT value FROM json_each(:scopes))
) AS waiting
WHERE EXISTS (
    SELECT 1 FROM campaign
    WHERE campaign.id = :campaign_id AND generation > 0 AND generation = enrolling
);

-- divide --
-- Put the rows of these domains, a JSON list, under one domain limit; who is sent needs none.
UPDATE delivery SET scope = :scope
WHERE campaign_id = :campaign_id AND domain IN (SELECT value FROM json_each(:domains))
    AND scope <> :scope AND state <> 'sent';

-- undivide --
-- Take rows of other domains than these out from under any domain limit.
UPDATE delivery SET scope = ''
WHERE campaign_id = :campaign_id AND scope <> ''
    AND domain NOT IN (SELECT value FROM json_each(:domains));

-- put under --
-- Have a claimed row wait for a domain limit that is not its own domain's: that of a cc.
UPDATE delivery SET scope = ? WHERE id = ? AND epoch = ? AND owner = ?;

-- postpone --
-- Give a claim back untried, not to be claimed before then.
UPDATE delivery SET
    due_at = :due_at, state = coalesce(before_mark, state), before_mark = NULL, started_at = NULL,
    owner = NULL, lease_until = NULL
WHERE id = :id AND epoch = :epoch AND owner = :owner;

-- look again --
-- Let what was postponed untried be claimed at once: what it waited for is judged anew.
UPDATE delivery SET due_at = 0
WHERE id IN (
    -- In two, so that those under no domain limit are found by the index, however many wait.
    SELECT id FROM delivery
    WHERE campaign_id = :campaign_id AND state = 'pending' AND scope = '' AND due_at > :now
    UNION ALL
    SELECT id FROM delivery
    WHERE campaign_id = :campaign_id AND state = 'pending' AND scope > '' AND due_at > :now
);

-- give up --
-- Who waits for another try, and has no time left for it by now, is looked at at once; not whom no
-- try was counted of: he would not be given up, and tried sooner than he is to be.
UPDATE delivery SET due_at = :now
WHERE campaign_id = :campaign_id AND state = 'deferred' AND due_at > :now AND owner IS NULL
    AND attempts > 0 AND first_attempt_at + :give_up_after < :now;

-- clock set back --
-- Who waits by a clock that was ahead, by a year perhaps, waits as long from now as he was to then.
UPDATE delivery SET
    due_at = :now + CASE
        WHEN updated_at > :now THEN max(0.0, due_at - updated_at) ELSE 0.0
    END,
    first_attempt_at = min(first_attempt_at, :now),
    -- So that the next recovery leaves the wait as it is.
    updated_at = :now
WHERE campaign_id = :campaign_id AND state IN ('deferred', 'in_doubt') AND due_at > :now
    -- Who was postponed by it keeps the time of his last try.
    AND (updated_at > :now OR due_at > :now + :farthest) AND owner IS NULL;

-- renew --
-- Extend every lease of one owner.
UPDATE delivery SET lease_until = :lease_until
WHERE campaign_id = :campaign_id AND owner = :owner;

-- note cut off --
-- The history of the tries that a crash cut off.
INSERT INTO attempt (delivery_id, at, state, reason, stage)
SELECT id, :now, 'in_doubt', :reason, 'end of data' FROM delivery
WHERE campaign_id = :campaign_id AND state = 'sending' AND owner IS NOT NULL
    AND (:owner IS NULL OR owner = :owner);

-- cut off --
-- What was past the mark when its run died is in doubt. What a server said to an earlier try is no
-- word on this one.
UPDATE delivery SET
    state = 'in_doubt', reason = :reason, attempts = attempts + 1, doubts = doubts + 1,
    server = NULL, stage = 'end of data', code = NULL, enhanced_code = NULL, reply = NULL,
    due_at = NULL, owner = NULL, lease_until = NULL, before_mark = NULL, epoch = epoch + 1,
    first_attempt_at = CASE
        WHEN attempts > 0 THEN coalesce(first_attempt_at, started_at) ELSE started_at
    END,
    started_at = NULL,
    updated_at = :now
WHERE campaign_id = :campaign_id AND state = 'sending' AND owner IS NOT NULL
    AND (:owner IS NULL OR owner = :owner);

-- free claims --
-- What a dead owner had claimed and not marked is anybody's.
UPDATE delivery SET owner = NULL, lease_until = NULL, epoch = epoch + 1
WHERE campaign_id = :campaign_id AND owner IS NOT NULL AND state <> 'sending'
    AND (:owner IS NULL OR owner = :owner);

-- resend doubts --
-- A first doubt is sent again, once, after the back-off.
UPDATE delivery SET due_at = :due_at
WHERE campaign_id = :campaign_id AND state = 'in_doubt' AND due_at IS NULL AND doubts <= 1
    AND owner IS NULL;

-- hold doubts --
-- Every doubt waits for a person.
UPDATE delivery SET due_at = NULL
WHERE campaign_id = :campaign_id AND state = 'in_doubt' AND due_at IS NOT NULL
    AND owner IS NULL;
