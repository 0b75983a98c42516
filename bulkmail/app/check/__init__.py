"""The check of a campaign: what can be known of its list and messages before anything is sent."""
