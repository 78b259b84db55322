"""One module an exchange that can be simulated; names are discovered from this folder."""
