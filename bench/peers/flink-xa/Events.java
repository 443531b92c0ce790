// What both jobs share: the records, where they come from, and a row's parameters.
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Types;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

public final class Events {
  static final String INSERT =
      "INSERT INTO " + System.getenv("TABLE") + " (id, user_id, kind, amount, ts, note, ok) VALUES (?, ?, ?, ?, ?, ?, ?)";

  public static final class Event {
    public long id;
    public long user_id;
    public String kind;
    public Double amount;
    public String ts;
    public String note;
    public Boolean ok;
  }

  public static final class Schema extends AbstractDeserializationSchema<Event> {
    private transient ObjectReader reader;

    @Override
    public void open(InitializationContext context) {
      reader = new ObjectMapper().readerFor(Event.class);
    }

    @Override
    public Event deserialize(byte[] message) throws IOException {
      return reader.readValue(message);
    }
  }

  static void bind(PreparedStatement row, Event event) throws SQLException {
    row.setLong(1, event.id);
    row.setLong(2, event.user_id);
    row.setString(3, event.kind);
    row.setObject(4, event.amount, Types.DOUBLE);
    row.setString(5, event.ts);
    row.setString(6, event.note);
    row.setObject(7, event.ok, Types.BOOLEAN);
  }

  /// Checkpoints every second, kept over a kill; FROM_CHECKPOINT, where it is set, is the one to begin at.
  static StreamExecutionEnvironment environment() {
    Configuration configuration = new Configuration();
    configuration.setString("execution.checkpointing.interval", "1 s");
    configuration.setString("execution.checkpointing.dir", "file://" + System.getenv("WORK") + "/checkpoints");
    configuration.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
    configuration.setString("pipeline.object-reuse", "true");
    configuration.setString("rest.bind-address", "127.0.0.1");
    // As a job of a cluster with high availability has it: the same after a restart. With another one the sink
    // would not know its prepared transactions again.
    configuration.setString("$internal.pipeline.job-id", "00000000000000000000000000000001");
    String checkpoint = System.getenv("FROM_CHECKPOINT");
    if (checkpoint != null) configuration.setString("execution.state-recovery.path", checkpoint);
    return StreamExecutionEnvironment.createLocalEnvironment(2, configuration);
  }

  static DataStream<Event> from(StreamExecutionEnvironment environment) {
    KafkaSource<Event> source =
        KafkaSource.<Event>builder().setBootstrapServers(System.getenv("BROKERS")).setTopics(System.getenv("TOPIC"))
            .setGroupId(System.getenv("RUN")).setStartingOffsets(OffsetsInitializer.earliest())
            .setValueOnlyDeserializer(new Schema()).setProperty("max.poll.records", "10000")
            .setProperty("max.partition.fetch.bytes", String.valueOf(8 << 20)).build();
    return environment.fromSource(source, WatermarkStrategy.noWatermarks(), "events").uid("events");
  }
}
