// How often each word came: the state comes back from a checkpoint; what was written since then is written again.
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.StringTokenizer;
import java.util.ArrayList;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.Optional;
import org.apache.spark.streaming.Durations;
import org.apache.spark.streaming.State;
import org.apache.spark.streaming.StateSpec;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import org.apache.spark.streaming.kafka010.ConsumerStrategies;
import org.apache.spark.streaming.kafka010.KafkaUtils;
import org.apache.spark.streaming.kafka010.LocationStrategies;
import scala.Tuple2;

public final class WordCount {
  private static Iterator<String> words(String line) {
    List<String> words = new ArrayList<>();
    for (StringTokenizer tokens = new StringTokenizer(line); tokens.hasMoreTokens(); ) words.add(tokens.nextToken());
    return words.iterator();
  }

  private static Tuple2<String, Long> add(String word, Optional<Long> came, State<Long> state) {
    long total = came.orElse(0L) + (state.exists() ? state.get() : 0L);
    state.update(total);
    return new Tuple2<>(word, total);
  }

  /// One for the process: a task is over in milliseconds.
  private static final class Producer {
    static final KafkaProducer<String, String> SHARED = make();

    private static KafkaProducer<String, String> make() {
      Properties settings = new Properties();
      settings.put("bootstrap.servers", System.getenv("BROKERS"));
      settings.put("linger.ms", "100");
      settings.put("batch.size", String.valueOf(512 << 10));
      settings.put("compression.type", "lz4");
      return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }
  }

  private static void write(Iterator<Tuple2<String, Long>> totals) {
    String topic = System.getenv("TARGET");
    while (totals.hasNext()) {
      Tuple2<String, Long> total = totals.next();
      Producer.SHARED.send(new ProducerRecord<>(topic, total._1, total._2.toString()));
    }
    Producer.SHARED.flush();
  }

  private static JavaStreamingContext create(String checkpoint) {
    SparkConf conf =
        new SparkConf().setAppName("words").setMaster("local[2]").set("spark.ui.enabled", "false")
            .set("spark.local.dir", System.getenv("WORK")).set("spark.driver.host", "127.0.0.1")
            .set("spark.driver.bindAddress", "127.0.0.1")
            .set("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
            .set("spark.streaming.kafka.maxRatePerPartition", "30000");
    JavaStreamingContext context = new JavaStreamingContext(conf, Durations.milliseconds(1000));
    context.sparkContext().setLogLevel("WARN");
    context.checkpoint(checkpoint);
    Map<String, Object> kafka = new HashMap<>();
    kafka.put("bootstrap.servers", System.getenv("BROKERS"));
    kafka.put("key.deserializer", StringDeserializer.class);
    kafka.put("value.deserializer", StringDeserializer.class);
    kafka.put("group.id", System.getenv("RUN"));
    kafka.put("enable.auto.commit", false);
    kafka.put("auto.offset.reset", "earliest");
    kafka.put("max.partition.fetch.bytes", 8 << 20);
    kafka.put("max.poll.records", 10_000);
    KafkaUtils.<String, String>createDirectStream(
            context, LocationStrategies.PreferConsistent(),
            ConsumerStrategies.Subscribe(Arrays.asList(System.getenv("TOPIC")), kafka))
        .map(ConsumerRecord::value)
        .flatMap(WordCount::words)
        .mapToPair(word -> new Tuple2<>(word, 1L))
        .reduceByKey(Long::sum, 2)
        .mapWithState(StateSpec.function(WordCount::add).numPartitions(2))
        .foreachRDD(rdd -> rdd.foreachPartition(WordCount::write));
    return context;
  }

  public static void main(String[] args) throws Exception {
    String checkpoint = "file://" + System.getenv("WORK") + "/checkpoints";
    JavaStreamingContext context = JavaStreamingContext.getOrCreate(checkpoint, () -> create(checkpoint));
    context.start();
    context.awaitTermination();
  }
}
