"""Names that the specification promises, each a few lines over the command line."""
