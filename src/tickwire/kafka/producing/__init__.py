"""Publishing: sending records, accounting for them, full queues, outages, and records that Kafka refuses."""
