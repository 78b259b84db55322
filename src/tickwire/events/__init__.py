"""Market events, the order book and its numbering: pure, no clock, no socket, no Kafka."""
