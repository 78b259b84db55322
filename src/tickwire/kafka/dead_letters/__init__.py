"""Dead letters, records that could not be processed: written with the reason, inspected, counted, purged, replayed."""
