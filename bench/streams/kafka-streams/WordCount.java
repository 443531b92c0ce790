// How often each word came: from topic to topic, exactly once.
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.StringTokenizer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

public final class WordCount {
  private static List<String> words(String line) {
    List<String> words = new ArrayList<>();
    for (StringTokenizer tokens = new StringTokenizer(line); tokens.hasMoreTokens(); ) words.add(tokens.nextToken());
    return words;
  }

  public static void main(String[] args) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("RUN"));
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BROKERS"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("WORK") + "/state");
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    // Within a commit, a word's total is written once.
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
    settings.put(StreamsConfig.producerPrefix("linger.ms"), 100);
    settings.put(StreamsConfig.producerPrefix("batch.size"), 512 << 10);
    settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
    settings.put(StreamsConfig.consumerPrefix("max.poll.records"), 10_000);
    settings.put(StreamsConfig.consumerPrefix("max.partition.fetch.bytes"), 8 << 20);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    // A member that was killed keeps its partitions as long.
    settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
    settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 1000);
    StreamsBuilder streams = new StreamsBuilder();
    streams.stream(System.getenv("TOPIC"), Consumed.with(Serdes.ByteArray(), Serdes.String()))
        .flatMapValues(WordCount::words)
        .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
        .count(Materialized.as("totals"))
        .toStream()
        .mapValues(total -> Long.toString(total))
        .to(System.getenv("TARGET"), Produced.with(Serdes.String(), Serdes.String()));
    KafkaStreams running = new KafkaStreams(streams.build(settings), settings);
    running.setUncaughtExceptionHandler(
        failure -> {
          failure.printStackTrace();
          return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse
              .SHUTDOWN_APPLICATION;
        });
    running.start();
  }
}
