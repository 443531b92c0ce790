// Kafka to PostgreSQL exactly once, by two-phase commit at each checkpoint.
import org.apache.flink.connector.jdbc.JdbcExactlyOnceOptions;
import org.apache.flink.connector.jdbc.JdbcExecutionOptions;
import org.apache.flink.connector.jdbc.JdbcSink;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.postgresql.xa.PGXADataSource;

public final class ExactlyOnce {
  private static PGXADataSource database() {
    PGXADataSource source = new PGXADataSource();
    source.setURL(System.getenv("JDBC_URL"));
    return source;
  }

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment environment = Events.environment();
    Events.from(environment)
        .addSink(
            JdbcSink.exactlyOnceSink(
                Events.INSERT,
                Events::bind,
                JdbcExecutionOptions.builder().withBatchSize(5_000).withMaxRetries(0).build(),
                // PostgreSQL allows one prepared transaction for each connection that is in use.
                JdbcExactlyOnceOptions.builder().withTransactionPerConnection(true).build(),
                ExactlyOnce::database))
        .uid("table");
    environment.execute("events");
  }
}
