#!/usr/bin/env bash
# Flink SQL 2.3.0: a column TIMESTAMP(3) reads Avro's timestamp-micros as milliseconds, without an error.
#
# Expected: microseconds since 1970 are read as the time that they are, to three digits, or the table is refused.
# Seen: November 2026 is read as a day in the year 58880. TIMESTAMP(6), the type that would fit, is refused, by a message that
# denies the 3 it takes. BIGINT has the number, for TO_TIMESTAMP_LTZ(number / 1000, 3). fastavro 1.13.1, which wrote the
# file, reads it back as it was.
#
# Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-table-planner-loader</artifactId><version>2.3.0</version></dependency>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-table-runtime</artifactId><version>2.3.0</version></dependency>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-clients</artifactId><version>2.3.0</version></dependency>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-connector-files</artifactId><version>2.3.0</version></dependency>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-sql-avro</artifactId><version>2.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check fastavro==1.13.1
"$work/venv/bin/python" - "$work" <<'EOF'
import sys
from datetime import UTC, datetime
from pathlib import Path

import fastavro

time = {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}
schema = {"type": "record", "name": "Trade", "fields": [time]}
folder = Path(sys.argv[1], "trades")
folder.mkdir()
at = datetime(2026, 11, 29, 6, 19, 24, 725686, UTC)
with (folder / "one.avro").open("wb") as file:
    fastavro.writer(file, schema, [{"at": at}])
with (folder / "one.avro").open("rb") as file:
    assert [*fastavro.reader(file)] == [{"at": at}]
EOF
cat > "$work/Seen.java" <<'EOF'
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

class Seen {
  static String read(String type, String folder) {
    TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inBatchMode());
    String with = "('connector' = 'filesystem', 'path' = 'file://" + folder + "', 'format' = 'avro')";
    try {
      tables.executeSql("CREATE TABLE trades (`at` " + type + ") WITH " + with);
      try (var rows = tables.executeSql("SELECT `at` FROM trades").collect()) {
        return String.valueOf(rows.next().getField(0));
      }
    } catch (Exception e) {
      Throwable cause = e;
      while (cause.getCause() != null) {
        cause = cause.getCause();
      }
      return cause.getMessage();
    }
  }

  public static void main(String[] folder) {
    for (String type : new String[] {"TIMESTAMP(3)", "TIMESTAMP(6)", "BIGINT"}) {
      System.out.println(type + ": " + read(type, folder[0]));
    }
  }
}
EOF
java --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED -cp "$work/libs/*" \
  "$work/Seen.java" "$work/trades" > "$work/seen" 2> "$work/log"
echo "Flink 2.3.0: 2026-11-29 06:19:24.725686 in a column of this type"
cat "$work/seen"
diff "$work/seen" - <<'EOF'
TIMESTAMP(3): +58880-11-08T11:32:05.686
TIMESTAMP(6): Avro does not support TIMESTAMP type with precision: 6, it only supports precision less than 3.
BIGINT: 1795933164725686
EOF
