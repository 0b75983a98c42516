"""A campaign as its files tell it: the YAML with its lines, the recipients, the suppressed."""
