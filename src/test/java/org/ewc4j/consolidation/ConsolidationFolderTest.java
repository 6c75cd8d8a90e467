package org.ewc4j.consolidation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.ewc4j.Golden;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.fisher.FisherSettings;
import org.ewc4j.fisher.UniformFisher;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.SafetensorsWriter;
import org.ewc4j.tensor.StoredType;
import org.ewc4j.tensor.Torch;
import org.ewc4j.tensor.TrainedParameters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ConsolidationFolderTest {
    private static final String RECORD = "consolidation.json";
    private static final HeldFisher WHAT = HeldFishers.uniform("a \"task\"");

    /** Ones, of no rows. */
    private static final HeldFisher FOUND =
            new HeldFisher(WHAT.task(), WHAT.estimate(), 1, OptionalDouble.empty(), OptionalDouble.of(1));

    @TempDir
    Path folder;

    private Kernels kernels;
    private ParameterLayout layout;

    @BeforeEach
    void open() {
        Torch.start(Golden.THREADS);
        kernels = Kernels.host(Golden.THREADS);
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("wte.weight", new long[] {30, 10});
        shapes.put("h.0.attn.weight", new long[] {300});
        shapes.put("h.1.attn.weight", new long[] {300});
        layout = ParameterLayout.of(shapes);
    }

    @AfterEach
    void close() {
        kernels.close();
    }

    private Consolidation consolidation(MergeSchedule schedule, StateTypes types, double... anchors) {
        Consolidation consolidation = new Consolidation(layout, schedule, types, StatePlaces.on(Device.CPU));
        try (Arena theta = new Arena(layout)) {
            for (double anchor : anchors) {
                theta.fill(anchor);
                consolidation.add(
                        kernels,
                        new UniformFisher(null, TrainedParameters.all(theta.layout())),
                        theta,
                        WHAT,
                        done -> {});
            }
        }
        return consolidation;
    }

    private Path write(MergeSchedule schedule, StateTypes types, double... anchors) {
        Path target = folder.resolve("kept");
        try (Consolidation consolidation = consolidation(schedule, types, anchors)) {
            ConsolidationFolder.write(target, consolidation, "GPT2LMHeadModel", "0.1.0", Optional.empty());
        }
        return target;
    }

    private Consolidation read(Path kept, MergeSchedule schedule, StateTypes types) {
        return ConsolidationFolder.open(kept).read(kernels, layout, schedule, types, StatePlaces.on(Device.CPU));
    }

    private double norm(Arena arena) {
        return kernels.norm(arena.list()) / Math.sqrt(layout.elements());
    }

    @ParameterizedTest
    @EnumSource(EwcConfig.Merge.class)
    void readsBackWhatWasWritten(EwcConfig.Merge merge) {
        MergeSchedule schedule = MergeSchedule.of(
                EwcConfig.defaults().withMerge(merge).withGamma(0.25).withAlpha(0.75));
        Path kept = write(schedule, StateTypes.FULL, 1, 3);

        ConsolidationRecord record = ConsolidationFolder.open(kept).record();
        assertThat(record.schedule()).isEqualTo(schedule);
        assertThat(record.fishers()).containsExactly(FOUND, FOUND);
        assertThat(record.architecture()).isEqualTo("GPT2LMHeadModel");
        try (Consolidation before = consolidation(schedule, StateTypes.FULL, 1, 3);
                Consolidation after = read(kept, schedule, StateTypes.FULL)) {
            assertThat(after.held()).isEqualTo(2);
            assertThat(after.constant()).isEqualTo(before.constant());
            assertThat(norm(after.fisher())).isEqualTo(norm(before.fisher()));
            assertThat(norm(after.anchor())).isEqualTo(norm(before.anchor()));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "F32, F32, F32",
        "BF16, F16, F16",
        "BF16, BF16, BF16",
        "BF16, I16_BLOCK256, F32",
        "U8_BLOCK256, F32, F32"
    })
    void everyTypeOfStateIsWrittenAndReadBack(ElementType fisher, ElementType anchor, String stored)
            throws IOException {
        StateTypes types = new StateTypes(fisher, anchor);
        Path kept = write(new MergeSchedule.RunningMean(), types, 0.5);

        assertThat(Files.readString(kept.resolve("anchor.safetensors"), java.nio.charset.StandardCharsets.ISO_8859_1))
                .contains("\"dtype\":\"" + stored + "\"");
        try (Consolidation same = read(kept, new MergeSchedule.RunningMean(), types);
                Consolidation full = read(kept, new MergeSchedule.RunningMean(), StateTypes.FULL)) {
            assertThat(same.anchor().type()).isEqualTo(anchor);
            assertThat(same.held()).isEqualTo(1);
            assertThat(norm(full.anchor())).isEqualTo(0.5, within(1e-5));
            assertThat(norm(full.fisher())).isEqualTo(1, within(1e-5));
        }
    }

    /** int16 levels are written as what they stand for, across the blocks and the last, short one. */
    @Test
    void anInt16AnchorIsWrittenElementByElement() {
        try (Consolidation consolidation = new Consolidation(
                        layout,
                        new MergeSchedule.RunningMean(),
                        new StateTypes(ElementType.F32, ElementType.I16_BLOCK256),
                        StatePlaces.on(Device.CPU));
                Arena theta = new Arena(layout)) {
            Path source = folder.resolve("theta.safetensors");
            theta.fill(1);
            kernels.fisherMerge(theta.list(), null, 0, 0);
            ramp(theta, source);
            consolidation.add(
                    kernels, new UniformFisher(null, TrainedParameters.all(theta.layout())), theta, WHAT, done -> {});
            ConsolidationFolder.write(folder.resolve("kept"), consolidation, "A", "1", Optional.empty());

            Map<String, float[]> expected = Golden.allFloats(source);
            Map<String, float[]> came = Golden.allFloats(folder.resolve("kept/anchor.safetensors"));
            expected.forEach((name, values) -> {
                for (int i = 0; i < values.length; i++) {
                    assertThat((double) came.get(name)[i])
                            .as(name + "[" + i + "]")
                            .isEqualTo(values[i], within(300.0 / 65534 * 1.01));
                }
            });
        }
    }

    /** θ = 0, 1, 2, … in each parameter. */
    private static void ramp(Arena theta, Path file) {
        try (org.bytedeco.javacpp.PointerScope scope = new org.bytedeco.javacpp.PointerScope()) {
            theta.layout()
                    .parameters()
                    .forEach(parameter -> theta.view(parameter)
                            .view(parameter.elements())
                            .copy_(org.bytedeco.pytorch.global.torch.arange(
                                    new org.bytedeco.pytorch.Scalar(parameter.elements()))));
        }
        SafetensorsWriter.write(file, theta, theta.layout().parameters(), StoredType.F32);
    }

    @Test
    void theAnchorMayBeACheckpointBesideTheFolder() throws IOException {
        Path checkpoint = Files.createDirectories(folder.resolve("task/model"));
        Path kept = folder.resolve("task/consolidation");
        try (Consolidation consolidation = consolidation(new MergeSchedule.RunningMean(), StateTypes.FULL, 2)) {
            SafetensorsWriter.write(
                    checkpoint.resolve("model.safetensors"),
                    consolidation.anchor(),
                    layout.parameters(),
                    StoredType.F32);
            ConsolidationFolder.write(kept, consolidation, "A", "1", Optional.of(checkpoint));
        }

        assertThat(kept.resolve("anchor.safetensors")).doesNotExist();
        JsonNode record = new JsonMapper().readTree(kept.resolve(RECORD).toFile());
        assertThat(record.at("/anchor/checkpoint").asText()).isEqualTo("../model");
        try (Consolidation read = read(kept, new MergeSchedule.RunningMean(), StateTypes.FULL)) {
            assertThat(norm(read.anchor())).isEqualTo(2, within(1e-5));
        }
        // Nor is a link followed to where a pointer may not lead.
        Path elsewhere = Files.createDirectories(folder.resolve("elsewhere/deeper"));
        Files.move(checkpoint.resolve("model.safetensors"), elsewhere.resolve("model.safetensors"));
        Files.delete(checkpoint);
        Files.createSymbolicLink(checkpoint, elsewhere);
        assertRefused(kept, RECORD, "anchor.checkpoint", "../model");
        Files.delete(checkpoint);
        Files.createDirectories(checkpoint);
        // Another checkpoint in its place is noticed.
        try (Consolidation other = consolidation(new MergeSchedule.RunningMean(), StateTypes.FULL, 3)) {
            SafetensorsWriter.write(
                    checkpoint.resolve("model.safetensors"), other.anchor(), layout.parameters(), StoredType.F32);
        }
        assertRefused(kept, "model.safetensors", "sha256");
    }

    /** A mean of several anchors is no checkpoint. */
    @Test
    void aSumsAnchorIsNeverAPointer() throws IOException {
        Path checkpoint = Files.createDirectories(folder.resolve("model"));
        Path kept = folder.resolve("kept");
        try (Consolidation consolidation = consolidation(new MergeSchedule.Sum(), StateTypes.FULL, 1, 2)) {
            SafetensorsWriter.write(
                    checkpoint.resolve("model.safetensors"),
                    consolidation.anchor(),
                    layout.parameters(),
                    StoredType.F32);
            ConsolidationFolder.write(kept, consolidation, "A", "1", Optional.of(checkpoint));
        }

        assertThat(kept.resolve("anchor.safetensors")).exists();
    }

    /** Folders of the time before these were written have none of them. */
    @Test
    void whatAnOlderFolderDoesNotSayIsNotKnown() throws IOException {
        Path kept = write(new MergeSchedule.RunningMean(), StateTypes.FULL, 1);
        edit(text -> text.replaceAll("\"(weight|shuffled|token_loss|mean|model_[bfp16]+_sha256)\" : [^,]+,", ""))
                .in(kept);

        assertThat(Files.readString(kept.resolve(RECORD))).doesNotContain("token_loss", "shuffled", "\"mean\"", "fp16");
        assertThat(ConsolidationFolder.open(kept).record().fishers()).containsExactly(WHAT);
    }

    private record Damage(String name, UniformDamage damage, String... expected) {
        @Override
        public String toString() {
            return name;
        }
    }

    @FunctionalInterface
    private interface UniformDamage {
        void in(Path kept) throws IOException;
    }

    private static UniformDamage json(String from, String to) {
        return edit(text -> {
            assertThat(text).contains(from);
            return text.replace(from, to);
        });
    }

    private static UniformDamage edit(UnaryOperator<String> change) {
        return kept -> Files.writeString(kept.resolve(RECORD), change.apply(Files.readString(kept.resolve(RECORD))));
    }

    private static UniformDamage cut(String file, int bytes) {
        return kept -> {
            byte[] all = Files.readAllBytes(kept.resolve(file));
            Files.write(kept.resolve(file), java.util.Arrays.copyOf(all, Math.max(0, all.length - bytes)));
        };
    }

    private static UniformDamage flip(String file) {
        return kept -> {
            byte[] all = Files.readAllBytes(kept.resolve(file));
            all[all.length - 4] ^= 1;
            Files.write(kept.resolve(file), all);
        };
    }

    static Stream<Damage> damages() {
        String pointer = "\"file\" : \"anchor.safetensors\"";
        return Stream.of(
                new Damage("no record", kept -> Files.delete(kept.resolve(RECORD)), RECORD, "fisher.safetensors"),
                new Damage("no Fisher", kept -> Files.delete(kept.resolve("fisher.safetensors")), "fisher.safetensors"),
                new Damage("no anchor", kept -> Files.delete(kept.resolve("anchor.safetensors")), "anchor.safetensors"),
                new Damage("Fisher cut", cut("fisher.safetensors", 9), "fisher.safetensors", "truncated"),
                new Damage("Fisher empty", cut("fisher.safetensors", 1 << 20), "fisher.safetensors", "0 bytes"),
                new Damage("anchor cut", cut("anchor.safetensors", 9), "anchor.safetensors", "truncated"),
                new Damage("a bit of F", flip("fisher.safetensors"), "fisher.safetensors", "sha256"),
                new Damage("a bit of the anchor", flip("anchor.safetensors"), "anchor.safetensors", "sha256"),
                new Damage("record cut", cut(RECORD, 20), RECORD + ":", "not valid JSON"),
                new Damage("record empty", edit(text -> ""), RECORD, "expected a JSON object"),
                new Damage("record a list", edit(text -> "[]"), RECORD, "expected a JSON object"),
                new Damage("a key twice", json("\"held\" : 2", "\"held\" : 2, \"held\" : 2"), RECORD, "not valid JSON"),
                new Damage("another format", json("ewc4j-consolidation", "something"), "format", "ewc4j-consolidation"),
                new Damage(
                        "a later format", json("\"format_version\" : 1", "\"format_version\" : 2"), "format_version"),
                new Damage("held a text", json("\"held\" : 2", "\"held\" : \"2\""), "held", "number of fishers, 2"),
                new Damage("held too many", json("\"held\" : 2", "\"held\" : 3"), "held", "number of fishers, 2"),
                new Damage("fishers an object", edit(text -> text.replaceAll("(?s)\\[.*\\]", "{}")), "'fishers'"),
                new Damage("no fishers", edit(text -> text.replaceAll("(?s)\\[.*\\]", "[]")), "'fishers'"),
                new Damage(
                        "kind a number", json("\"kind\" : \"uniform\"", "\"kind\" : 7"), "fishers[0].kind", "a text"),
                new Damage(
                        "kind unknown",
                        json("\"kind\" : \"uniform\"", "\"kind\" : \"exact\""),
                        "fishers[0].kind",
                        "sampled"),
                new Damage("examples", json("\"examples\" : 8", "\"examples\" : 1e99"), "fishers[0].examples"),
                new Damage("batch size", json("\"batch_size\" : 4", "\"batch_size\" : -3"), "fishers[0].batch_size"),
                new Damage("shuffled", json("\"shuffled\" : false", "\"shuffled\" : 1"), "fishers[0].shuffled"),
                new Damage("loss", json("\"token_loss\" : null", "\"token_loss\" : \"low\""), "fishers[0].token_loss"),
                new Damage("schedule unknown", json("\"merge\" : \"ema\"", "\"merge\" : \"mean\""), "schedule.merge"),
                new Damage("alpha out of range", json("\"alpha\" : 0.75", "\"alpha\" : 2"), "schedule", "ewc.alpha"),
                new Damage("alpha a text", json("\"alpha\" : 0.75", "\"alpha\" : \"x\""), "schedule.alpha"),
                new Damage(
                        "schedule a text",
                        edit(text -> text.replaceAll("(?s)\"schedule\" : \\{.*?\\}", "\"schedule\" : \"ema\"")),
                        "'schedule'",
                        "an object"),
                new Damage("constant", json("\"constant\" : 0.0", "\"constant\" : null"), "'constant'"),
                new Damage(
                        "fingerprint",
                        edit(text -> text.replaceFirst("\"layout_sha256\" : \"..", "\"layout_sha256\" : \"zz")),
                        "layout_sha256",
                        "hexadecimal"),
                new Damage(
                        "another layout",
                        edit(text -> text.replaceFirst(
                                "\"layout_sha256\" : \".{64}", "\"layout_sha256\" : \"" + "0".repeat(64))),
                        "fisher.safetensors",
                        "layout_sha256"),
                new Damage(
                        "Fisher elsewhere",
                        json("\"file\" : \"fisher.safetensors\"", "\"file\" : \"../fisher.safetensors\""),
                        "fisher.file"),
                new Damage("anchor elsewhere", json(pointer, "\"file\" : \"/etc/passwd\""), "anchor.file"),
                new Damage(
                        "checkpoint absolute",
                        json(pointer, "\"checkpoint\" : \"/etc\""),
                        "anchor.checkpoint",
                        "beside"),
                new Damage(
                        "checkpoint outside",
                        json(pointer, "\"checkpoint\" : \"../../elsewhere\""),
                        "anchor.checkpoint",
                        "beside"),
                new Damage(
                        "checkpoint outside by a detour",
                        json(pointer, "\"checkpoint\" : \"a/../../../b\""),
                        "anchor.checkpoint",
                        "beside"),
                new Damage("checkpoint no path", json(pointer, "\"checkpoint\" : \"\\u0000\""), "anchor.checkpoint"),
                new Damage(
                        "checkpoint gone",
                        json(pointer, "\"checkpoint\" : \"../model\""),
                        "model.safetensors",
                        "no such file"));
    }

    @ParameterizedTest
    @MethodSource("damages")
    void whatIsDamagedIsRefusedInOneLine(Damage damage) throws IOException {
        Path kept = write(new MergeSchedule.ExponentialMean(0.75), StateTypes.FULL, 1, 2);
        damage.damage().in(kept);

        assertRefused(kept, damage.expected());
    }

    private void assertRefused(Path kept, String... expected) {
        assertThatThrownBy(() -> read(kept, new MergeSchedule.ExponentialMean(0.75), StateTypes.FULL))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll(expected)
                .hasMessageNotContaining("\n");
    }

    @ParameterizedTest
    @CsvSource({"-1, negative", "NaN, negative or not finite", "Infinity, not finite"})
    void aFisherThatNoneCanBeIsRefused(float value, String expected) throws IOException {
        Path kept = write(new MergeSchedule.RunningMean(), StateTypes.FULL, 2);
        Path file = kept.resolve("fisher.safetensors");
        String before = org.ewc4j.tensor.Fingerprint.of(file);
        byte[] all = Files.readAllBytes(file);
        java.nio.ByteBuffer.wrap(all).order(java.nio.ByteOrder.LITTLE_ENDIAN).putFloat(all.length - 8, value);
        Files.write(file, all);
        json(before, org.ewc4j.tensor.Fingerprint.of(file)).in(kept);

        assertRefused(kept, "fisher.safetensors", expected);
        assertThatThrownBy(() -> FisherSummary.of(ConsolidationFolder.open(kept)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("fisher.safetensors", "wte.weight");
    }

    @Test
    void anotherModelIsRefused() {
        ConsolidationFolder kept = ConsolidationFolder.open(write(new MergeSchedule.RunningMean(), StateTypes.FULL, 1));
        Map<String, long[]> wider = new LinkedHashMap<>();
        layout.parameters().forEach(parameter -> wider.put(parameter.name(), parameter.shapeArray()));
        wider.put("wte.weight", new long[] {31, 10});
        Map<String, long[]> fewer = new LinkedHashMap<>(Map.of("wte.weight", new long[] {30, 10}));

        kept.requireModel("it", "GPT2LMHeadModel", layout);
        assertThatThrownBy(() -> kept.requireModel("it", "LlamaForCausalLM", layout))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("GPT2LMHeadModel", "LlamaForCausalLM");
        assertThatThrownBy(() -> kept.requireModel("it", "GPT2LMHeadModel", ParameterLayout.of(wider)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("wte.weight", "[31, 10]", "[30, 10]");
        assertThatThrownBy(() -> kept.requireModel("it", "GPT2LMHeadModel", ParameterLayout.of(fewer)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("has 3 parameters", "has 1");
    }

    @Test
    void anotherKindUnitOrScheduleIsRefused() {
        ConsolidationFolder kept =
                ConsolidationFolder.open(write(new MergeSchedule.RunningMean(), StateTypes.FULL, 1, 2));

        kept.requireMergeable(settings(FisherKind.UNIFORM, Normalize.NONE), new MergeSchedule.RunningMean());
        assertThatThrownBy(() -> kept.requireMergeable(
                        settings(FisherKind.BATCH, Normalize.NONE), new MergeSchedule.RunningMean()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("kind uniform", "kind batch", "λ", "ewc.fisher");
        assertThatThrownBy(() -> kept.requireMergeable(
                        settings(FisherKind.UNIFORM, Normalize.MEAN), new MergeSchedule.RunningMean()))
                .hasMessageContainingAll("unit sequence", "normalize mean");
        assertThatThrownBy(() ->
                        kept.requireMergeable(settings(FisherKind.UNIFORM, Normalize.NONE), new MergeSchedule.Sum()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("2 Fishers", "running-mean", "sum", "ewc.merge");
    }

    private static FisherSettings settings(FisherKind kind, Normalize normalize) {
        return new FisherSettings(kind, Unit.SEQUENCE, normalize, false, OptionalDouble.empty(), 4, false);
    }

    /** Under running-mean it counts twice, under others it is twice what was estimated. */
    @Test
    void aSingleFisherIsTheSameUnderEveryScheduleButForItsWeight() {
        ConsolidationFolder.open(write(new MergeSchedule.RunningMean(), StateTypes.FULL, 1))
                .requireMergeable(settings(FisherKind.UNIFORM, Normalize.NONE), new MergeSchedule.Sum());
        Path target = folder.resolve("weighted");
        try (Consolidation consolidation = new Consolidation(layout, new MergeSchedule.RunningMean());
                Arena theta = new Arena(layout)) {
            consolidation.add(
                    kernels,
                    new UniformFisher(null, TrainedParameters.all(layout)),
                    theta,
                    new HeldFisher("a task", WHAT.estimate(), 2),
                    done -> {});
            ConsolidationFolder.write(target, consolidation, "GPT2LMHeadModel", "0.1.0", Optional.empty());
        }
        ConsolidationFolder weighted = ConsolidationFolder.open(target);

        weighted.requireMergeable(settings(FisherKind.UNIFORM, Normalize.NONE), new MergeSchedule.RunningMean());
        assertThatThrownBy(() -> weighted.requireMergeable(
                        settings(FisherKind.UNIFORM, Normalize.NONE), new MergeSchedule.Sum()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("weight 2.0", "running-mean", "sum", "ewc.merge");
    }

    @Test
    void aSummaryCountsByLayerAndKind() {
        FisherSummary summary =
                FisherSummary.of(ConsolidationFolder.open(write(new MergeSchedule.RunningMean(), StateTypes.FULL, 1)));

        assertThat(summary.layers().keySet()).containsExactly("embedding", "layer 0", "layer 1");
        assertThat(summary.kinds().keySet()).containsExactlyInAnyOrder("wte.weight", "attn.weight");
        assertThat(summary.kinds().get("attn.weight").elements()).isEqualTo(600);
        assertThat(summary.all().elements()).isEqualTo(900);
        assertThat(summary.all().mean()).isEqualTo(1);
        assertThat(summary.all().quantile(0.5)).isEqualTo(1, within(2e-3));
        assertThat(summary.stability(10, 0.5)).isEqualTo(5);
    }
}
