"""Templates: found, compiled before the first row, and rendered for each."""
