"""Records on their way to Kafka: sending, accounting, what does not fit, what waits on disk, what Kafka refuses."""
