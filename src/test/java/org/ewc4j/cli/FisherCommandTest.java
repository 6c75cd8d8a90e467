package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.ewc4j.cli.CommandLineFixture.run;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.ewc4j.tensor.Fingerprint;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** Consolidations that are kept: looked at, merged, made, and trained under. */
class FisherCommandTest {
    @TempDir
    Path folder;

    private Path configuration;
    private Path out;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "gpt2");
        out = folder.resolve("out");
    }

    private static Result ok(Object... arguments) {
        Result result = run(arguments);
        assertThat(result.code()).as(result.err()).isZero();
        return result;
    }

    private static void assertRefused(Result result, String... expected) {
        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err().strip()).contains(expected).doesNotContain("\n", "\tat ");
    }

    private Result train(Path output, Object... more) {
        List<Object> arguments = new ArrayList<>(List.of("train", configuration, "--output", output));
        arguments.addAll(List.of(more));
        return run(arguments.toArray());
    }

    private Path kept(Path run, int task) {
        return run.resolve(String.format("task-%02d/consolidation", task));
    }

    @Test
    void inspectShowsLayersKindsAndAPicture() throws IOException {
        train(out);
        Path page = folder.resolve("fisher.html");

        Result result =
                ok("fisher", "inspect", kept(out, 1), "--lambda", "1000", "--learning-rate", "0.01", "-o", page);

        assertThat(result.out())
                .contains("GPT2LMHeadModel", "2 Fishers, merged by running-mean")
                .contains("\"red\": batch in batches of 4 of 10 examples, unit sequence, weight 1.0; token loss")
                .contains("\"green\": batch in batches of 4 of 10 examples, unit sequence, weight 1.0; token loss")
                .contains("embedding", "layer 0", "layer 1", "mlp.c_fc.weight", "zeros %", "█")
                .contains("λ·F_max·learning rate")
                .doesNotContain("vanished", "by heart", "shuffled");
        String html = Files.readString(page);
        assertThat(html)
                .contains("<svg", "layer 1", "mlp.c_fc.weight", "</html>")
                .doesNotContain("http://", "https://", "<script");
        double largest = Golden.allFloats(kept(out, 1).resolve("fisher.safetensors")).values().stream()
                .mapToDouble(values -> {
                    float most = 0;
                    for (float value : values) {
                        most = Math.max(most, value);
                    }
                    return most;
                })
                .max()
                .orElseThrow();
        assertThat(result.out()).contains(String.format(java.util.Locale.ROOT, "largest %.3g", largest));
        assertThat(result.out()).contains(String.format(java.util.Locale.ROOT, "rate = %.3g", 1000 * largest * 0.01));
    }

    /** Each Fisher of a folder is told apart. */
    @Test
    void inspectSaysHowEachFisherWasMade() {
        train(
                out,
                "--set",
                "ewc.fisher=sampled",
                "--set",
                "ewc.fisher_samples=2",
                "--set",
                "ewc.fisher_unit=token",
                "--set",
                "ewc.fisher_normalize=mean",
                "--set",
                "ewc.fisher_clamp=3",
                "--set",
                "ewc.fisher_max_examples=6",
                "--set",
                "ewc.fisher_shuffle=true");

        assertThat(ok("fisher", "inspect", kept(out, 1)).out())
                .contains(
                        "\"green\": sampled by 2 draws of 6 examples, unit token, normalize mean, clamp 3.0, shuffled, weight")
                .contains("The Fisher of \"red\" was shuffled", "The Fisher of \"green\" was shuffled");
    }

    /** Of the labels of rows that are known nearly nothing is left, whatever is made of it. */
    @Test
    void inspectSaysWhichRowsWereKnownByHeart() throws IOException {
        Path page = folder.resolve("fisher.html");
        String[] learned = {"--set", "training.epochs=100", "--set", "ewc.fisher_normalize=mean"};
        String[] green = {"--set", "task_overrides={green: {epochs: 1, learning_rate: 1.0e-4}}"};
        assertThat(train(out, learned[0], learned[1], learned[2], learned[3], green[0], green[1])
                        .code())
                .isZero();

        Result result = ok("fisher", "inspect", kept(out, 1), "-o", page);

        assertThat(result.out())
                .contains("The rows of \"red\" were known by heart", "ewc.fisher: sampled")
                .doesNotContain("The rows of \"green\"");
        assertThat(Files.readString(page)).contains("were known by heart");
        JsonNode held = Golden.json(kept(out, 1).resolve("consolidation.json")).get("fishers");
        JsonNode losses = Golden.json(out.resolve("results.json")).at("/loss/train");
        double red = held.at("/0/token_loss").asDouble();
        assertThat(red).isBetween(1e-6, 0.05).isCloseTo(losses.at("/0/0").asDouble(), within(1e-4 * red));
        assertThat(held.at("/1/token_loss").asDouble())
                .isGreaterThan(0.5)
                .isCloseTo(losses.at("/1/1").asDouble(), within(1e-4));
        assertThat(held.at("/0/mean").asDouble())
                .isLessThan(0.01 * held.at("/1/mean").asDouble());
        Path sampled = folder.resolve("sampled");
        train(sampled, learned[0], learned[1], "--set", "ewc.fisher=sampled");
        assertThat(ok("fisher", "inspect", kept(sampled, 0)).out()).doesNotContain("by heart");
        assertThat(Golden.json(kept(sampled, 0).resolve("consolidation.json"))
                        .at("/fishers/0/token_loss")
                        .asDouble())
                .isCloseTo(red, within(1e-4 * red));
    }

    /** Also where it was added to F in place. */
    @Test
    void theMeanOfEachEstimateIsRecorded() {
        train(out);

        JsonNode held = Golden.json(kept(out, 1).resolve("consolidation.json")).get("fishers");
        double first = held.at("/0/mean").asDouble();
        assertThat(first).isCloseTo(meanOfFisher(kept(out, 0)), within(1e-6 * first));
        double both = (first + held.at("/1/mean").asDouble()) / 2;
        assertThat(both).isCloseTo(meanOfFisher(kept(out, 1)), within(1e-6 * both));
    }

    private static double meanOfFisher(Path kept) {
        double sum = 0;
        long elements = 0;
        for (float[] values :
                Golden.allFloats(kept.resolve("fisher.safetensors")).values()) {
            for (float value : values) {
                sum += value;
            }
            elements += values.length;
        }
        return sum / elements;
    }

    @Test
    void inspectSaysWhereTheFisherHasVanished() throws IOException {
        train(out);
        Path kept = kept(out, 0);
        Path file = kept.resolve("fisher.safetensors");
        String before = Fingerprint.of(file);
        byte[] all = Files.readAllBytes(file);
        java.nio.ByteBuffer bytes = java.nio.ByteBuffer.wrap(all).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        for (int at = 8 + (int) bytes.getLong(0); at < all.length; at += Float.BYTES) {
            bytes.putFloat(at, 0);
        }
        Files.write(file, all);
        assertRefused(run("fisher", "inspect", kept), "fisher.safetensors", "sha256");
        Path record = kept.resolve("consolidation.json");
        Files.writeString(record, Files.readString(record).replace(before, Fingerprint.of(file)));

        assertThat(ok("fisher", "inspect", kept).out()).contains("has vanished");
    }

    @Test
    void inspectRefusesWhatIsNoConsolidation() throws IOException {
        assertRefused(run("fisher", "inspect", folder.resolve("nowhere")), "nowhere", "no such folder");
        assertRefused(run("fisher", "inspect", folder), "consolidation.json");
        train(out);
        Files.writeString(kept(out, 0).resolve("fisher.safetensors"), "x");
        assertRefused(run("fisher", "inspect", kept(out, 0)), "fisher.safetensors", "not a safetensors file");
        assertThat(run("fisher", "inspect", kept(out, 1), "--lambda", "1").err())
                .contains("--learning-rate");
        assertThat(run("fisher", "inspect", kept(out, 1), "--lambda", "-1", "--learning-rate", "1")
                        .err())
                .contains("--lambda -1.0");
        assertRefused(run("fisher", "inspect", kept(out, 1), "-o", folder), "expected the name of a file");
        assertThat(run("fisher").err()).contains("inspect, merge or estimate");
    }

    @ParameterizedTest
    @ValueSource(strings = {"running-mean", "online", "ema", "sum", "max"})
    void mergeJoinsInOrder(String schedule) {
        train(out, "--set", "ewc.lambda=1e-20");
        Path other = folder.resolve("other");
        train(other, "--set", "ewc.lambda=1e-20", "--set", "training.learning_rate=3e-3");
        Path first = kept(out, 0);
        Path second = kept(other, 0);
        Path merged = folder.resolve("merged");

        ok("fisher", "merge", first, second, "--schedule", schedule, "--gamma", "0.5", "--alpha", "0.25", "-o", merged);

        Map<String, float[]> a = Golden.allFloats(first.resolve("fisher.safetensors"));
        Map<String, float[]> b = Golden.allFloats(second.resolve("fisher.safetensors"));
        Map<String, float[]> anchorA = Golden.allFloats(first.resolve("anchor.safetensors"));
        Map<String, float[]> anchorB = Golden.allFloats(second.resolve("anchor.safetensors"));
        Map<String, float[]> fisher = Golden.allFloats(merged.resolve("fisher.safetensors"));
        Map<String, float[]> anchor = Golden.allFloats(merged.resolve("anchor.safetensors"));
        double constant = 0;
        for (String name : a.keySet()) {
            for (int i = 0; i < a.get(name).length; i++) {
                double f = a.get(name)[i];
                double g = b.get(name)[i];
                double expected = switch (schedule) {
                    case "running-mean" -> (f + g) / 2;
                    case "online" -> 0.5 * f + g;
                    case "ema" -> 0.75 * f + 0.25 * g;
                    case "sum" -> f + g;
                    default -> Math.max(f, g);
                };
                assertThat((double) fisher.get(name)[i]).isEqualTo(expected, within(1e-6 * expected + 1e-37));
                double apart = anchorA.get(name)[i] - anchorB.get(name)[i];
                double mean = f + g == 0 ? anchorB.get(name)[i] : anchorB.get(name)[i] + f / (f + g) * apart;
                constant += f + g == 0 ? 0 : 0.5 * f * g / (f + g) * apart * apart;
                assertThat((double) anchor.get(name)[i])
                        .isEqualTo(schedule.equals("sum") ? mean : anchorB.get(name)[i], within(1e-6));
            }
        }
        JsonNode record = Golden.json(merged.resolve("consolidation.json"));
        assertThat(record.get("held").asInt()).isEqualTo(2);
        assertThat(record.at("/schedule/merge").asText()).isEqualTo(schedule);
        double expected = schedule.equals("sum") ? constant : 0;
        assertThat(record.get("constant").asDouble()).isEqualTo(expected, within(1e-5 * expected));
        assertThat(expected > 0).isEqualTo(schedule.equals("sum"));
    }

    @Test
    void mergeRefusesWhatDoesNotFit() throws IOException {
        train(out);
        Path uniform = folder.resolve("uniform");
        train(uniform, "--set", "ewc.fisher=uniform");
        Path merged = folder.resolve("merged");
        Path otherFolder = Files.createDirectory(folder.resolve("llama"));
        Path other = TinyRun.configuration(otherFolder, "llama");
        ok("train", other);

        assertRefused(
                run("fisher", "merge", kept(out, 0), kept(uniform, 0), "-o", merged), "kind uniform", "kind batch");
        assertRefused(
                run("fisher", "merge", kept(out, 0), kept(otherFolder.resolve("out"), 0), "-o", merged),
                "LlamaForCausalLM",
                "GPT2LMHeadModel");
        assertRefused(
                run("fisher", "merge", kept(out, 0), kept(out, 1), "--schedule", "sum", "-o", merged),
                "running-mean",
                "sum");
        assertRefused(run("fisher", "merge", kept(out, 0), kept(out, 0), "-o", out), "not empty");
        assertRefused(
                run("fisher", "merge", kept(out, 0), kept(out, 0), "--gamma", "2", "-o", merged), "ewc.gamma", "2");
        assertThat(run("fisher", "merge", kept(out, 0), kept(out, 0), "--schedule", "mean", "-o", merged)
                        .err())
                .contains("--schedule", "running-mean, online, ema, sum, max");
        assertThat(merged).doesNotExist();
    }

    /** What a class warned of while something was done, one line each. */
    private static List<String> warnings(String of, Runnable action) {
        Logger logger = (Logger) LoggerFactory.getLogger(of);
        ListAppender<ILoggingEvent> events = new ListAppender<>();
        events.start();
        logger.addAppender(events);
        try {
            action.run();
        } finally {
            logger.detachAppender(events);
        }
        return events.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
    }

    private List<String> mergeWarnings(String name, Path second, String schedule) {
        return warnings(
                "org.ewc4j.ConsolidationMerge",
                () -> ok(
                        "fisher",
                        "merge",
                        kept(out, 0),
                        second,
                        "--schedule",
                        schedule,
                        "-o",
                        folder.resolve("merged-" + name)));
    }

    @Test
    void mergeWarnsOfWhatALambdaMeansSomethingElseFor() {
        train(out);
        Path other = folder.resolve("other");
        train(other, "--set", "ewc.fisher_batch_size=2", "--set", "ewc.fisher_clamp=1e-3");
        Path faster = folder.resolve("faster");
        train(faster, "--set", "training.learning_rate=3e-3");

        assertThat(mergeWarnings("same", kept(out, 0), "running-mean")).isEmpty();
        assertThat(mergeWarnings("other", kept(other, 0), "running-mean"))
                .satisfiesExactly(
                        batches -> assertThat(batches)
                                .contains(
                                        "other/task-00/consolidation: the Fisher of task \"red\" was estimated in batches of 2,")
                                .contains("that of task \"red\" in", "out/task-00/consolidation in batches of 4"),
                        clamp -> assertThat(clamp).contains("ewc.fisher_clamp 0.001", "with no ewc.fisher_clamp"));
        assertThat(mergeWarnings("faster", kept(faster, 0), "running-mean"))
                .singleElement()
                .satisfies(line -> assertThat(line)
                        .contains("faster/task-00/consolidation: has neither anchor nor parameters in common", "sum"));
        assertThat(mergeWarnings("sum", kept(faster, 0), "sum")).isEmpty();
    }

    /** Fewer rows than a batch make one of their own number. */
    @Test
    void aRunGoesOnUnderItsOwnSettingsWithoutAWarning() throws IOException {
        String[] large = {"--set", "training.batch_size=16", "--set", "ewc.fisher_batch_size=16"};
        train(out, (Object[]) large);
        assertThat(Golden.json(kept(out, 1).resolve("consolidation.json"))
                        .at("/fishers/0/batch_size")
                        .asInt())
                .isEqualTo(10);
        String[] on = {
            "--set", "ewc.from=" + kept(out, 1), "--set", "model={path: out/model, init: pretrained}", "--set"
        };

        assertThat(fromWarnings("large", on, "ewc.fisher_batch_size=16")).isEmpty();
        assertThat(fromWarnings("small", on, "ewc.fisher_batch_size=4"))
                .singleElement()
                .satisfies(line -> assertThat(line).contains("in batches of 10, this run's in batches of 4"));
    }

    private List<String> fromWarnings(String name, String[] from, String setting) {
        return warnings("org.ewc4j.Consolidator", () -> {
            Result result = train(folder.resolve(name), from[0], from[1], from[2], from[3], from[4], setting);
            assertThat(result.code()).as(result.err()).isZero();
        });
    }

    @Test
    void aShuffledFisherDoesNotPassForGenuine() {
        train(out);
        Path shuffled = folder.resolve("shuffled");
        train(shuffled, "--set", "ewc.fisher_shuffle=true");
        Path merged = folder.resolve("merged");
        String from = "ewc.from=" + kept(shuffled, 1);

        assertRefused(
                run("fisher", "merge", kept(out, 0), kept(shuffled, 0), "-o", merged),
                "shuffled/task-00/consolidation: holds a Fisher of kind batch, unit sequence, shuffled",
                "ewc.fisher_shuffle");
        assertRefused(train(folder.resolve("next"), "--set", from), "kind batch, unit sequence, shuffled");
        assertThat(merged).doesNotExist();
    }

    /** Estimated at the model that a run left, on the same rows in the same batches: the run's own Fisher. */
    @Test
    void estimateIsTheFisherThatTrainingWouldHaveEstimated() {
        train(out, "--set", "save.keep=all");
        Path estimated = folder.resolve("estimated");
        Path red = TinyRun.tasksFile(folder.resolve("red"), 1, 10);

        ok(
                "fisher",
                "estimate",
                out.resolve("task-00/model"),
                red,
                "-o",
                estimated,
                "--set",
                "prompt='{question}:'",
                "--set",
                "training.max_length=16",
                "--set",
                "training.threads=" + Golden.THREADS);

        assertThat(Golden.allFloats(estimated.resolve("fisher.safetensors")))
                .usingRecursiveComparison()
                .isEqualTo(Golden.allFloats(kept(out, 0).resolve("fisher.safetensors")));
        assertThat(Golden.allFloats(estimated.resolve("anchor.safetensors")))
                .usingRecursiveComparison()
                .isEqualTo(Golden.allFloats(out.resolve("task-00/model/model.safetensors")));
        JsonNode record = Golden.json(estimated.resolve("consolidation.json"));
        assertThat(record.at("/fishers/0/task").asText()).isEqualTo("red");
        assertThat(record.at("/fishers/0/examples").asInt()).isEqualTo(10);
        assertThat(record.at("/fishers/0/batch_size").asInt()).isEqualTo(4);
        // With keep: all the run's own anchor is its checkpoint.
        JsonNode own = Golden.json(kept(out, 0).resolve("consolidation.json"));
        assertThat(own.at("/anchor/checkpoint").asText()).isEqualTo("../model");
        assertThat(kept(out, 0).resolve("anchor.safetensors")).doesNotExist();
    }

    @Test
    void estimateTakesAConfigurationToo() {
        train(out);
        Path estimated = folder.resolve("estimated");

        ok("fisher", "estimate", out.resolve("model"), configuration, "-o", estimated, "--set", "ewc.fisher=uniform");

        JsonNode record = Golden.json(estimated.resolve("consolidation.json"));
        assertThat(record.at("/fishers/0/task").asText()).isEqualTo("red, green");
        assertThat(record.at("/fishers/0/examples").asInt()).isZero(); // nothing is read for it
        assertThat(record.at("/fishers/0/kind").asText()).isEqualTo("uniform");
        assertRefused(run("fisher", "estimate", out.resolve("model"), configuration, "-o", estimated), "not empty");
    }

    /** Training that goes on from what a run left is training that never stopped, but for the optimizer's moments. */
    @ParameterizedTest
    @ValueSource(strings = {"running-mean", "sum"})
    void trainingStartsUnderAConsolidation(String merge) throws IOException {
        String[] alike = {"--set", "ewc.merge=" + merge, "--set", "save.keep=all"};
        train(out, (Object[]) alike);
        Path second = folder.resolve("second");
        TinyRun.write(
                folder.resolve("tasks.jsonl"),
                Files.readString(folder.resolve("tasks.jsonl")).lines().skip(10).reduce("", (a, b) -> a + b + "\n"));

        Result result = train(
                second,
                "--set",
                "ewc.merge=" + merge,
                "--set",
                "model={path: out/task-00/model, init: pretrained}",
                "--set",
                "ewc.from=out/task-00/consolidation");

        assertThat(result.code()).as(result.err()).isZero();
        List<JsonNode> steps = steps(second);
        assertThat(steps.get(0).get("penalty").asDouble()).isZero(); // at the anchor
        assertThat(steps.get(1).get("penalty").asDouble()).isPositive();
        assertThat(steps.get(1).get("loss").asDouble())
                .isEqualTo(steps.get(1).get("lm_loss").asDouble()
                        + 1000 * steps.get(1).get("penalty").asDouble());
        JsonNode record = Golden.json(kept(second, 0).resolve("consolidation.json"));
        assertThat(record.get("held").asInt()).isEqualTo(2);
        assertThat(record.at("/fishers/0/task").asText()).isEqualTo("red");
        assertThat(record.at("/fishers/1/task").asText()).isEqualTo("green");
        assertThat(record.get("constant").asDouble() > 0).isEqualTo(merge.equals("sum"));
        assertThat(Files.readString(second.resolve("config.yaml"))).contains("task-00/consolidation");
    }

    @Test
    void aConsolidationOfOtherParametersIsRefusedUnlessItIsMeant() {
        train(out);
        String[] from = {"--set", "ewc.from=" + kept(out, 1)};
        String refusal = "task-01/consolidation: holds on to other parameters than those of";
        Path anew = folder.resolve("anew");

        assertRefused(train(anew, (Object[]) from), refusal, "ewc.from_other_parameters: true");
        assertRefused(run("validate", configuration, "--set", from[1]), refusal);
        assertThat(anew).doesNotExist();
        assertThat(train(anew, from[0], from[1], "--set", "ewc.from_other_parameters=true")
                        .code())
                .isZero();
    }

    /** What a run leaves goes on, however it was kept: the model in 16 bit, the anchor as a mean or rounded. */
    @ParameterizedTest
    @CsvSource({
        "float32, sum, int16",
        "float16, running-mean, fp32",
        "bfloat16, running-mean, int16",
        "bfloat16, sum, fp32",
        "float16, max, int16"
    })
    void aRunsModelGoesOnUnderItsConsolidation(String saved, String merge, String anchor) {
        String[] alike = {"--set", "ewc.merge=" + merge, "--set", "ewc.anchor_dtype=" + anchor};
        assertThat(train(out, alike[0], alike[1], alike[2], alike[3], "--set", "save.dtype=" + saved)
                        .code())
                .isZero();

        Result result = train(
                folder.resolve("on"),
                alike[0],
                alike[1],
                alike[2],
                alike[3],
                "--set",
                "ewc.from=" + kept(out, 1),
                "--set",
                "model={path: out/model, init: pretrained}");

        assertThat(result.code()).as(result.err()).isZero();
    }

    /** Of a folder that says nothing of copies in 16 bit the anchor tells. */
    @Test
    void aCopyOfTheAnchorIsWhatAConsolidationHolds() throws IOException {
        train(out, "--set", "save.dtype=bfloat16");
        Path record = kept(out, 1).resolve("consolidation.json");
        Files.writeString(record, Files.readString(record).replaceAll("\"model_[bf1p6]+_sha256\" : \"\\w+\",", ""));
        assertThat(Files.readString(record)).doesNotContain("model_fp16_sha256", "model_bf16_sha256");
        String[] model = {"--set", "model={path: out/model, init: pretrained}"};

        Result result = train(folder.resolve("on"), "--set", "ewc.from=" + kept(out, 1), model[0], model[1]);

        assertThat(result.code()).as(result.err()).isZero();
        assertRefused(
                train(folder.resolve("back"), "--set", "ewc.from=" + kept(out, 0), model[0], model[1]),
                "task-00/consolidation: holds on to other parameters");
    }

    /** Of a text that a run of the same configuration holds out the end of. */
    @Test
    void estimateReadsWhatARunLearns() throws IOException {
        train(out);
        TinyRun.write(folder.resolve("text.txt"), "red green blue ".repeat(40));
        String[] examples = new String[2];
        for (String splits : List.of("[train]", "[train, test]")) {
            Path estimated = folder.resolve("estimated" + splits.length());
            ok(
                    "fisher",
                    "estimate",
                    out.resolve("model"),
                    configuration,
                    "-o",
                    estimated,
                    "--set",
                    "tasks={list: [{name: text, text: text.txt}]}",
                    "--set",
                    "text.test_share=0.5",
                    "--set",
                    "evaluation.splits=" + splits);
            JsonNode record = Golden.json(estimated.resolve("consolidation.json"));
            examples[splits.equals("[train]") ? 0 : 1] =
                    record.at("/fishers/0/examples").asText();
        }
        assertThat(Integer.parseInt(examples[1])).isPositive().isLessThan(Integer.parseInt(examples[0]));
    }

    private static List<JsonNode> steps(Path run) throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(run.resolve("steps.jsonl"))) {
            rows.add(new com.fasterxml.jackson.databind.json.JsonMapper().readTree(line));
        }
        return rows;
    }

    @Test
    void aConsolidationThatDoesNotFitIsRefusedBeforeAnythingIsTrained() throws IOException {
        train(out);
        Path next = folder.resolve("next");
        String from = "ewc.from=" + kept(out, 1);

        assertRefused(train(next, "--set", "ewc.from=nowhere"), "nowhere", "no such folder");
        assertRefused(train(next, "--set", from, "--set", "ewc.fisher=uniform"), "kind batch", "kind uniform");
        assertRefused(train(next, "--set", from, "--set", "ewc.merge=max"), "running-mean", "max");
        assertRefused(train(out, "--set", from, "--overwrite"), "task-01/consolidation", "which the run reads");
        Path otherFolder = Files.createDirectory(folder.resolve("llama"));
        assertRefused(
                run("train", TinyRun.configuration(otherFolder, "llama"), "--set", from),
                "GPT2LMHeadModel",
                "LlamaForCausalLM");
        assertThat(next).doesNotExist();
    }

    @Test
    void anAnchorInBf16NeedsACheckpointInBf16() {
        train(out, "--set", "save.dtype=bfloat16");
        Path next = folder.resolve("next");

        assertRefused(train(next, "--set", "ewc.anchor_dtype=bf16"), "ewc.anchor_dtype", "not stored in bf16", "int16");
        Result result = train(
                next,
                "--set",
                "ewc.anchor_dtype=bf16",
                "--set",
                "ewc.fisher_dtype=bf16",
                "--set",
                "model={path: out/model, init: pretrained}");
        assertThat(result.code()).as(result.err()).isZero();
    }
}
