// Kafka Streams' side of bench/run peers: order_count and total_revenue per product of plain JSON sales, exactly once.
// usage: StreamsTotals BOOTSTRAP TOPIC APPLICATION_ID STATE_DIR OUT. Runs until its input ends, then writes to OUT what its store
// holds: product, count and cents, a line each.
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.Stores;

public class StreamsTotals {
    private static final String STORE = "totals";

    public static final class Sale {
        public String product_id;
        public int quantity;
        public BigDecimal unit_price;
    }

    private record Total(long count, long cents) {
        Total plus(Sale sale) {
            long price = sale.unit_price.movePointRight(2).longValueExact();
            return new Total(count + 1, Math.addExact(cents, Math.multiplyExact(price, (long) sale.quantity)));
        }
    }

    private static Serde<Sale> saleSerde() {
        ObjectReader reader = new ObjectMapper()
            .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false)
            .readerFor(Sale.class);
        Deserializer<Sale> read = (topic, bytes) -> {
            try {
                return reader.readValue(bytes);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        };
        Serializer<Sale> none = (topic, sale) -> {
            throw new UnsupportedOperationException("sales are only read");
        };
        return Serdes.serdeFrom(none, read);
    }

    private static Serde<Total> totalSerde() {
        Serializer<Total> write = (topic, total) -> total == null ? null
            : ByteBuffer.allocate(16).putLong(total.count).putLong(total.cents).array();
        Deserializer<Total> read = (topic, bytes) -> {
            if (bytes == null) {
                return null;
            }
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            return new Total(buffer.getLong(), buffer.getLong());
        };
        return Serdes.serdeFrom(write, read);
    }

    private static Properties settings(String bootstrap, String application, String stateDir) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, stateDir);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        // As all others: once a second. A shorter interval, the default of 100 ms too, costs throughput.
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.consumerPrefix("max.poll.records"), 10000);
        return settings;
    }

    private static void write(KafkaStreams streams, String out) throws IOException {
        var store = streams.store(StoreQueryParameters.fromNameAndType(STORE, QueryableStoreTypes.<String, Total>keyValueStore()));
        try (PrintWriter writer = new PrintWriter(out); var rows = store.all()) {
            rows.forEachRemaining(row -> writer.println(row.key + "\t" + row.value.count + "\t" + row.value.cents));
        }
    }

    public static void main(String[] args) throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(args[1], Consumed.with(Serdes.String(), saleSerde()))
            .groupByKey(Grouped.with(Serdes.String(), saleSerde()))
            .aggregate(() -> new Total(0, 0), (product, sale, total) -> total.plus(sale),
                Materialized.<String, Total>as(Stores.inMemoryKeyValueStore(STORE))
                    .withKeySerde(Serdes.String()).withValueSerde(totalSerde()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(args[0], args[2], args[3]));
        streams.start();
        while (System.in.read() >= 0) {
            continue;
        }
        write(streams, args[4]);
        streams.close(Duration.ofSeconds(30));
    }
}
