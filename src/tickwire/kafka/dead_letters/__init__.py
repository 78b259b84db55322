"""What could not be processed: written with its reason, inspected, counted, purged and replayed."""
