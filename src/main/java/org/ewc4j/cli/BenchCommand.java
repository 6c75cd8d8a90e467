package org.ewc4j.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.ewc4j.bench.BenchOptions;
import org.ewc4j.bench.BenchResult;
import org.ewc4j.bench.Shapes;
import org.ewc4j.bench.StateResult;
import org.ewc4j.config.DeviceSetting;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.Precision;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.report.Versions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ewc4j bench}. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Measure what EWC costs on this machine.",
        description = {
            "",
            "Takes each native kernel's share of the copy bandwidth, and times forward and backward, the training step"
                    + " without and with EWC and the Fisher pass, in turn in one process, on a model of a public shape with"
                    + " random weights. bench/compare.sh sets it against PyTorch.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ewc4j bench --shape pythia-70m --batch 16",
            "  ewc4j bench --questions examples/quickstart.yaml --json bench.json",
            "  ewc4j bench --states --repeat 20"
        })
final class BenchCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--shape",
            completionCandidates = ShapeNames.class,
            defaultValue = "pythia-70m",
            description = "Which model's shape: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
    private String shape;

    @Option(names = "--batch", defaultValue = "4", description = "Rows of a batch. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Option(names = "--length", description = "Tokens of a row. Default: 32; not with --questions.")
    private Integer length;

    @Option(
            names = "--questions",
            paramLabel = "CONFIG",
            description =
                    "Time real batches, of this configuration's tasks, prompt, max_length and its model's tokenizer,"
                            + " instead of full rows of random tokens.")
    private Path questions;

    @Option(
            names = "--device",
            defaultValue = "cpu",
            description = "Where to run: cpu, cuda:N or auto. Default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(
            names = "--precision",
            defaultValue = "fp32",
            description = "Of forward and backward pass: fp32, tf32 or bf16. Default: ${DEFAULT-VALUE}.")
    private String precision;

    @Option(
            names = "--fisher-dtype",
            defaultValue = "fp32",
            converter = FisherTypeConverter.class,
            description = "In which type the Fisher is kept: fp32, bf16 or int8. Default: ${DEFAULT-VALUE}.")
    private EwcConfig.FisherType fisherType;

    @Option(
            names = "--anchor-dtype",
            defaultValue = "fp32",
            converter = AnchorTypeConverter.class,
            description = "In which type the anchor is kept: fp32, fp16, int16 or bf16. Default: ${DEFAULT-VALUE}.")
    private EwcConfig.AnchorType anchorType;

    @Option(
            names = "--states",
            description =
                    "Time instead the optimizer's pass and the step with each type of Fisher and anchor, and with the"
                            + " anchor off the device. Maps lie in the working folder; --fisher-dtype, --anchor-dtype and --rows are"
                            + " not used.")
    private boolean states;

    @Option(names = "--threads", description = "Threads. Default: one for each physical core.")
    private Integer threads;

    @Option(
            names = "--repeat",
            defaultValue = "10",
            description =
                    "Measured rounds; what EWC adds to a step, and the batch Fisher to a pass, is taken from five times as many"
                            + " pairs. Default: ${DEFAULT-VALUE}.")
    private int repeat;

    @Option(names = "--json", paramLabel = "FILE", description = "Write the figures there too.")
    private Path json;

    @Option(
            names = "--rows",
            paramLabel = "FILE",
            description = "Write the token ids of the batches there, for another program to time the same.")
    private Path rows;

    /** For the help and the completion. */
    static final class ShapeNames implements Iterable<String> {
        @Override
        public java.util.Iterator<String> iterator() {
            return Shapes.names().iterator();
        }
    }

    /** As the configuration spells it. */
    static final class FisherTypeConverter extends LowerCaseConverter<EwcConfig.FisherType> {
        FisherTypeConverter() {
            super(EwcConfig.FisherType.class);
        }
    }

    /** As the configuration spells it. */
    static final class AnchorTypeConverter extends LowerCaseConverter<EwcConfig.AnchorType> {
        AnchorTypeConverter() {
            super(EwcConfig.AnchorType.class);
        }
    }

    BenchCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() {
        BenchOptions options = options();
        Map<String, String> machine = machine();
        if (states) {
            StateResult result = engine.benchStates(options);
            report(result.text(), result.json(machine));
        } else {
            BenchResult result = engine.bench(options);
            report(result.text(), result.json(machine));
        }
        return 0;
    }

    private void report(String text, String asJson) {
        console.out().print(text);
        if (json != null) {
            try {
                Files.writeString(json, asJson);
            } catch (IOException e) {
                throw new RunFailedException(json + ": cannot be written: " + e.getMessage(), e);
            }
        }
    }

    private BenchOptions options() {
        DeviceSetting where = DeviceSetting.parse(device)
                .orElseThrow(() -> new ParameterException(
                        spec.commandLine(), "--device " + device + ": expected " + DeviceSetting.EXPECTED));
        requireAtLeast("--batch", batch, 1);
        requireAtLeast("--repeat", repeat, 1);
        if (length != null) {
            requireAtLeast("--length", length, 2);
            if (questions != null) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--length and --questions exclude each other: the configuration's max_length counts");
            }
        }
        if (threads != null) {
            requireAtLeast("--threads", threads, 1);
        }
        Optional<RunConfig> configuration =
                Optional.ofNullable(questions).map(file -> engine.read(file, List.of(), Optional.empty()));
        return new BenchOptions(
                shape,
                batch,
                length == null ? 32 : length,
                configuration,
                where,
                precision(),
                threads == null ? TrainingConfig.defaults().threads() : threads,
                repeat,
                StateTypes.of(EwcConfig.defaults().withStateTypes(fisherType, anchorType)),
                Optional.ofNullable(rows));
    }

    private Precision precision() {
        try {
            return Precision.valueOf(precision.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new ParameterException(
                    spec.commandLine(), "--precision " + precision + ": expected fp32, tf32 or bf16");
        }
    }

    private void requireAtLeast(String option, int value, int least) {
        if (value < least) {
            throw new ParameterException(spec.commandLine(), option + " " + value + ": expected " + least + " or more");
        }
    }

    /** Taken before the measurement: the load is that of the machine's other work. */
    private static Map<String, String> machine() {
        MachineFacts facts = MachineFacts.ofThisMachine();
        Map<String, String> machine = new LinkedHashMap<>();
        machine.put("date", OffsetDateTime.now().truncatedTo(ChronoUnit.SECONDS).toString());
        machine.put("processor", facts.model());
        machine.put("features", facts.features());
        machine.put("cores", facts.cores());
        machine.put("memory", facts.memory());
        machine.put("load_average", facts.loadAverage());
        machine.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        machine.putAll(Versions.all());
        for (String name :
                List.of("OMP_WAIT_POLICY", "OPENBLAS_THREAD_TIMEOUT", "OPENBLAS_CORETYPE", "GLIBC_TUNABLES")) {
            machine.put(name, System.getenv().getOrDefault(name, "not set"));
        }
        return machine;
    }
}
