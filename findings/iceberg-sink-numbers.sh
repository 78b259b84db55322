#!/usr/bin/env bash
# Apache Iceberg's Kafka Connect sink 1.12.0: a number that does not fit its column is stored as another, without an error.
#
# Expected: an error, as tables have types; Spark and Flink refuse to insert what does not fit, and the sink itself refuses text
# that is not a number. Iceberg's times are microseconds, so a number is taken as microseconds.
# Seen: an integer loses its upper bits in a column `int`, and 1.9 is 1 there as in `long`; "x" is false; a decimal is rounded to
# its column's places. A number in a column `timestamptz` is taken as milliseconds, so a time in microseconds, as Debezium has
# it, is in the year 58880. Text with microseconds is right. (18446744073709551617 has lost its upper bits before, in Kafka
# Connect's JsonConverter.)
#
# Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.iceberg</groupId><artifactId>iceberg-kafka-connect</artifactId><version>1.12.0</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId><version>4.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.18</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
cat > "$work/Seen.java" <<'EOF'
package org.apache.iceberg.connect.data; // the sink's own, for its converter of records is not public

import static org.apache.iceberg.types.Types.NestedField.optional;

import java.util.List;
import java.util.Map;
import org.apache.iceberg.Schema;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.connect.IcebergSinkConfig;
import org.apache.iceberg.inmemory.InMemoryCatalog;
import org.apache.iceberg.types.Types;
import org.apache.kafka.connect.json.JsonConverter;

public class Seen {
  public static void main(String[] none) {
    var schema = new Schema(
        optional(1, "count", Types.IntegerType.get()),
        optional(2, "sequence", Types.LongType.get()),
        optional(3, "maker", Types.BooleanType.get()),
        optional(4, "price", Types.DecimalType.of(18, 8)),
        optional(5, "time", Types.TimestampType.withZone()));
    var catalog = new InMemoryCatalog();
    catalog.initialize("catalog", Map.of());
    catalog.createNamespace(Namespace.of("market"));
    var table = catalog.createTable(TableIdentifier.of("market", "trades"), schema);
    var settings = Map.of("name", "sink", "topics", "trades", "iceberg.tables", "market.trades", "iceberg.catalog.type", "hive");
    var converter = new RecordConverter(table, new IcebergSinkConfig(settings));
    var json = new JsonConverter();
    json.configure(Map.of("schemas.enable", "false"), false);
    for (var value : List.of("{\"count\": 4294967301}", "{\"count\": 1.9}", "{\"sequence\": 1e19}", "{\"sequence\": 1.9}",
        "{\"sequence\": \"1.9\"}", "{\"sequence\": 18446744073709551617}", "{\"maker\": \"x\"}",
        "{\"price\": \"0.000000005\"}", "{\"time\": 1795933164725686}", "{\"time\": \"2026-11-29T06:19:24.725686Z\"}")) {
      try {
        var record = converter.convert(json.toConnectData("trades", value.getBytes()).value());
        var name = value.substring(2, value.indexOf('"', 2));
        System.out.println(value + " -> " + record.getField(name));
      } catch (RuntimeException error) {
        System.out.println(value + " is refused: " + error.getClass().getSimpleName());
      }
    }
  }
}
EOF
javac -cp "$work/libs/*" -d "$work/classes" "$work/Seen.java"
java -cp "$work/classes:$work/libs/*" org.apache.iceberg.connect.data.Seen > "$work/seen" 2> "$work/log"
echo "Iceberg's Kafka Connect sink 1.12.0"
cat "$work/seen"
diff "$work/seen" - <<'EOF'
{"count": 4294967301} -> 5
{"count": 1.9} -> 1
{"sequence": 1e19} -> 9223372036854775807
{"sequence": 1.9} -> 1
{"sequence": "1.9"} is refused: NumberFormatException
{"sequence": 18446744073709551617} -> 1
{"maker": "x"} -> false
{"price": "0.000000005"} -> 1E-8
{"time": 1795933164725686} -> +58880-11-08T11:32:05.686Z
{"time": "2026-11-29T06:19:24.725686Z"} -> 2026-11-29T06:19:24.725686Z
EOF
