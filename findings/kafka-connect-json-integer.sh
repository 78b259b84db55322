#!/usr/bin/env bash
# Apache Kafka Connect 4.3.0: JsonConverter keeps only the lowest 64 bits of a larger integer, without an error.
#
# Expected: an integer that does not fit an INT64 is an error (a DataException, which a dead letter queue can take), or text.
# Seen: without a schema, 18446744073709551615 is -1, and the "id" that HTX sends with a trade, 10180194512782291967181675, is
# 8307568275426411371. A sink stores that, and a converter that writes it again changes the message. Up to 63 bits all is exact.
#
# Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId><version>4.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
cat > "$work/Seen.java" <<'EOF'
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.kafka.connect.json.JsonConverter;

class Seen {
  public static void main(String[] numbers) {
    try (JsonConverter converter = new JsonConverter()) {
      converter.configure(Map.of("schemas.enable", "false"), false);
      for (String number : numbers) {
        byte[] message = number.getBytes(StandardCharsets.UTF_8);
        Object value = converter.toConnectData("topic", message).value();
        byte[] again = converter.fromConnectData("topic", null, value);
        System.out.println(number + " " + value.getClass().getSimpleName() + " " + new String(again, StandardCharsets.UTF_8));
      }
    }
  }
}
EOF
java -cp "$work/libs/*" "$work/Seen.java" 9223372036854775807 18446744073709551615 10180194512782291967181675 > "$work/seen"
echo "Kafka Connect 4.3.0"
cat "$work/seen"
diff "$work/seen" - <<'EOF'
9223372036854775807 Long 9223372036854775807
18446744073709551615 Long -1
10180194512782291967181675 Long 8307568275426411371
EOF
