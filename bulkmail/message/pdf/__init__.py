"""PDFs: made of typst templates by processes of their own, and read for the names they hold."""
