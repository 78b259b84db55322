"""A publisher's folder on disk, and the cluster that its records are for."""

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

# Ids that do not identify a cluster; the last is the embedded broker's default, https://github.com/tansu-io/tansu
_NO_IDS = frozenset({None, "", "tansu_cluster"})


class Place:
    """Finds a publisher's folder below ``KAFKA_SPILL_DIR``; *folder*, if given, is used as it is.

    A *source* is an exchange, or several as :data:`~tickwire.kafka.spill.SOURCES` joins them. A member of a *group*,
    whose symbols change, uses one of the group's folders on this machine and sends all records that wait there.
    """

    def __init__(self, config: KafkaConfig, source: str, folder: Path | None = None, group: str | None = None) -> None:
        """Take no folder yet. Raises :exc:`~tickwire.errors.NoHome`."""
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
        """Add what is published of an *exchange*: *kinds* of event, canonical *symbols*, and *of* which by all workers.

        Other exchanges stay as they are. *names*: log at the start which records on disk no producer sends.
        """
        serves, all_ = _served(exchange, kinds, symbols), _served(exchange, kinds, of)
        if self._work.group is None:
            self._work = replace(
                self._work, serves=self._work.serves | serves, of=self._work.of | serves | all_, said=True, names=names
            )
        self._kinds.update(kinds)
        self._topics = tuple(topic for kind, topic in topics_by_kind(self._config).items() if kind in self._kinds)

    def take_all_of(self, exchanges: Iterable[str]) -> None:
        """Send all records of these *exchanges*, whose symbols are not known yet."""
        self._work = replace(self._work, exchanges=frozenset(exchanges))

    def change(
        self, exchange: str, kinds: Collection[str], added: Iterable[str], removed: Iterable[str]
    ) -> dict[str, str]:
        """Change the published symbols of an exchange; blocks. Return the refused ones with the reason."""
        if self.home is None or self._given is not None or self._work.group is not None:
            return {}
        new = {symbol: _served(exchange, kinds, [symbol]) for symbol in added}
        try:
            return self.home.change(self._root, new, _served(exchange, kinds, removed))
        except OSError as e:
            return dict.fromkeys(new, str(unusable(self.folder, e)))

    def ask(self, seconds: float) -> str:
        """Ask the brokers for the cluster's name. Raises :exc:`~tickwire.errors.KafkaFailed`.

        With OAUTHBEARER the next call reuses the client, because fetching a token may take longer than one call.
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
        """Take the folder, and move in records of the same keys from others; blocks. *cluster* None: not known yet.

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
        """Agree to send the waiting records to *cluster*, once it is reached. Raises as :meth:`settle`."""
        if self.home is not None:
            try:
                self.home.agree(cluster, brokers_of(self._config))
            except OSError as e:
                raise unusable(self.folder, e) from e

    def look(self) -> None:
        """Reserve epochs in advance when due; call it several times a second."""
        if self.home is not None:
            self.home.epochs.look()

    def close(self) -> None:
        """Save the last epoch; call it before the log is closed."""
        if self.home is not None:
            self.home.epochs.close()

    @property
    def epochs(self) -> Epochs | None:
        """The epochs of order books, which are kept in the folder; None before that is taken."""
        return None if self.home is None else self.home.epochs

    @property
    def topics(self) -> Sequence[str]:
        """The topics needed: those that are published to, and those of records on disk."""
        return self._topics if self.home is None else self.home.owner.topics


def _served(exchange: str, kinds: Collection[str], symbols: Iterable[str]) -> frozenset[str]:
    return frozenset(served(kind, record_key(exchange, symbol)) for symbol in symbols for kind in kinds)


def brokers_of(config: KafkaConfig) -> str:
    """KAFKA_BROKERS, sorted."""
    return ",".join(sorted(config.brokers.split(",")))


def cluster_name(view: ClusterView, config: KafkaConfig) -> str:
    """The cluster's id; if that does not identify it, its address as well."""
    if view.cluster_id in _NO_IDS:
        return f"{view.cluster_id or 'without id'} at {brokers_of(config)}"
    return str(view.cluster_id)
