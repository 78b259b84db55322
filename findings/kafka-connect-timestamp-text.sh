#!/usr/bin/env bash
# Apache Kafka Connect 4.3.0: TimestampConverter treats six digits after the second as milliseconds, in both directions.
#
# Expected: 2026-11-29T06:19:24.725686Z, as Coinbase, Kraken or Python write a time, is that time, cut to milliseconds at worst,
# with SSSSSS in the format; or an error, if six digits cannot be read.
# Seen: it becomes 06:31:29.686, twelve minutes later, for 725686 are taken as milliseconds; so times run up to 17 minutes ahead
# within each second, and back. The other way, microseconds become text with .000725 where .725686 was. Neither says a
# word. Microseconds as a number, to Timestamp, are cut to milliseconds, and right.
#
# Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-transforms</artifactId><version>4.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
cat > "$work/Seen.java" <<'EOF'
import java.util.Date;
import java.util.Map;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.TimestampConverter;

class Seen {
  static final String FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX";

  static void convert(Object value, String type) {
    try (var converter = new TimestampConverter.Value<SourceRecord>()) {
      converter.configure(Map.of("target.type", type, "format", FORMAT, "unix.precision", "microseconds"));
      Object given = converter.apply(new SourceRecord(null, null, "topic", null, value)).value();
      System.out.println(value + " -> " + (given instanceof Date time ? time.toInstant() : given));
    }
  }

  public static void main(String[] none) {
    convert("2026-11-29T06:19:24.725686Z", "Timestamp");
    convert("2026-11-29T06:19:24.000001Z", "Timestamp");
    convert(1795933164725686L, "string");
    convert(1795933164725686L, "Timestamp");
  }
}
EOF
java -Duser.timezone=UTC -cp "$work/libs/*" "$work/Seen.java" > "$work/seen" 2> "$work/log"
echo "Kafka Connect 4.3.0"
cat "$work/seen"
diff "$work/seen" - <<'EOF'
2026-11-29T06:19:24.725686Z -> 2026-11-29T06:31:29.686Z
2026-11-29T06:19:24.000001Z -> 2026-11-29T06:19:24.001Z
1795933164725686 -> 2026-11-29T06:19:24.000725Z
1795933164725686 -> 2026-11-29T06:19:24.725Z
EOF
