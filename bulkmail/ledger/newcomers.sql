-- held --
-- One row where another occurrence of the series, or the campaign it is named after, holds a key.
SELECT 1 FROM delivery
WHERE series = :series AND key = :key AND campaign_id <> :campaign_id
    AND state NOT IN ('failed', 'suppressed')
UNION ALL
SELECT 1 FROM delivery
WHERE campaign_id = (
        SELECT id FROM campaign WHERE name = :series AND id <> :campaign_id AND generation > 0
    ) AND key = :key AND state NOT IN ('failed', 'suppressed')
LIMIT 1;

-- born --
-- Keys that came with a pass.
SELECT id, key FROM delivery WHERE campaign_id = :campaign_id AND born = :generation;

-- leave out --
-- A row of a pass that is not complete; nobody claimed it.
DELETE FROM delivery WHERE id = ?;

-- join --
-- The rows of an occurrence belong to its series from now on.
UPDATE delivery SET series = :series WHERE campaign_id = :campaign_id AND born = :generation;
