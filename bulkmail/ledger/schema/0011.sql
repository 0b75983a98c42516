-- What of a schedule did not end is asked for every few seconds.

CREATE INDEX occurrence_unfinished ON occurrence (series) WHERE ended_at IS NULL;
