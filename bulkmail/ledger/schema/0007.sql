-- Which series an occurrence's rows belong to, so that a later one finds who was before.

-- The series' name, from the completion of the occurrence's list on; NULL: no occurrence of one.
ALTER TABLE delivery ADD COLUMN series TEXT;
CREATE INDEX delivery_series ON delivery (series, key) WHERE series IS NOT NULL;
