-- find migrations --
-- One row when the table of migrations is there.
SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration';

-- find tables --
-- One row when there is any table at all.
SELECT 1 FROM sqlite_master WHERE type = 'table' LIMIT 1;

-- version --
-- The number of the last migration that ran.
SELECT coalesce(max(version), 0) FROM migration;

-- create migrations --
-- The table that says which migrations ran, and when.
CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, applied_at REAL NOT NULL);

-- note migration --
-- Say that a migration ran.
INSERT INTO migration (version, applied_at) VALUES (:version, :now);
