// Kafka to PostgreSQL exactly once, by hand: a task's rows and its partition's offset are one transaction.
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskContext;
import org.apache.spark.streaming.Milliseconds;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import org.apache.spark.streaming.kafka010.ConsumerStrategies;
import org.apache.spark.streaming.kafka010.HasOffsetRanges;
import org.apache.spark.streaming.kafka010.KafkaUtils;
import org.apache.spark.streaming.kafka010.LocationStrategies;
import org.apache.spark.streaming.kafka010.OffsetRange;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;

public final class DirectStream {
  private static final int PIECE = 64 * 1024;

  public static final class Event {
    public long id;
    public long user_id;
    public String kind;
    public Double amount;
    public String ts;
    public String note;
    public Boolean ok;
  }

  private static Connection connect() throws SQLException {
    return DriverManager.getConnection(System.getenv("JDBC_URL"));
  }

  private static Map<TopicPartition, Long> committed(String topic, int partitions) throws SQLException {
    Map<TopicPartition, Long> offsets = new HashMap<>();
    for (int p = 0; p < partitions; p++) offsets.put(new TopicPartition(topic, p), 0L);
    try (Connection connection = connect();
        PreparedStatement query =
            connection.prepareStatement("SELECT kafka_partition, next FROM stream_offsets WHERE topic = ?")) {
      query.setString(1, topic);
      ResultSet rows = query.executeQuery();
      while (rows.next()) offsets.put(new TopicPartition(topic, rows.getInt(1)), rows.getLong(2));
    }
    return offsets;
  }

  private static void quote(StringBuilder out, String text) {
    if (text == null) return;
    out.append('"').append(text.indexOf('"') < 0 ? text : text.replace("\"", "\"\"")).append('"');
  }

  private static void copy(Connection connection, Iterator<ConsumerRecord<byte[], byte[]>> records)
      throws SQLException, IOException {
    ObjectReader reader = new ObjectMapper().readerFor(Event.class);
    CopyIn copy =
        connection.unwrap(PGConnection.class).getCopyAPI().copyIn(
            "COPY " + System.getenv("TABLE") + " (id, user_id, kind, amount, ts, note, ok) FROM STDIN (FORMAT csv)");
    StringBuilder piece = new StringBuilder(PIECE + 1024);
    while (records.hasNext()) {
      Event event = reader.readValue(records.next().value());
      piece.append(event.id).append(',').append(event.user_id).append(',');
      quote(piece, event.kind);
      piece.append(',').append(event.amount == null ? "" : event.amount).append(',');
      quote(piece, event.ts);
      piece.append(',');
      quote(piece, event.note);
      piece.append(',').append(event.ok == null ? "" : event.ok).append('\n');
      if (piece.length() >= PIECE || !records.hasNext()) {
        byte[] bytes = piece.toString().getBytes(StandardCharsets.UTF_8);
        copy.writeToCopy(bytes, 0, bytes.length);
        piece.setLength(0);
      }
    }
    copy.endCopy();
  }

  /// False where the offset stands elsewhere: another process, or an earlier attempt, was here.
  private static boolean move(Connection connection, OffsetRange range) throws SQLException {
    String sql =
        "INSERT INTO stream_offsets AS o VALUES (?, ?, ?) ON CONFLICT (topic, kafka_partition) "
            + "DO UPDATE SET next = excluded.next WHERE o.next = ?";
    try (PreparedStatement update = connection.prepareStatement(sql)) {
      update.setString(1, range.topic());
      update.setInt(2, range.partition());
      update.setLong(3, range.untilOffset());
      update.setLong(4, range.fromOffset());
      return update.executeUpdate() == 1;
    }
  }

  private static void store(OffsetRange range, Iterator<ConsumerRecord<byte[], byte[]>> records) throws Exception {
    if (range.count() == 0) return;
    try (Connection connection = connect()) {
      connection.setAutoCommit(false);
      copy(connection, records);
      if (!move(connection, range)) throw new IllegalStateException("not where it was: " + range);
      connection.commit();
    }
  }

  public static void main(String[] args) throws Exception {
    String topic = System.getenv("TOPIC");
    SparkConf conf =
        new SparkConf().setAppName("direct").setMaster("local[2]").set("spark.ui.enabled", "false")
            .set("spark.local.dir", System.getenv("WORK")).set("spark.driver.host", "127.0.0.1")
            .set("spark.driver.bindAddress", "127.0.0.1")
            // 100,000 records a partition and batch: as many as fit into an interval are never too many.
            .set("spark.streaming.kafka.maxRatePerPartition", "500000");
    JavaStreamingContext context = new JavaStreamingContext(conf, Milliseconds.apply(200));
    context.sparkContext().setLogLevel("WARN");
    Map<String, Object> kafka = new HashMap<>();
    kafka.put("bootstrap.servers", System.getenv("BROKERS"));
    kafka.put("key.deserializer", ByteArrayDeserializer.class);
    kafka.put("value.deserializer", ByteArrayDeserializer.class);
    kafka.put("group.id", System.getenv("RUN"));
    kafka.put("enable.auto.commit", false);
    kafka.put("auto.offset.reset", "none");
    kafka.put("max.partition.fetch.bytes", 8 << 20);
    kafka.put("max.poll.records", 10_000);
    Map<TopicPartition, Long> from = committed(topic, Integer.parseInt(System.getenv("PARTITIONS")));
    KafkaUtils.<byte[], byte[]>createDirectStream(
            context, LocationStrategies.PreferConsistent(), ConsumerStrategies.Assign(from.keySet(), kafka, from))
        .foreachRDD(
            rdd -> {
              OffsetRange[] ranges = ((HasOffsetRanges) rdd.rdd()).offsetRanges();
              // The range is the Kafka partition's: the task's own number may mean another one next time.
              rdd.foreachPartition(records -> store(ranges[TaskContext.getPartitionId()], records));
            });
    context.start();
    context.awaitTermination();
  }
}
