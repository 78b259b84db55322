#!/usr/bin/env bash
# prometheus_client 0.26.0: its text parser reads, and its OpenMetrics writer writes, what its OpenMetrics parser refuses.
#
# Expected: families that were read from a page of one process can be exported again, as a page that joins several does.
# Seen: the text parser makes the sample orders_created a family of its own, a gauge; exported as OpenMetrics beside the counter
# orders, for which that name is reserved, it is refused: "Clashing name: orders_created". Scrapers that use this parser drop
# the whole page.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check prometheus-client==0.26.0
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics import exposition, parser
from prometheus_client.parser import text_string_to_metric_families

print("prometheus_client", version("prometheus-client"))
registry = CollectorRegistry()
Counter("orders", "Orders.", registry=registry).inc()
families = list(text_string_to_metric_families(generate_latest(registry).decode()))
print("read:", [(family.name, family.type) for family in families])
assert [family.name for family in families] == ["orders", "orders_created"], families


class Again:
    def collect(self):
        return families


joined = CollectorRegistry()
joined.register(Again())
try:
    list(parser.text_string_to_metric_families(exposition.generate_latest(joined).decode()))
except ValueError as error:
    print("refused:", error)
    assert "Clashing name" in str(error), error
else:
    raise AssertionError("the parser takes the page")
EOF
