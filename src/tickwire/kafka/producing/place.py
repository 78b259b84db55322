"""Where a publisher's records wait on disk, and for which cluster they are."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.paths import spill_root
from tickwire.errors import KafkaFailed
from tickwire.kafka.clients import Cluster, ClusterView
from tickwire.kafka.credentials import Credentials
from tickwire.kafka.spill import SOURCES, Disk, Epochs, Home, Owner, Work, served, settle, take, unusable
from tickwire.records.codec import record_key
from tickwire.records.kinds import topics_by_kind

# Ids that every cluster of a kind has: the embedded broker's, https://github.com/tansu-io/tansu
_NO_IDS = frozenset({None, "", "tansu_cluster"})


class Place:
    """A folder below ``KAFKA_SPILL_DIR``: the one of what *source* serves, or *folder* as it is.

    A *source* is an exchange, or several as :data:`~tickwire.kafka.spill.SOURCES` joins them. For a member of a
    *group*, whose symbols change, it is one of the group's on this machine, and all that waits of them is sent.
    """

    def __init__(self, config: KafkaConfig, source: str, folder: Path | None = None, group: str | None = None) -> None:
        """Choose it. Raises :exc:`~tickwire.errors.NoHome`."""
        self._config, self._source, self._given = config, source, folder
        self._client: Cluster | None = None
        self._credentials = Credentials(config)
        self._root = spill_root(config.spill_dir)
        self._work = Work() if group is None else Work(exchanges=frozenset(source.split(SOURCES)), group=group)
        self._kinds: set[str] = set()
        self._topics = config.topics
        self.folder = folder or self._root / source
        self.home: Home | None = None

    def serve(
        self, exchange: str, kinds: Collection[str], symbols: Iterable[str], of: Sequence[str], *, names: bool
    ) -> None:
        """Say what is published of an *exchange*: these *kinds* of canonical *symbols*, and *of* which by all workers.

        What was said of another one before stays. *names*: say at the start what waits on disk and nobody sends.
        """
        serves, all_ = _served(exchange, kinds, symbols), _served(exchange, kinds, of)
        if self._work.group is None:
            self._work = replace(
                self._work, serves=self._work.serves | serves, of=self._work.of | serves | all_, said=True, names=names
            )
        self._kinds.update(kinds)
        self._topics = tuple(topic for kind, topic in topics_by_kind(self._config).items() if kind in self._kinds)

    def take_all_of(self, exchanges: Iterable[str]) -> None:
        """Send all that waits of these *exchanges*, of which nobody can say yet what is published."""
        self._work = replace(self._work, exchanges=frozenset(exchanges))

    def change(
        self, exchange: str, kinds: Collection[str], added: Iterable[str], removed: Iterable[str]
    ) -> dict[str, str]:
        """Publish other *symbols* of an exchange from now on; blocks. Return those that cannot be, with the reason."""
        if self.home is None or self._given is not None or self._work.group is not None:
            return {}
        new = {symbol: _served(exchange, kinds, [symbol]) for symbol in added}
        try:
            return self.home.change(self._root, new, _served(exchange, kinds, removed))
        except OSError as e:
            return dict.fromkeys(new, str(unusable(self.folder, e)))

    def ask(self, seconds: float) -> str:
        """Ask the brokers for the name of their cluster. Raises :exc:`~tickwire.errors.KafkaFailed`.

        Where tokens are wanted the next call goes on with the same client, because one may take longer than one call.
        """
        client, self._client = self._client or Cluster(self._config), None
        try:
            return cluster_name(client.view(seconds), self._config)
        except KafkaFailed:
            if self._config.sasl_mechanism == "OAUTHBEARER" and not self._credentials.changed:
                self._client = client
            else:
                self._credentials = Credentials(self._config)
            raise

    def settle(self, cluster: str | None) -> Home:
        """Take the folder, with what waits elsewhere for the same keys; blocks. *cluster* is None before it is reached.

        Raises :exc:`~tickwire.errors.SpillUnusable` and :exc:`~tickwire.errors.SpillOfAnotherCluster`.
        """
        config = self._config
        disk = Disk(self._root, config.spill_max_bytes, config.spill_fsync_ms)
        ours = Owner(cluster=cluster, brokers=brokers_of(config), topics=self._topics)
        if self._given is not None:
            self.home = take(disk, self._given, ours)
        else:
            self.home = settle(disk, self._source, self._work, ours)
        self.folder = self.home.folder
        return self.home

    def agree(self, cluster: str) -> None:
        """Let what waits go to the *cluster* that is reached at last. Raises as :meth:`settle`."""
        if self.home is not None:
            try:
                self.home.agree(cluster, brokers_of(self._config))
            except OSError as e:
                raise unusable(self.folder, e) from e

    def look(self) -> None:
        """Let epochs be kept ahead; asked many times a minute."""
        if self.home is not None:
            self.home.epochs.look()

    def close(self) -> None:
        """Keep the last epoch, before the log is closed by who writes it."""
        if self.home is not None:
            self.home.epochs.close()

    @property
    def epochs(self) -> Epochs | None:
        """The epochs of order books that are kept with what waits; None before the folder is taken."""
        return None if self.home is None else self.home.epochs

    @property
    def topics(self) -> Sequence[str]:
        """The topics that are needed: those of what is served, and those of older records."""
        return self._topics if self.home is None else self.home.owner.topics


def _served(exchange: str, kinds: Collection[str], symbols: Iterable[str]) -> frozenset[str]:
    return frozenset(served(kind, record_key(exchange, symbol)) for symbol in symbols for kind in kinds)


def brokers_of(config: KafkaConfig) -> str:
    """KAFKA_BROKERS in one order."""
    return ",".join(sorted(config.brokers.split(",")))


def cluster_name(view: ClusterView, config: KafkaConfig) -> str:
    """The cluster's id; where that tells nothing, also its address, which is all that is left to tell it by."""
    if view.cluster_id in _NO_IDS:
        return f"{view.cluster_id or 'without id'} at {brokers_of(config)}"
    return str(view.cluster_id)
