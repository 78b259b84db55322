#!/usr/bin/env bash
# Apache Kafka Connect 4.3.0: JsonConverter turns a value whose type is not that of its schema into zero or null.
#
# Expected: a DataException, which a dead letter queue can take; a value that is missing is one already.
# Seen: with the schema beside it, a price "65000.10" for a double is 0.0, "42" for an int64 is 0, 5 for a string is null, and
# 1 for a boolean is false; 0.5 for an int64 is 0, and 300 for an int8 is 44. The sink stores them. Whoever changes a field
# from number to text, as prices should be, must change the schema in the same record, or all prices are zero.
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
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.json.JsonConverter;

class Seen {
  static void read(String type, String value) {
    try (JsonConverter converter = new JsonConverter()) {
      converter.configure(Map.of("schemas.enable", "true"), false);
      String text = "{\"schema\":{\"type\":\"%s\",\"optional\":false},\"payload\":%s}".formatted(type, value);
      String given;
      try {
        given = String.valueOf(converter.toConnectData("topic", text.getBytes(StandardCharsets.UTF_8)).value());
      } catch (DataException error) {
        given = "refused";
      }
      System.out.println(type + " " + value + " -> " + given);
    }
  }

  public static void main(String[] none) {
    read("double", "\"65000.10\"");
    read("int64", "\"42\"");
    read("int64", "0.5");
    read("int8", "300");
    read("string", "5");
    read("boolean", "1");
    read("double", "null");
  }
}
EOF
java -cp "$work/libs/*" "$work/Seen.java" > "$work/seen" 2> "$work/log"
echo "Kafka Connect 4.3.0"
cat "$work/seen"
diff "$work/seen" - <<'EOF'
double "65000.10" -> 0.0
int64 "42" -> 0
int64 0.5 -> 0
int8 300 -> 44
string 5 -> null
boolean 1 -> false
double null -> refused
EOF
