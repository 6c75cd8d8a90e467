package org.ewc4j.consolidation;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonFile;
import org.ewc4j.fisher.FisherRecord;
import org.ewc4j.tensor.ParameterFingerprint;

/** {@code consolidation.json} to a {@link ConsolidationRecord} and back; what does not fit is refused by file and key. */
final class ConsolidationJson {
    static final String FORMAT = "ewc4j-consolidation";
    static final int FORMAT_VERSION = 1;

    private static final long MAX_BYTES = 16L << 20;
    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Path file;

    /** @param file named in a refusal */
    ConsolidationJson(Path file) {
        this.file = file;
    }

    static byte[] write(ConsolidationRecord record) {
        ObjectNode root = JSON.createObjectNode();
        root.put("format", FORMAT).put("format_version", FORMAT_VERSION).put("ewc4j", record.version());
        root.put("architecture", record.architecture()).put("layout_sha256", record.layoutFingerprint());
        root.put("held", record.fishers().size());
        root.set("fishers", fishers(record.fishers()));
        ObjectNode schedule = root.putObject("schedule");
        schedule.put("merge", name(record.schedule().kind()));
        if (record.schedule() instanceof MergeSchedule.Online online) {
            schedule.put("gamma", online.gamma());
        } else if (record.schedule() instanceof MergeSchedule.ExponentialMean mean) {
            schedule.put("alpha", mean.alpha());
        }
        root.put("constant", record.constant());
        root.putObject("fisher").put("file", ConsolidationFolder.FISHER).put("sha256", record.fisherFingerprint());
        ObjectNode anchor = root.putObject("anchor");
        record.anchorCheckpoint()
                .ifPresentOrElse(
                        checkpoint -> anchor.put("checkpoint", checkpoint),
                        () -> anchor.put("file", ConsolidationFolder.ANCHOR));
        anchor.put("sha256", record.anchorFingerprint());
        return (root.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
    }

    static ObjectNode newObject() {
        return JSON.createObjectNode();
    }

    static ArrayNode fishers(List<HeldFisher> fishers) {
        ArrayNode nodes = JSON.createArrayNode();
        for (HeldFisher held : fishers) {
            ObjectNode node = nodes.addObject();
            FisherRecord estimate = held.estimate();
            node.put("task", held.task()).put("kind", name(estimate.kind())).put("unit", name(estimate.unit()));
            node.put("examples", estimate.examples()).put("scored_tokens", estimate.scoredTokens());
            node.put("batch_size", estimate.batchSize()).put("samples", estimate.samples());
            node.put("normalize", name(estimate.normalize()));
            put(node, "clamp", estimate.clamp());
            node.put("shuffled", estimate.shuffled());
            node.put("weight", held.weight());
            put(node, "token_loss", held.tokenLoss());
            put(node, "mean", held.mean());
            node.put("model_sha256", estimate.model().fp32())
                    .put("model_fp16_sha256", estimate.model().fp16());
            node.put("model_bf16_sha256", estimate.model().bf16()).put("data_sha256", estimate.dataFingerprint());
        }
        return nodes;
    }

    private static void put(ObjectNode node, String key, OptionalDouble value) {
        node.put(key, value.isPresent() ? value.getAsDouble() : null);
    }

    /** As the configuration spells it. */
    static String name(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    static ConsolidationRecord read(Path file) {
        return new ConsolidationJson(file).record();
    }

    private ConsolidationRecord record() {
        JsonNode root = JsonFile.readObject(JSON, file, MAX_BYTES, "a consolidation.json of ewc4j");
        if (!root.path("format").asText().equals(FORMAT)) {
            throw wrong("format", "\"" + FORMAT + "\"");
        }
        if (!root.path("format_version").isIntegralNumber()
                || root.get("format_version").asLong() != FORMAT_VERSION) {
            throw wrong("format_version", FORMAT_VERSION + ", the one that this version of ewc4j reads");
        }
        List<HeldFisher> fishers = fishers(root);
        if (!root.path("held").isIntegralNumber() || root.get("held").asLong() != fishers.size()) {
            throw wrong("held", "the number of fishers, " + fishers.size());
        }
        JsonNode anchor = object(root, "anchor");
        boolean points = anchor.has("checkpoint");
        if (!points) {
            requireFile(anchor, "anchor", ConsolidationFolder.ANCHOR);
        }
        JsonNode fisher = object(root, "fisher");
        requireFile(fisher, "fisher", ConsolidationFolder.FISHER);
        return new ConsolidationRecord(
                text(root, "", "ewc4j"),
                text(root, "", "architecture"),
                fingerprint(root, "", "layout_sha256"),
                fishers,
                schedule(object(root, "schedule")),
                number(root, "", "constant"),
                fingerprint(fisher, "fisher.", "sha256"),
                points ? Optional.of(text(anchor, "anchor.", "checkpoint")) : Optional.empty(),
                fingerprint(anchor, "anchor.", "sha256"));
    }

    List<HeldFisher> fishers(JsonNode root) {
        JsonNode list = root.path("fishers");
        if (!list.isArray() || list.isEmpty()) {
            throw wrong("fishers", "a list of at least one Fisher");
        }
        List<HeldFisher> fishers = new ArrayList<>();
        for (JsonNode node : list) {
            String at = "fishers[" + fishers.size() + "].";
            fishers.add(new HeldFisher(
                    text(node, at, "task"),
                    estimate(node, at),
                    weight(node, at),
                    optionalNumber(node, at, "token_loss"),
                    optionalNumber(node, at, "mean")));
        }
        return fishers;
    }

    /** A consolidation of the time before there were weights has none. */
    private double weight(JsonNode node, String at) {
        double weight = node.has("weight") ? number(node, at, "weight") : 1;
        if (!(weight > 0)) {
            throw wrong(at + "weight", "a number above 0");
        }
        return weight;
    }

    private FisherRecord estimate(JsonNode node, String at) {
        return new FisherRecord(
                constant(node, at, "kind", FisherKind.class),
                constant(node, at, "unit", Unit.class),
                whole(node, at, "examples", Long.MAX_VALUE),
                whole(node, at, "scored_tokens", Long.MAX_VALUE),
                (int) whole(node, at, "batch_size", Integer.MAX_VALUE),
                (int) whole(node, at, "samples", Integer.MAX_VALUE),
                constant(node, at, "normalize", Normalize.class),
                optionalNumber(node, at, "clamp"),
                shuffled(node, at),
                model(node, at),
                text(node, at, "data_sha256"));
    }

    /** Of a folder of the time before these were written, those of the 16-bit copies are not known. */
    private ParameterFingerprint model(JsonNode node, String at) {
        return new ParameterFingerprint(
                text(node, at, "model_sha256"),
                node.has("model_fp16_sha256") ? text(node, at, "model_fp16_sha256") : "",
                node.has("model_bf16_sha256") ? text(node, at, "model_bf16_sha256") : "");
    }

    private boolean shuffled(JsonNode node, String at) {
        if (node.has("shuffled") && !node.get("shuffled").isBoolean()) {
            throw wrong(at + "shuffled", "true or false");
        }
        return node.path("shuffled").asBoolean();
    }

    private <E extends Enum<E>> E constant(JsonNode node, String at, String key, Class<E> type) {
        String given = text(node, at, key);
        return Arrays.stream(type.getEnumConstants())
                .filter(value -> name(value).equals(given))
                .findFirst()
                .orElseThrow(() -> wrong(
                        at + key,
                        "one of "
                                + Arrays.stream(type.getEnumConstants())
                                        .map(ConsolidationJson::name)
                                        .collect(Collectors.joining(", "))));
    }

    private MergeSchedule schedule(JsonNode node) {
        EwcConfig.Merge kind = constant(node, "schedule.", "merge", EwcConfig.Merge.class);
        EwcConfig ewc = EwcConfig.defaults().withMerge(kind);
        try {
            return MergeSchedule.of(
                    switch (kind) {
                        case ONLINE -> ewc.withGamma(number(node, "schedule.", "gamma"));
                        case EMA -> ewc.withAlpha(number(node, "schedule.", "alpha"));
                        default -> ewc;
                    });
        } catch (InvalidInputException e) {
            throw new InvalidInputException(file + ": schedule: " + e.getMessage(), e);
        }
    }

    private void requireFile(JsonNode node, String key, String name) {
        if (!text(node, key + ".", "file").equals(name)) {
            throw wrong(key + ".file", "\"" + name + "\"; a consolidation's files lie in its own folder");
        }
    }

    private JsonNode object(JsonNode node, String key) {
        if (!node.path(key).isObject()) {
            throw wrong(key, "an object");
        }
        return node.get(key);
    }

    private String text(JsonNode node, String at, String key) {
        if (!node.path(key).isTextual()) {
            throw wrong(at + key, "a text");
        }
        return node.get(key).asText();
    }

    private String fingerprint(JsonNode node, String at, String key) {
        String text = text(node, at, key);
        if (!text.matches("[0-9a-f]{64}")) {
            throw wrong(at + key, "64 hexadecimal digits");
        }
        return text;
    }

    long whole(JsonNode node, String at, String key, long most) {
        JsonNode value = node.path(key);
        if (!value.isIntegralNumber() || !value.canConvertToLong() || value.asLong() < 0 || value.asLong() > most) {
            throw wrong(at + key, "a whole number from 0");
        }
        return value.asLong();
    }

    double number(JsonNode node, String at, String key) {
        if (!node.path(key).isNumber() || !Double.isFinite(node.get(key).asDouble())) {
            throw wrong(at + key, "a number");
        }
        return node.get(key).asDouble();
    }

    private OptionalDouble optionalNumber(JsonNode node, String at, String key) {
        return node.hasNonNull(key) ? OptionalDouble.of(number(node, at, key)) : OptionalDouble.empty();
    }

    private InvalidInputException wrong(String key, String expected) {
        return new InvalidInputException(
                file + ": key '" + key + "': expected " + expected + "; the file is damaged or not of this ewc4j");
    }
}
