"""Members of a group of collectors divide the symbols among them with Kafka's group protocol.

Each partition of a topic without records stands for a part of the symbols; the member that is assigned a partition
publishes its symbols. A commit for a partition carries no meaningful offset, but metadata with a promise: an epoch
above which this member begins none. Kafka accepts commits only from members of the group, so an accepted commit also
confirms that the parts are still ours.
"""
