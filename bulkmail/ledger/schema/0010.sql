-- How a campaign stood when somebody was last told how a run of it ended; NULL: nobody was.

ALTER TABLE campaign ADD COLUMN notified TEXT;
