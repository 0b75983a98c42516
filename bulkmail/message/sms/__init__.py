"""Text messages: a number and a text, how many segments it takes, and a gateway's request."""
