// Kafka to PostgreSQL at least once, in batches.
import org.apache.flink.connector.jdbc.JdbcConnectionOptions;
import org.apache.flink.connector.jdbc.JdbcExecutionOptions;
import org.apache.flink.connector.jdbc.JdbcSink;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

public final class AtLeastOnce {
  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment environment = Events.environment();
    Events.from(environment)
        .addSink(
            JdbcSink.sink(
                Events.INSERT,
                Events::bind,
                JdbcExecutionOptions.builder().withBatchSize(5_000).withBatchIntervalMs(1_000).withMaxRetries(3).build(),
                new JdbcConnectionOptions.JdbcConnectionOptionsBuilder().withUrl(System.getenv("JDBC_URL"))
                    .withDriverName("org.postgresql.Driver").build()))
        .uid("table");
    environment.execute("events");
  }
}
