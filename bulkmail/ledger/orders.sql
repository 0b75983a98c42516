-- orders --
-- The campaign's halt, and whether deliveries were put back that a run can take up.
SELECT halt, EXISTS (
    SELECT 1 FROM delivery
    WHERE campaign_id = :campaign_id AND state = 'pending' AND due_at IS NULL
        AND fields IS NOT NULL AND owner IS NULL
)
FROM campaign WHERE id = :campaign_id;

-- halt --
-- What halts the campaign.
SELECT halt FROM campaign WHERE id = :campaign_id;

-- set halt --
-- Halt the campaign, or with NULL lift what halts it.
UPDATE campaign SET halt = :halt WHERE id = :campaign_id;

-- lift cancellation --
-- The campaign is cancelled no longer; who was suppressed by it stays so.
UPDATE campaign SET halt = NULL WHERE id = :campaign_id AND halt = 'cancelled';

-- free doubts --
-- Doubts that a cancellation held, and holds no longer, follow `on_doubt` in the next run.
UPDATE delivery SET
    cause = CASE
        WHEN generation < (SELECT generation FROM campaign WHERE id = :campaign_id) THEN 'gone'
        WHEN verdict IS NOT NULL THEN 'row'
    END,
    due_at = NULL
WHERE campaign_id = :campaign_id AND state = 'in_doubt' AND cause = 'cancelled'
    AND (SELECT coalesce(halt, '') FROM campaign WHERE id = :campaign_id) <> 'cancelled';

-- cancel --
-- Some of those who wait while the campaign is cancelled are suppressed for good, and what was
-- known of them is dropped; what is in doubt stays so, and is held.
UPDATE delivery SET
    state = CASE state WHEN 'in_doubt' THEN state ELSE 'suppressed' END,
    reason = CASE state WHEN 'in_doubt' THEN reason ELSE 'cancelled' END,
    fields = CASE WHEN state = 'in_doubt' OR :keep_fields THEN fields END,
    cause = 'cancelled', updated_at = :now
WHERE id IN (
    SELECT id FROM delivery
    WHERE campaign_id = :campaign_id AND owner IS NULL
        AND (state IN ('pending', 'deferred') OR (state = 'in_doubt' AND cause IS NULL))
    LIMIT :limit
)
AND (SELECT halt FROM campaign WHERE id = :campaign_id) = 'cancelled';

-- cancelled count --
-- How many a cancellation suppressed.
SELECT count(*) FROM delivery
WHERE campaign_id = :campaign_id AND state = 'suppressed' AND cause = 'cancelled';

-- matching --
-- How many stand in a state, by the reply they had; those of a pass under way are left out.
SELECT count(*) FROM delivery
WHERE campaign_id = :campaign_id AND state = :state
    AND born <= (SELECT generation FROM campaign WHERE id = :campaign_id)
    AND (:code IS NULL OR CAST(code AS TEXT) LIKE :code || '%')
    AND (:enhanced IS NULL OR enhanced_code = :enhanced OR enhanced_code LIKE :enhanced || '.%');

-- put back --
-- Some of them are pending again, as if they had not been tried; a run takes them up once the
-- suppression lists were asked. What the list itself, or a suppression list, holds back stays.
UPDATE delivery SET
    state = 'pending', reason = 'to be tried again', cause = NULL, due_at = NULL,
    attempts = 0, first_attempt_at = NULL,
    doubts = CASE WHEN :forget_doubts THEN 0 ELSE doubts END, updated_at = :now
WHERE id IN (
    SELECT id FROM delivery
    WHERE campaign_id = :campaign_id AND state = :state AND owner IS NULL
        AND (cause IS NULL OR cause = 'cancelled') AND verdict IS NULL
        AND generation >= (SELECT generation FROM campaign WHERE id = :campaign_id)
        AND born <= (SELECT generation FROM campaign WHERE id = :campaign_id)
        AND (:code IS NULL OR CAST(code AS TEXT) LIKE :code || '%')
        AND (:enhanced IS NULL OR enhanced_code = :enhanced
            OR enhanced_code LIKE :enhanced || '.%')
    LIMIT :limit
);

-- resolve sent --
-- A person knows that those in doubt have it.
UPDATE delivery SET
    state = 'sent', reason = 'resolved by hand', cause = NULL, due_at = NULL,
    fields = CASE WHEN :keep_fields THEN fields END, updated_at = :now
WHERE campaign_id = :campaign_id AND state = 'in_doubt' AND owner IS NULL;

-- page --
-- Some of the campaign's deliveries, behind one.
SELECT id FROM delivery WHERE id > :after AND +campaign_id = :campaign_id ORDER BY id LIMIT :limit;

-- drop fields --
-- Nothing but the outcome is left of a delivery.
UPDATE delivery SET fields = NULL, attachments = NULL
WHERE id = ? AND (fields IS NOT NULL OR attachments IS NOT NULL);

-- forget list --
-- The list is to be read again before anybody is sent to.
UPDATE campaign SET list_sha256 = NULL WHERE id = :campaign_id;
