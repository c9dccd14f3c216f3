import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Locale;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The peers' job in Kafka Streams: one thread, state in RocksDB with cache and changelog, exactly once.
 *
 * <p>The same contract, features and arithmetic as job.py: River's StandardScaler and LogisticRegression.
 */
public final class KafkaStreamsPeer {
    private static final int LEARN_EACH = 5;
    private static final int FEATURES = 8;
    private static final String ROWS = "customers";
    private static final Set<String> TYPES = Set.of("product_viewed", "product_added", "order_completed");
    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES);

    record Bought(
            @JsonProperty(value = "product_id", required = true) String productId,
            @JsonProperty(value = "price", required = true) double price,
            @JsonProperty(value = "quantity", required = true) int quantity) {
        Bought {
            if (productId == null || !(price >= 0) || quantity < 1) {
                throw new IllegalArgumentException("properties are not valid");
            }
        }
    }

    record Event(
            @JsonProperty(value = "event_id", required = true) String eventId,
            @JsonProperty(value = "customer_id", required = true) String customerId,
            @JsonProperty(value = "type", required = true) String type,
            @JsonProperty(value = "time", required = true) double time,
            @JsonProperty(value = "session_id", required = true) String sessionId,
            @JsonProperty(value = "properties", required = true) Bought properties) {
        Event {
            if (eventId == null || customerId == null || !TYPES.contains(type) || sessionId == null
                    || properties == null) {
                throw new IllegalArgumentException("the event is not valid");
            }
        }
    }

    /** River's defaults: a running mean and variance by feature; logistic loss, SGD with a rate of 0.01, no penalty. */
    static final class Model {
        private static final double RATE = 0.01;
        private final double[] means = new double[FEATURES];
        private final double[] variances = new double[FEATURES];
        private final double[] weights = new double[FEATURES];
        private final double[] scaled = new double[FEATURES];
        private double intercept;
        private long seen;

        double predict(double[] features) {
            double sum = intercept;
            for (int i = 0; i < FEATURES; i++) {
                scaled[i] = variances[i] > 0 ? (features[i] - means[i]) / Math.sqrt(variances[i]) : 0;
                sum += weights[i] * scaled[i];
            }
            return 1 / (1 + Math.exp(-sum));
        }

        void learn(double[] features, boolean label) {
            seen++;
            for (int i = 0; i < FEATURES; i++) {
                double before = means[i];
                means[i] += (features[i] - before) / seen;
                variances[i] += ((features[i] - before) * (features[i] - means[i]) - variances[i]) / seen;
            }
            double gradient = predict(features) - (label ? 1 : 0);
            for (int i = 0; i < FEATURES; i++) {
                weights[i] -= RATE * gradient * scaled[i];
            }
            intercept -= RATE * gradient;
        }
    }

    /** Of the one thread. */
    static final class Job {
        private final OperatingSystemMXBean system =
                (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        private final Model model = new Model();
        private final double[] features = new double[FEATURES];
        private final long count;
        private long taken;
        private long learned;
        private double predicted;
        private long began;
        private long cpu;

        Job(long count) {
            this.count = count;
        }

        Event read(byte[] value) {
            if (began == 0) {
                began = System.nanoTime();
                cpu = system.getProcessCpuTime();
            }
            try {
                return JSON.readValue(value, Event.class);
            } catch (IOException invalid) {
                throw new UncheckedIOException(invalid);
            }
        }

        /** A row is 24 bytes: events, time of the last one in s, money spent. */
        byte[] take(byte[] packed, Event event) {
            ByteBuffer row = ByteBuffer.wrap(packed == null ? new byte[24] : packed);
            double events = row.getDouble(0) + 1;
            double last = packed == null ? event.time() : row.getDouble(8);
            double spent = row.getDouble(16);
            double value = event.properties().price() * event.properties().quantity();
            features[0] = events;
            features[1] = event.time() - last;
            features[2] = event.properties().price();
            features[3] = event.properties().quantity();
            features[4] = value;
            features[5] = spent;
            features[6] = spent / events;
            features[7] = event.type().equals("product_added") ? 1 : 0;
            predicted += model.predict(features);
            boolean buys = event.type().equals("order_completed");
            if ((long) events % LEARN_EACH == 0) {
                learned++;
                model.learn(features, buys);
            }
            taken++;
            byte[] after = new byte[24];
            ByteBuffer.wrap(after).putDouble(events).putDouble(event.time()).putDouble(buys ? spent + value : spent);
            return after;
        }

        boolean isDone() {
            return taken >= count;
        }

        void report() {
            double seconds = (System.nanoTime() - began) / 1e9;
            double cpuSeconds = (system.getProcessCpuTime() - cpu) / 1e9;
            System.out.printf(
                    Locale.ROOT,
                    "{\"events\": %d, \"seconds\": %f, \"cpu_s\": %f, \"learned\": %d, \"predicted\": %f}%n",
                    taken, seconds, cpuSeconds, learned, predicted);
        }
    }

    static final class Customers implements Processor<String, byte[], Void, Void> {
        private final Job job;
        private ProcessorContext<Void, Void> context;
        private KeyValueStore<String, byte[]> rows;
        private boolean isLast;
        private int punctuations;

        Customers(Job job) {
            this.job = job;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            this.context = context;
            rows = context.getStateStore(ROWS);
            context.schedule(Duration.ofMillis(1), PunctuationType.WALL_CLOCK_TIME, now -> reportIfCommitted());
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Event event = job.read(record.value());
            rows.put(record.key(), job.take(rows.get(record.key()), event));
            isLast = job.isDone();
            if (isLast) {
                context.commit();
            }
        }

        /** The thread takes turns: records, punctuation, commit. So the commit stands before the second of these. */
        private void reportIfCommitted() {
            if (isLast && ++punctuations == 2) {
                job.report();
            }
        }
    }

    private KafkaStreamsPeer() {}

    public static void main(String[] arguments) {
        Job job = new Job(Long.parseLong(arguments[3]));
        Topology topology = new Topology();
        topology.addSource("events", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), arguments[1]);
        topology.addProcessor("job", () -> new Customers(job), "events");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(
                                Stores.persistentKeyValueStore(ROWS), Serdes.String(), Serdes.ByteArray())
                        .withCachingEnabled(),
                "job");
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[4]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, "state");
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        new KafkaStreams(topology, settings).start();
    }
}
