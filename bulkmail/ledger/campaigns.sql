-- campaign by name --
-- One campaign. The list of one with a row that was put back and has no data counts as unknown.
SELECT id, name, path, key_column, origin, from_domain, generation,
    CASE WHEN EXISTS (
        SELECT 1 FROM delivery WHERE campaign_id = campaign.id
            AND state = 'pending' AND due_at IS NULL AND fields IS NULL
    ) THEN NULL ELSE list_sha256 END,
    fingerprint, checked_as, created_at, halt
FROM campaign WHERE name = :name;

-- campaign by path --
-- The campaign that was last enrolled from a file.
SELECT id, name, path, key_column, origin, from_domain, generation,
    CASE WHEN EXISTS (
        SELECT 1 FROM delivery WHERE campaign_id = campaign.id
            AND state = 'pending' AND due_at IS NULL AND fields IS NULL
    ) THEN NULL ELSE list_sha256 END,
    fingerprint, checked_as, created_at, halt
FROM campaign WHERE path = :path AND generation > 0 ORDER BY id DESC LIMIT 1;

-- campaigns --
-- All campaigns, the oldest first.
SELECT id, name, path, key_column, origin, from_domain, generation,
    CASE WHEN EXISTS (
        SELECT 1 FROM delivery WHERE campaign_id = campaign.id
            AND state = 'pending' AND due_at IS NULL AND fields IS NULL
    ) THEN NULL ELSE list_sha256 END,
    fingerprint, checked_as, created_at, halt
FROM campaign ORDER BY id;

-- is origin --
-- Whether some campaign's Message-IDs are made of this name.
SELECT EXISTS (SELECT 1 FROM campaign WHERE origin = :origin);

-- rename --
-- Give a campaign another name.
UPDATE campaign SET name = :new WHERE name = :old;

-- set checked --
-- Remember what was checked.
UPDATE campaign SET fingerprint = :fingerprint, checked_as = name WHERE id = :campaign_id;

-- notified --
-- How it stood when somebody was last told.
SELECT notified FROM campaign WHERE id = :campaign_id;

-- set notified --
-- Remember what was told.
UPDATE campaign SET notified = :facts WHERE id = :campaign_id;
