"""When a campaign may go out."""
