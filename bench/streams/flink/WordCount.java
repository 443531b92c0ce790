// How often each word came: from topic to topic, a Kafka transaction for each checkpoint.
import java.nio.charset.StandardCharsets;
import java.util.StringTokenizer;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

public final class WordCount {
  /// Emits a word's total once a second, if it has changed: each change would be ten times as many.
  static final class Totals extends KeyedProcessFunction<String, String, Tuple2<String, Long>> {
    private transient ValueState<Long> total;

    @Override
    public void open(OpenContext context) {
      total = getRuntimeContext().getState(new ValueStateDescriptor<>("total", Types.LONG));
    }

    @Override
    public void processElement(String word, Context context, Collector<Tuple2<String, Long>> out) throws Exception {
      Long before = total.value();
      total.update(before == null ? 1L : before + 1);
      // Timers of one time and key are one.
      context.timerService().registerProcessingTimeTimer(context.timerService().currentProcessingTime() / 1000 * 1000 + 1000);
    }

    @Override
    public void onTimer(long time, OnTimerContext context, Collector<Tuple2<String, Long>> out) throws Exception {
      out.collect(Tuple2.of(context.getCurrentKey(), total.value()));
    }
  }

  private static StreamExecutionEnvironment environment() {
    Configuration configuration = new Configuration();
    configuration.setString("execution.checkpointing.interval", "1 s");
    configuration.setString("execution.checkpointing.dir", "file://" + System.getenv("WORK") + "/checkpoints");
    configuration.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
    configuration.setString("execution.checkpointing.incremental", "true");
    configuration.setString("state.backend.type", "rocksdb");
    configuration.setString("state.backend.rocksdb.timer-service.factory", "HEAP");
    configuration.setString("state.backend.rocksdb.localdir", System.getenv("WORK"));
    configuration.setString("taskmanager.memory.managed.size", "256m");
    configuration.setString("pipeline.object-reuse", "true");
    configuration.setString("rest.bind-address", "127.0.0.1");
    configuration.setString("$internal.pipeline.job-id", "00000000000000000000000000000001");
    String checkpoint = System.getenv("FROM_CHECKPOINT");
    if (checkpoint != null) configuration.setString("execution.state-recovery.path", checkpoint);
    return StreamExecutionEnvironment.createLocalEnvironment(2, configuration);
  }

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment environment = environment();
    KafkaSource<String> source =
        KafkaSource.<String>builder().setBootstrapServers(System.getenv("BROKERS")).setTopics(System.getenv("TOPIC"))
            .setGroupId(System.getenv("RUN")).setStartingOffsets(OffsetsInitializer.earliest())
            .setValueOnlyDeserializer(new SimpleStringSchema()).setProperty("max.poll.records", "10000")
            .setProperty("max.partition.fetch.bytes", String.valueOf(8 << 20)).build();
    KafkaSink<Tuple2<String, Long>> sink =
        KafkaSink.<Tuple2<String, Long>>builder().setBootstrapServers(System.getenv("BROKERS"))
            .setRecordSerializer(
                KafkaRecordSerializationSchema.<Tuple2<String, Long>>builder().setTopic(System.getenv("TARGET"))
                    .setKeySerializationSchema((Tuple2<String, Long> row) -> row.f0.getBytes(StandardCharsets.UTF_8))
                    .setValueSerializationSchema((Tuple2<String, Long> row) -> row.f1.toString().getBytes(StandardCharsets.UTF_8))
                    .build())
            .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE).setTransactionalIdPrefix(System.getenv("RUN"))
            .setProperty("transaction.timeout.ms", "600000").setProperty("linger.ms", "100")
            .setProperty("batch.size", String.valueOf(512 << 10)).setProperty("compression.type", "lz4").build();
    environment.fromSource(source, WatermarkStrategy.noWatermarks(), "lines").uid("lines")
        .flatMap(
            (FlatMapFunction<String, String>)
                (line, out) -> {
                  for (StringTokenizer words = new StringTokenizer(line); words.hasMoreTokens(); ) out.collect(words.nextToken());
                })
        .returns(Types.STRING)
        .keyBy(word -> word)
        .process(new Totals()).uid("totals")
        .sinkTo(sink).uid("sink");
    environment.execute("words");
  }
}
