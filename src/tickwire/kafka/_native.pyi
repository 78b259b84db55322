from tickwire.kafka.flight import Counts as Counts
from tickwire.kafka.flight import Entry as Entry
from tickwire.kafka.flight import Flights as Flights
from tickwire.kafka.flight import Outlet as Outlet
