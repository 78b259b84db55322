#!/usr/bin/env bash
# Apache Kafka Connect 4.3.0: its default header converter guesses types from text, so headers that pass through come out
# changed: prices lose digits in a 32-bit float, ids lose their zeros.
#
# Expected: what a connector or a mirror does not touch leaves with the bytes it had; `header.converter` was not set.
# Seen: 12345678901.12345678 becomes a FLOAT32 and leaves as 1.23456788E10, 65000.10 as 65000.1, 00001234 as 1234, and a
# version 1.10 as 1.1. Names, words and times with more than milliseconds stay text. A header that is compared with what was
# sent (a trace id, a hash of digits) no longer matches. StringConverter or ByteArrayConverter leaves all of them alone.
#
# Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId><version>4.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
cat > "$work/Seen.java" <<'EOF'
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.kafka.connect.runtime.WorkerConfig;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

class Seen {
  static String passed(HeaderConverter converter, String text) {
    var data = converter.toConnectHeader("topic", "header", text.getBytes(StandardCharsets.UTF_8));
    byte[] again = converter.fromConnectHeader("topic", "header", data.schema(), data.value());
    return data.schema().type() + " " + new String(again, StandardCharsets.UTF_8);
  }

  public static void main(String[] texts) throws Exception {
    String standard = WorkerConfig.HEADER_CONVERTER_CLASS_DEFAULT;
    try (HeaderConverter guessing = (HeaderConverter) Class.forName(standard).getDeclaredConstructor().newInstance();
        HeaderConverter text = new StringConverter()) {
      guessing.configure(Map.of("converter.type", "header"));
      text.configure(Map.of("converter.type", "header"));
      System.out.println(standard);
      for (String one : texts) {
        System.out.println(one + " -> " + passed(guessing, one) + " | " + passed(text, one));
      }
    }
  }
}
EOF
java -cp "$work/libs/*" "$work/Seen.java" 12345678901.12345678 65000.10 00001234 1.10 ticker/1 2026-11-29T06:19:24.725686Z \
  > "$work/seen" 2> "$work/log"
echo "Kafka Connect 4.3.0: by the default header converter | by StringConverter"
cat "$work/seen"
diff "$work/seen" - <<'EOF'
org.apache.kafka.connect.storage.SimpleHeaderConverter
12345678901.12345678 -> FLOAT32 1.23456788E10 | STRING 12345678901.12345678
65000.10 -> FLOAT32 65000.1 | STRING 65000.10
00001234 -> INT16 1234 | STRING 00001234
1.10 -> FLOAT32 1.1 | STRING 1.10
ticker/1 -> STRING ticker/1 | STRING ticker/1
2026-11-29T06:19:24.725686Z -> STRING 2026-11-29T06:19:24.725686Z | STRING 2026-11-29T06:19:24.725686Z
EOF
