"""Alarms and the dashboard: Prometheus accepts them, and a real one has the data that each of them asks for."""

import json
import re
import signal
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from subprocess import Popen
from typing import Any

import pytest

from deploy.tools import DEPLOY, ROOT, need, run
from support import eventually, free_port
from test_documentation import all_metrics
from tickwire.broker import EmbeddedBroker
from tickwire.config.environment import for_child

RULES = DEPLOY / "prometheus/rules/tickwire.yml"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/tickwire.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_every_metric_that_is_asked_for_is_one_that_there_is() -> None:
    text = RULES.read_text() + json.dumps(DASHBOARD)
    asked = set(re.findall(r"\b(?:kafka|feed)_[a-z_]+", text))
    histograms = {name + suffix for name in all_metrics() for suffix in ("_bucket", "_count", "_sum")}
    assert asked <= all_metrics().keys() | histograms
    assert len(asked) > 30


def test_every_alarm_says_what_to_do_in_names_that_there_are() -> None:
    rules = RULES.read_text()
    alarms = re.findall(r"- alert: (\w+)", rules)
    actions = re.findall(r'          action: "([^"]+\.)"', rules)
    assert len(alarms) == len(set(alarms)) == len(actions) == 18
    source = "".join(path.read_text() for path in (ROOT / "src/tickwire").rglob("*.py"))
    said = set(re.findall(r"\b((?:feed|publisher|spill|workers)\.[a-z_]+)", " ".join(actions)))
    assert said
    assert [name for name in said if f'"{name} ' not in source] == []
    settings = (ROOT / "docs/settings.md").read_text()
    assert [
        name for name in re.findall(r"\b(?:KAFKA|FEED)_[A-Z_]+", " ".join(actions)) if f"`{name}`" not in settings
    ] == []


def test_every_alarm_is_raised_in_trouble_and_none_without() -> None:
    promtool = need("promtool", "prometheus")
    run(promtool, "check", "config", DEPLOY / "prometheus/prometheus.yml")
    run(promtool, "test", "rules", DEPLOY / "prometheus/tickwire.test.yml")
    tests = (DEPLOY / "prometheus/tickwire.test.yml").read_text()
    tested = re.findall(r"""\{alertname="(\w+)"\}'""", tests)
    assert sorted(tested) == sorted(re.findall(r"- alert: (\w+)", RULES.read_text()))


def test_panels_have_their_own_place_and_take_the_chosen_data_source() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        taken = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        cells |= taken
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    sources = [panel["datasource"] for panel in PANELS] + [t["datasource"] for p in PANELS for t in p["targets"]]
    assert all(source == chosen for source in sources)
    (source, *others) = DASHBOARD["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert [other["datasource"] for other in others] == [chosen] * 2


class Prometheus:
    """A Prometheus that scrapes a producer and a consumer, whose exchange can be ended."""

    def __init__(self, port: int, exchange: Popen[bytes]) -> None:
        self._port, self.exchange = port, exchange

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/{path}?{query}", timeout=10) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    @property
    def up(self) -> int:
        """Of the processes, how many are scraped."""
        try:
            return sum(sample["value"][1] == "1" for sample in self.query("up"))
        except OSError:
            return 0


@pytest.fixture(scope="module")
def prometheus(embedded: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    program = need("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    exchange, producer, consumer, port = (free_port() for _ in range(4))
    common = {
        "KAFKA_ENABLED": "true", "KAFKA_BROKERS": embedded.bootstrap, "KAFKA_METRICS_ENABLED": "true",
        "KAFKA_GROUP_ID": "monitored", "KAFKA_DLQ_ENABLED": "true", "XDG_STATE_HOME": str(folder),
        "KAFKA_DLQ_TOPIC": "monitored.dlq", "KAFKA_ORDERBOOK_TOPIC": "monitored.books",
        "KAFKA_TICKER_TOPIC": "monitored.ticks", "KAFKA_TRADES_TOPIC": "monitored.trades",
        "FEED_CHANNELS": "ticker,orderbook,trade",
        "FEED_BINANCE_WS_URL": f"ws://127.0.0.1:{exchange}", "FEED_BINANCE_REST_URL": f"http://127.0.0.1:{exchange}",
    }  # fmt: skip
    settings = (DEPLOY / "prometheus/prometheus.yml").read_text().replace("interval: 10s", "interval: 1s")
    settings = settings.replace("producer:8000", f"127.0.0.1:{producer}").replace(
        "consumer:8000", f"127.0.0.1:{consumer}"
    )
    (folder / "prometheus.yml").write_text(settings.replace("rules/*.yml", str(RULES)))
    with ExitStack() as stack:

        def start(name: str, *command: str, **values: str) -> Popen[bytes]:
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            environment = for_child(common | values, keep_settings=False)
            process = stack.enter_context(Popen(command, stdout=log, stderr=log, env=environment))
            stack.callback(process.send_signal, signal.SIGTERM)
            return process

        tickwire = (sys.executable, "-m", "tickwire")
        simulated = start("exchange", *tickwire, "simulate", "--symbols", "1", "--port", str(exchange))
        eventually(lambda: "listens" in (folder / "exchange.log").read_text(), "the simulated exchange")
        start("producer", *tickwire, "produce", KAFKA_METRICS_PORT=str(producer))
        eventually(lambda: "produce.start" in (folder / "producer.log").read_text(), "the producer, and topics")
        start("consumer", *tickwire, "consume", KAFKA_METRICS_PORT=str(consumer))
        start(
            "prometheus", program, "--config.file", str(folder / "prometheus.yml"), "--log.level", "warn",
            "--storage.tsdb.path", str(folder / "data"), "--web.listen-address", f"127.0.0.1:{port}",
        )  # fmt: skip
        running = Prometheus(port, simulated)
        eventually(lambda: running.up == 2, "both are scraped", 40)
        yield running


def test_every_query_of_the_dashboard_has_data(prometheus: Prometheus) -> None:
    def chosen(query: str) -> str:
        for name, value in (("rate_interval", "10s"), ("range", "1m")):
            query = query.replace(f"$__{name}", value)
        return query.replace("$job", ".*").replace("$instance", ".*")

    def empty() -> list[str]:
        return [query for query in QUERIES if not prometheus.query(chosen(query))]

    assert len(QUERIES) > 25
    eventually(lambda: prometheus.query("sum(kafka_consumer_records_total) > 0"), "the consumer has read", 40)
    eventually(lambda: not empty(), f"data for {empty()}", 40)
    for variable in DASHBOARD["templating"]["list"][1:]:
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
        assert all(label in series for series in prometheus.ask("series", **{"match[]": chosen(selector)}))


def test_its_alarms_are_worked_out_and_rest_until_the_exchange_goes(prometheus: Prometheus) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]

    eventually(lambda: all(rule["health"] == "ok" for rule in rules()), f"no error in {rules()}", 40)
    eventually(lambda: {rule["state"] for rule in rules()} == {"inactive"}, f"no trouble in {rules()}", 40)
    prometheus.exchange.send_signal(signal.SIGTERM)
    (invalid,) = eventually(
        lambda: [alert for alert in prometheus.ask("alerts")["alerts"]
                 if alert["labels"]["alertname"] == "TickwireBookInvalid" and alert["value"] == "1e+00"],
        "the alarm waits for five minutes", 40,
    )  # fmt: skip
    assert invalid["state"] == "pending"
    assert invalid["annotations"]["summary"].startswith("1 order books of binance at 127.0.0.1:")
