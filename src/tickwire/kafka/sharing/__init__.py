"""Members of a group of collectors divide the symbols among them with Kafka's group protocol.

The partitions of a topic without records stand for parts of the symbols, and whoever is assigned one publishes its
symbols. What a member commits for a partition is no offset of anything: beside it stands an epoch, above which this
member begins none. Kafka takes a commit from a member of the group alone, so each that it takes says that the parts
are still ours, too.
"""
