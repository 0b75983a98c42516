-- Whoever was put back is found without a look at all who wait: it is asked every second.
-- All that is asked for is in the index, so that it is preferred to `delivery_due`.

CREATE INDEX delivery_put_back ON delivery (campaign_id, state, due_at)
WHERE state = 'pending' AND due_at IS NULL;
