import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.ResultKind;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;

/** Runs the statements of a file of SQL, each ended by a semicolon and a new line, and prints the rows as JSON. */
class Flink {
  static Object plain(Object value) {
    if (value instanceof Row row) {
      Map<String, Object> fields = new LinkedHashMap<>();
      row.getFieldNames(true).forEach(name -> fields.put(name, plain(row.getField(name))));
      return fields;
    }
    if (value instanceof Object[] items) {
      return Arrays.stream(items).map(Flink::plain).toList();
    }
    return value == null || value instanceof Number ? value : value.toString();
  }

  public static void main(String[] files) throws Exception {
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    ObjectMapper json = new ObjectMapper();
    TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inBatchMode());
    tables.getConfig().set("table.exec.resource.default-parallelism", "1"); // rows keep their order
    for (String statement : Files.readString(Path.of(files[0])).split(";\n")) {
      var result = tables.executeSql(statement);
      if (result.getResultKind() == ResultKind.SUCCESS_WITH_CONTENT) {
        try (var rows = result.collect()) {
          while (rows.hasNext()) {
            out.println(json.writeValueAsString(plain(rows.next())));
          }
        }
      }
    }
    out.flush();
  }
}
