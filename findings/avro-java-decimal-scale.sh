#!/usr/bin/env bash
# Apache Avro 1.12.1 (Java): a reader's schema with another scale or unit is "compatible", and prices and times are read wrong.
#
# Expected: a decimal written with scale 4 and read with a schema of scale 8 is the same number, or the two do not match, as
# the specification lets decimals match only with equal scale and precision. Milliseconds read as microseconds likewise.
# Seen: the check for compatibility says COMPATIBLE, and the reader lays its own scale over the writer's digits: 65000.1000 is
# read as 6.50001000, and November 2026 as January 1970. fastavro 1.13.1 goes by the writer's schema, and is right both times.
#
# Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.avro</groupId><artifactId>avro</artifactId><version>1.12.1</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
cat > "$work/Seen.java" <<'EOF'
import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

class Seen {
  static void trip(String name, GenericData data, Object value, String written, String wanted, Path file) throws Exception {
    Schema writer = new Schema.Parser().parse(written), reader = new Schema.Parser().parse(wanted);
    ByteArrayOutputStream stored = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(stored, null);
    new GenericDatumWriter<Object>(writer, data).write(value, encoder);
    encoder.flush();
    Files.write(file, stored.toByteArray());
    var decoder = DecoderFactory.get().binaryDecoder(stored.toByteArray(), null);
    Object read = new GenericDatumReader<Object>(writer, reader, data).read(null, decoder);
    var compatible = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getType();
    System.out.println(name + " " + value + " " + compatible + " " + read);
  }

  public static void main(String[] folder) throws Exception {
    GenericData data = new GenericData();
    data.addLogicalTypeConversion(new Conversions.DecimalConversion());
    data.addLogicalTypeConversion(new TimeConversions.TimestampMillisConversion());
    data.addLogicalTypeConversion(new TimeConversions.TimestampMicrosConversion());
    String price = "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":%d}";
    String time = "{\"type\":\"long\",\"logicalType\":\"timestamp-%s\"}";
    trip("price", data, new BigDecimal("65000.1000"), price.formatted(4), price.formatted(8), Path.of(folder[0], "price"));
    Instant now = Instant.ofEpochMilli(1795933164725L);
    trip("time", data, now, time.formatted("millis"), time.formatted("micros"), Path.of(folder[0], "time"));
  }
}
EOF
java -cp "$work/libs/*" "$work/Seen.java" "$work" > "$work/seen"
echo "Apache Avro 1.12.1: what was written, whether the schemas are compatible, what was read"
cat "$work/seen"
diff "$work/seen" - <<'EOF'
price 65000.1000 COMPATIBLE 6.50001000
time 2026-11-29T06:19:24.725Z COMPATIBLE 1970-01-21T18:52:13.164725Z
EOF
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check fastavro==1.13.1
"$work/venv/bin/python" - "$work" <<'EOF'
import sys
from pathlib import Path

import fastavro


def read(name: str, *schemas: dict[str, object]) -> str:
    with Path(sys.argv[1], name).open("rb") as file:
        return str(fastavro.schemaless_reader(file, *schemas))


def price(scale: int) -> dict[str, object]:
    return {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": scale}


def time(unit: str) -> dict[str, object]:
    return {"type": "long", "logicalType": f"timestamp-{unit}"}


found = read("price", price(4), price(8)), read("time", time("millis"), time("micros"))
print("fastavro", fastavro.__version__, *found)
assert found == ("65000.1000", "2026-11-29 06:19:24.725000+00:00"), found
EOF
