"""The subscriptions of one connection, the numbers of their requests, and their outcome."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal, TypeAlias

from tickwire.exchanges.contract import Channel, Output, Refused, Send, Subscribed, Symbol

Item: TypeAlias = tuple[Channel, Symbol]
Key: TypeAlias = tuple[Channel, str]
"""A channel and the native name of a symbol."""

Method: TypeAlias = Literal["subscribe", "unsubscribe"]
Write: TypeAlias = Callable[[Method, Sequence[Item], int | None], bytes]
"""Gives the text of a request for some items, with its number."""


class Requests:
    """Subscriptions, requested at most *most* at once, in the order of *items*.

    *apart*: a request is for one channel. *whole*: the exchange accepts or refuses a request as a whole. *carried*
    gives further outputs after an acceptance.
    """

    def __init__(
        self,
        items: Iterable[Item],
        most: int,
        write: Write,
        carried: Callable[[Item], list[Output]],
        *,
        apart: bool = False,
        whole: bool = False,
    ) -> None:
        self._items: dict[Key, Item] = {(channel, symbol.native): (channel, symbol) for channel, symbol in items}
        self._most, self._write, self._carried, self._apart, self._whole = most, write, carried, apart, whole
        self._pending = dict(self._items)
        self._refused: dict[Key, Item] = {}  # a later answer or data may show that it is accepted after all
        self._silent = set(self._items)  # no data yet
        self._asked: dict[int | str | None, Sequence[Item]] = {}
        self._number = 0
        self._begun = False

    def subscribe(self) -> list[Output]:
        """Request all subscriptions."""
        self._begun = True
        return self._ask("subscribe", list(self._items.values()))

    def add(self, items: Sequence[Item]) -> list[Output]:
        """Request these too; before :meth:`subscribe`, together with all others."""
        new = {(channel, symbol.native): (channel, symbol) for channel, symbol in items}
        self._items |= new
        self._pending |= new
        self._silent |= new.keys()
        return self._ask("subscribe", items) if self._begun else []

    def remove(self, names: Collection[str]) -> list[Output]:
        """Unsubscribe these symbols, given by native name."""
        gone = {key: item for key, item in self._items.items() if key[1] in names}
        for key in gone:
            del self._items[key]
            self._pending.pop(key, None)
        self._silent -= gone.keys()
        return self._ask("unsubscribe", list(gone.values())) if self._begun else []

    def unsubscribe(self) -> list[Output]:
        """Unsubscribe everything."""
        return self._ask("unsubscribe", list(self._items.values()))

    def retry(self) -> list[Output]:
        """Request pending subscriptions again."""
        return self._ask("subscribe", list(self._pending.values()))

    def again(self, channel: Channel, symbol: Symbol) -> list[Output]:
        """Unsubscribe and subscribe again, without a request number."""
        return [Send(self._write("unsubscribe", [(channel, symbol)], None)),
                Send(self._write("subscribe", [(channel, symbol)], None))]  # fmt: skip

    def renew(self, channel: Channel, symbol: Symbol) -> list[Output]:
        """Unsubscribe and subscribe again; it is pending until it is answered."""
        item, key = (channel, symbol), (channel, symbol.native)
        self._pending[key] = item
        self._silent.add(key)
        return self._ask("unsubscribe", [item]) + self._ask("subscribe", [item])

    def singly(self) -> None:
        """Request one at a time from now on, because an answer did not say which subscription it was for."""
        self._most = 1

    def carries(self, item: Item) -> bool:
        """Whether this was requested and accepted."""
        key = item[0], item[1].native
        return key in self._items and key not in self._pending and key not in self._refused

    def pending(self) -> list[Item]:
        """Subscriptions neither accepted nor refused nor confirmed by data."""
        return list(self._pending.values())

    def asked(self, number: int | None) -> Sequence[Item]:
        """The subscriptions of a request number; none if it is unknown."""
        return self._asked.get(number, ())

    def accept(self, channel: Channel, native: str) -> list[Output]:
        """Note that the exchange accepted this one."""
        key = channel, native
        item = self._pending.pop(key, None) or self._refused.pop(key, None)
        return [] if item is None else [Subscribed(*item), *self._carried(item)]

    def accept_request(self, number: int | str) -> list[Output]:
        """Note that the exchange accepted all subscriptions of this request."""
        return self._accept_all(self._asked.pop(number, ()))

    def heard(self, channel: Channel, native: str) -> list[Output]:
        """Note data, which confirms this subscription, and with *whole* all others of its request."""
        self._silent.discard((channel, native))
        if not self._whole:
            return self.accept(channel, native)
        item = self._items[channel, native]
        return self._accept_all(next((asked for asked in self._asked.values() if item in asked), (item,)))

    def refuse(self, channel: Channel, native: str, answer: str) -> list[Output]:
        """Note that the exchange refused this one, if it is pending."""
        item = self._pending.pop((channel, native), None)
        if item is None:
            return []
        self._refused[channel, native] = item
        return [Refused(*item, answer)]

    def refuse_request(self, number: int | str, answer: str) -> list[Output]:
        """Note a refused request; one bad item refuses all, so those without data are requested again in halves.

        Returns nothing if the number is unknown or all its subscriptions have data.
        """
        waiting = {
            (channel, symbol.native): (channel, symbol)
            for channel, symbol in self._asked.pop(number, ())
            if (channel, symbol.native) in self._silent
        }
        self._pending |= waiting
        items = list(waiting.values())
        if len(items) == 1:
            return self.refuse(*next(iter(waiting)), answer)
        half = len(items) // 2
        return self._ask("subscribe", items[:half]) + self._ask("subscribe", items[half:])

    def _accept_all(self, items: Iterable[Item]) -> list[Output]:
        return [output for channel, symbol in items for output in self.accept(channel, symbol.native)]

    def _ask(self, method: Method, items: Sequence[Item]) -> list[Output]:
        out: list[Output] = []
        groups: Iterable[Sequence[Item]] = [items]
        if self._apart:
            groups = ([item for item in items if item[0] == channel] for channel in dict(items))
        for group in groups:
            for i in range(0, len(group), self._most):
                batch = group[i : i + self._most]
                self._number += 1
                if method == "subscribe":
                    self._asked[self._number] = batch
                out.append(Send(self._write(method, batch, self._number)))
        return out
