#!/usr/bin/env bash
# Apache Kafka Streams 4.3.0: a left join's record without a partner has the headers of another record, of another key even.
#
# Expected: those of the trade that found no quote, as the key and the time are; or none, as Kafka's notes on upgrading to 4.3
# have it: what passes through the buffer of a left join loses its headers.
# Seen: such a record leaves when a later one of its partition has moved time past the join's window, and takes the later one's
# headers. Each result below has those of the next trade, on another exchange, so `source`, `schema` and tracing headers point to
# the wrong record. Counts of closed windows (EmitStrategy.onWindowClose) do the same; suppress() gives those of the last record
# that it counted. dsl.store.format=HEADERS changes none of it, and 4.4.0 does the same.
#
# Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-streams-test-utils</artifactId><version>4.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
cat > "$work/Seen.java" <<'EOF'
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers;
import org.apache.kafka.streams.test.TestRecord;

class Seen {
  static final Duration SECOND = Duration.ofSeconds(1);

  static Topology topology() {
    var builder = new StreamsBuilder();
    var trades = builder.<String, String>stream("trades");
    var quotes = builder.<String, String>stream("quotes");
    var window = TimeWindows.ofSizeWithNoGrace(SECOND);
    trades
        .leftJoin(quotes, (trade, quote) -> trade + "/" + quote, JoinWindows.ofTimeDifferenceAndGrace(SECOND, Duration.ZERO))
        .to("joined");
    trades.groupByKey().windowedBy(window).emitStrategy(EmitStrategy.onWindowClose())
        .count(Materialized.with(Serdes.String(), Serdes.Long()))
        .toStream((windowed, count) -> windowed.key()).mapValues(String::valueOf).to("closed");
    trades.groupByKey().windowedBy(window)
        .count(Materialized.with(Serdes.String(), Serdes.Long()))
        .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()))
        .toStream((windowed, count) -> windowed.key()).mapValues(String::valueOf).to("suppressed");
    return builder.build();
  }

  static void run(String format) {
    var settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "finding");
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:9092");
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, InMemoryDslStoreSuppliers.class);
    settings.put(StreamsConfig.DSL_STORE_FORMAT_CONFIG, format);
    var text = new StringSerializer();
    var read = new StringDeserializer();
    try (var driver = new TopologyTestDriver(topology(), settings, Instant.EPOCH)) {
      var trades = driver.createInputTopic("trades", text, text);
      var keys = List.of("binance|BTC-USDT", "kraken|ETH-USD", "okx|SOL-USDT");
      for (int index = 0; index < keys.size(); index++) {
        var headers = new RecordHeaders().add("source", keys.get(index).getBytes());
        trades.pipeInput(new TestRecord<>(keys.get(index), "trade " + index, headers, 5000L * index));
        driver.advanceWallClockTime(Duration.ofSeconds(2));
      }
      for (var topic : List.of("joined", "closed", "suppressed")) {
        for (var record : driver.createOutputTopic(topic, read, read).readRecordsToList()) {
          var source = new String(record.headers().lastHeader("source").value());
          System.out.printf("%s %s: %s, %s at %d, source: %s%n",
              format, topic, record.key(), record.value(), record.timestamp(), source);
        }
      }
    }
  }

  public static void main(String[] none) {
    run(StreamsConfig.DSL_STORE_FORMAT_DEFAULT);
    run(StreamsConfig.DSL_STORE_FORMAT_HEADERS);
  }
}
EOF
java -cp "$work/libs/*" "$work/Seen.java" > "$work/seen" 2> "$work/log"
echo "Kafka Streams 4.3.0"
cat "$work/seen"
diff <(sort "$work/seen") <(sort <<'EOF'
DEFAULT joined: binance|BTC-USDT, trade 0/null at 0, source: kraken|ETH-USD
DEFAULT joined: kraken|ETH-USD, trade 1/null at 5000, source: okx|SOL-USDT
DEFAULT closed: binance|BTC-USDT, 1 at 0, source: kraken|ETH-USD
DEFAULT closed: kraken|ETH-USD, 1 at 5000, source: okx|SOL-USDT
DEFAULT suppressed: binance|BTC-USDT, 1 at 0, source: binance|BTC-USDT
DEFAULT suppressed: kraken|ETH-USD, 1 at 5000, source: kraken|ETH-USD
HEADERS joined: binance|BTC-USDT, trade 0/null at 0, source: kraken|ETH-USD
HEADERS joined: kraken|ETH-USD, trade 1/null at 5000, source: okx|SOL-USDT
HEADERS closed: binance|BTC-USDT, 1 at 0, source: kraken|ETH-USD
HEADERS closed: kraken|ETH-USD, 1 at 5000, source: okx|SOL-USDT
HEADERS suppressed: binance|BTC-USDT, 1 at 0, source: binance|BTC-USDT
HEADERS suppressed: kraken|ETH-USD, 1 at 5000, source: kraken|ETH-USD
EOF
)
