-- open --
-- The campaign's record of checks, made where there is none.
INSERT INTO checked (campaign) VALUES (:campaign) ON CONFLICT (campaign) DO NOTHING;

-- facts --
-- When a person last checked it, and what.
SELECT at, facts FROM checked WHERE campaign = :campaign AND facts IS NOT NULL;

-- set facts --
-- What a person checked; NULL: it is being checked, or has a fault.
UPDATE checked SET at = :at, facts = :facts WHERE campaign = :campaign;

-- note file --
-- A row's own file, as it was checked just now. Who checked it first stays on record while it is the same.
INSERT INTO checked_file (checked_id, key, entry, path, sha256, by_person)
SELECT id, :key, :entry, :path, :sha256, :by_person FROM checked WHERE campaign = :campaign
ON CONFLICT (checked_id, key, entry) DO UPDATE SET
    path = excluded.path, sha256 = excluded.sha256,
    by_person = excluded.by_person OR (
        checked_file.by_person
        AND checked_file.path = excluded.path AND checked_file.sha256 = excluded.sha256
    );

-- files --
-- Files of some rows, by a JSON list of their keys.
SELECT key, entry, path, sha256 FROM checked_file
WHERE checked_id = (SELECT id FROM checked WHERE campaign = :campaign)
    AND key IN (SELECT value FROM json_each(:keys))
    AND by_person >= :by_person
ORDER BY key, entry;

-- has files --
-- The campaign's name, where rows of it have files of their own that were checked.
SELECT name FROM campaign
WHERE id = :campaign_id AND EXISTS (
    SELECT 1 FROM checked_file
    WHERE checked_id = (SELECT id FROM checked WHERE checked.campaign = campaign.name)
);

-- files of others --
-- Files of those who have their message, or may have it, by pages of deliveries.
SELECT delivery.id, delivery.key, row_number, address, entry, path FROM delivery
LEFT JOIN checked_file ON checked_file.key = delivery.key AND checked_id = (
    SELECT id FROM checked WHERE checked.campaign = :campaign
)
WHERE delivery.id > :after
    AND delivery.id IN (
        SELECT id FROM delivery WHERE id > :after
            AND +campaign_id = (SELECT id FROM campaign WHERE name = :campaign)
            AND state IN ('sent', 'sending', 'in_doubt')
        ORDER BY id LIMIT :limit
    )
ORDER BY delivery.id;

-- rename --
-- The campaign has another name.
UPDATE checked SET campaign = :new WHERE campaign = :old;

-- forget files --
-- Nothing is left of a campaign's checks; the files go first, whatever the driver does of keys.
DELETE FROM checked_file
WHERE checked_id = (SELECT id FROM checked WHERE campaign = :campaign);

-- forget --
-- Nothing is left of a campaign's checks.
DELETE FROM checked WHERE campaign = :campaign;
