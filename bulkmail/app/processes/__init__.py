"""Several processes of one run: they share the ledger's claims and limits, and nothing else.

The parent holds the campaign's lock, enrols, checks, shows and sums up (`crew`); its children send
(`child`). What the two say to one another goes over pipes (`channel`, `words`).
"""
