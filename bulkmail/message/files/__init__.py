"""Files in a message: which one is meant, whose it is, and how it is read, encoded and enclosed."""
