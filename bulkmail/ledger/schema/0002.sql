-- What a person ordered of a campaign, until it is lifted; NULL: nothing.

ALTER TABLE campaign ADD COLUMN halt TEXT CHECK (halt IN ('paused', 'cancelled'));
