import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Message;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.generic.IndexedRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** Reads topics of one partition with the deserializers that the files of settings name, and prints them as JSON. */
class Reader {
  static Object plain(Object value) {
    Map<String, Object> fields = new LinkedHashMap<>();
    if (value instanceof IndexedRecord record) {
      record.getSchema().getFields().forEach(field -> fields.put(field.name(), plain(record.get(field.pos()))));
      return fields;
    }
    if (value instanceof Message message) {
      for (var field : message.getDescriptorForType().getFields()) {
        boolean isNull = field.hasPresence() && !message.hasField(field);
        fields.put(field.getName(), isNull ? null : plain(message.getField(field)));
      }
      return fields;
    }
    if (value instanceof List<?> list) {
      return list.stream().map(Reader::plain).toList();
    }
    if (value instanceof EnumValueDescriptor word) {
      return word.getName();
    }
    return value == null || value instanceof Number ? value : value.toString();
  }

  public static void main(String[] files) throws Exception {
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    ObjectMapper json = new ObjectMapper();
    for (String file : files) {
      Properties settings = new Properties();
      settings.load(Files.newBufferedReader(Path.of(file)));
      List<TopicPartition> all = List.of(new TopicPartition(settings.getProperty("topic"), 0));
      try (KafkaConsumer<byte[], Object> consumer = new KafkaConsumer<>(settings)) {
        consumer.assign(all);
        consumer.seekToBeginning(all);
        long end = consumer.endOffsets(all).get(all.get(0));
        while (consumer.position(all.get(0)) < end) {
          for (var record : consumer.poll(Duration.ofSeconds(1))) {
            out.println(json.writeValueAsString(Map.of("topic", record.topic(), "value", plain(record.value()))));
          }
        }
      }
    }
    out.flush();
  }
}
