-- A gateway's own name for the message it took; NULL: it gave none, or it was mail.

ALTER TABLE delivery ADD COLUMN gateway_id TEXT;
