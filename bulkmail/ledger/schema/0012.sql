-- The name that a campaign's Message-IDs are made of, whatever it is called since: the one it was
-- first enrolled by, or one of its own where another campaign was called so. And the name it had
-- when it was last checked.

ALTER TABLE campaign ADD COLUMN origin TEXT;
ALTER TABLE campaign ADD COLUMN checked_as TEXT;
UPDATE campaign SET origin = name, checked_as = name;
CREATE UNIQUE INDEX campaign_origin ON campaign (origin);
