// Kafka to PostgreSQL, a row for each key as its last record has it: at least once, by SQL. Its sink writes INSERT ... ON CONFLICT, and
// keeps of each key the last row of a batch, so that the driver may make one statement of many rows.
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

public final class Upsert {
  // The server reads the timestamps.
  private static final String COLUMNS =
      "id BIGINT, user_id BIGINT, kind STRING, amount DOUBLE, ts STRING, note STRING, ok BOOLEAN";
  private static final String RECORDS =
      """
      CREATE TABLE records (%s) WITH (
        'connector' = 'kafka', 'properties.bootstrap.servers' = '%s', 'topic' = '%s', 'properties.group.id' = '%s',
        'scan.startup.mode' = 'earliest-offset', 'format' = 'json',
        'properties.max.poll.records' = '10000', 'properties.max.partition.fetch.bytes' = '8388608')
      """;
  private static final String ROWS =
      """
      CREATE TABLE things (%s, PRIMARY KEY (id) NOT ENFORCED) WITH (
        'connector' = 'jdbc', 'driver' = 'org.postgresql.Driver', 'url' = '%s', 'table-name' = '%s',
        'sink.buffer-flush.max-rows' = '5000', 'sink.buffer-flush.interval' = '1 s', 'sink.max-retries' = '3')
      """;

  public static void main(String[] args) throws Exception {
    Configuration configuration = new Configuration();
    configuration.setString("execution.checkpointing.interval", "1 s");
    configuration.setString("execution.checkpointing.dir", "file://" + System.getenv("WORK") + "/checkpoints");
    configuration.setString("pipeline.object-reuse", "true");
    configuration.setString("rest.bind-address", "127.0.0.1");
    StreamTableEnvironment tables =
        StreamTableEnvironment.create(StreamExecutionEnvironment.createLocalEnvironment(2, configuration));
    tables.executeSql(
        RECORDS.formatted(COLUMNS, System.getenv("BROKERS"), System.getenv("TOPIC"), System.getenv("RUN")));
    tables.executeSql(ROWS.formatted(COLUMNS, System.getenv("JDBC_URL"), System.getenv("TABLE")));
    tables.executeSql("INSERT INTO things SELECT * FROM records").await();
  }
}
