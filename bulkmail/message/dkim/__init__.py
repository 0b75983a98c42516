"""DKIM (RFC 6376, RFC 8463): keys, the canonical form, and the signature over a message."""
