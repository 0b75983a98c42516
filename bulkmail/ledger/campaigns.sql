-- campaign by name --
-- One campaign.
SELECT id, name, path, key_column, from_domain, generation, list_sha256, fingerprint, created_at
FROM campaign WHERE name = :name;

-- campaign by path --
-- The campaign that was last enrolled from a file.
SELECT id, name, path, key_column, from_domain, generation, list_sha256, fingerprint, created_at
FROM campaign WHERE path = :path AND generation > 0 ORDER BY id DESC LIMIT 1;

-- campaigns --
-- All campaigns, the oldest first.
SELECT id, name, path, key_column, from_domain, generation, list_sha256, fingerprint, created_at
FROM campaign ORDER BY id;

-- rename --
-- Give a campaign another name.
UPDATE campaign SET name = :new WHERE name = :old;

-- set checked --
-- Remember what was checked.
UPDATE campaign SET fingerprint = :fingerprint WHERE id = :campaign_id;
