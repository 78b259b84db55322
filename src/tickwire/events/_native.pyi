from tickwire.events.decimals import is_zero as is_zero
from tickwire.events.decimals import price_key as price_key
from tickwire.events.side import Side as Side
