"""What may stand in a campaign's file and in bulkmail.yaml: one file of keys for each subject."""
