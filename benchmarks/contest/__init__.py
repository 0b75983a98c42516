"""bulkmail beside other senders, against one fast sink, in one interleaved run."""
