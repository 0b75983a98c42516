"""A project's schedule: what is due, begun once, and gone on with."""
