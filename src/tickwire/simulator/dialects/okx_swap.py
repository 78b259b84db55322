"""OKX perpetual swaps in USDT as they look from outside: spot's dialect, whose sizes are numbers of contracts.

Instruments: https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments
"""

from tickwire.simulator.dialects import okx
from tickwire.simulator.instruments import Instrument


class Dialect(okx.Dialect):
    """OKX's linear swaps, each contract a hundredth of the base."""

    kind = "SWAP"
    suffix = "-PERP"
    spelling = "{}-{}-SWAP"
    size_places = 2
    contract = "0.01"

    def of_listing(self, instrument: Instrument) -> dict[str, str]:
        """The contract."""
        pair = {"uly": f"{instrument.base}-{instrument.quote}", "instFamily": f"{instrument.base}-{instrument.quote}"}
        size = {"ctVal": self.contract, "ctMult": "1", "ctValCcy": instrument.base}
        return {**pair, **size, "settleCcy": instrument.quote, "ctType": "linear"}
