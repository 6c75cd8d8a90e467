package org.ewc4j.hostile;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.ewc4j.checkpoint.CheckpointSeal;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.config.TaskSource;
import org.ewc4j.consolidation.ConsolidationFolder;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.consolidation.StatePlaces;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.data.PromptTemplate;
import org.ewc4j.data.TaskReader;
import org.ewc4j.data.TextReader;
import org.ewc4j.data.TextTokenizer;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.report.ReportPage;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.SafetensorsFile;
import org.ewc4j.tensor.StoredType;

/**
 * Everything that reads data from outside, with what it may take: one file of a {@link HostileFixture} is replaced by an
 * input, then read as the product reads it.
 */
enum Parser {
    /** config.json. Its sizes become a table of parameters: the fixed part is that of the largest which is taken. */
    CONFIG("model/config.json", 96 << 20, 64) {
        @Override
        void parse(HostileFixture fixture) {
            ModelDirectory.open(ModelSource.random(fixture.folder().resolve("model"), 1));
        }
    },
    GENERATION_CONFIG("model/generation_config.json", 1 << 20, 64) {
        @Override
        void parse(HostileFixture fixture) {
            ModelDirectory.open(ModelSource.random(fixture.folder().resolve("model"), 1));
        }
    },
    SHARD_INDEX("sharded/model.safetensors.index.json", 1 << 20, 96) {
        @Override
        void parse(HostileFixture fixture) {
            fixture.modelDirectory("sharded").isStoredIn(StoredType.F32);
        }
    },
    SAFETENSORS("model/model.safetensors", 6 << 20, 96) {
        @Override
        void parse(HostileFixture fixture) {
            try (SafetensorsFile file = SafetensorsFile.open(fixture.folder().resolve("model/model.safetensors"))) {
                file.entries().values().stream()
                        .filter(entry -> entry.type() == StoredType.F32)
                        .limit(1)
                        .forEach(entry -> file.forEachFloat(entry, values -> {}));
            }
            fixture.modelDirectory("model").isStoredIn(StoredType.F32);
        }
    },
    /** The library behind it is native: what it allocates is not seen here. */
    TOKENIZER("model/tokenizer.json", 1 << 20, 64) {
        @Override
        void parse(HostileFixture fixture) {
            try (TextTokenizer tokenizer = TextTokenizer.load(fixture.folder().resolve("model"))) {
                tokenizer.decode(tokenizer.encodePrompt("What is it? 7 ü"));
            }
        }
    },
    YAML("run.yaml", 4 << 20, 1500) {
        @Override
        void parse(HostileFixture fixture) {
            Path file = fixture.folder().resolve("run.yaml");
            RunConfig config = RunConfigReader.read(file);
            String written = config.toYaml();
            Path again = HostileFixture.write(fixture.folder().resolve("again.yaml"), bytes(written));
            try {
                if (!RunConfigReader.read(again).toYaml().equals(written)) {
                    throw new AssertionError("what was read does not come back: " + written);
                }
            } catch (InvalidInputException e) {
                throw new AssertionError("what was read is refused when it comes back: " + written, e);
            }
        }
    },
    TASKS_JSONL("tasks.jsonl", 1 << 20, 128) {
        @Override
        List<byte[]> seeds(HostileFixture fixture) {
            return withEmptyLines(super.seeds(fixture));
        }

        @Override
        void parse(HostileFixture fixture) {
            Path file = fixture.folder().resolve("tasks.jsonl");
            read(new TaskSource.SingleFile(file, "task", "question", "test", "answer"));
        }
    },
    TASKS_INCREMENTAL("tasks.json", 1 << 20, 128) {
        @Override
        void parse(HostileFixture fixture) {
            read(new TaskSource.IncrementalJson(fixture.folder().resolve("tasks.json")));
        }
    },
    TEXT("text.txt", 1 << 20, 128) {
        @Override
        void parse(HostileFixture fixture) {
            TextReader.documents(fixture.folder().resolve("text.txt"), "text");
        }
    },
    TEXT_JSONL("text.jsonl", 1 << 20, 128) {
        @Override
        List<byte[]> seeds(HostileFixture fixture) {
            return withEmptyLines(super.seeds(fixture));
        }

        @Override
        void parse(HostileFixture fixture) {
            TextReader.documents(fixture.folder().resolve("text.jsonl"), "text");
        }
    },
    CONSOLIDATION("run/consolidation/consolidation.json", 2 << 20, 96) {
        @Override
        void parse(HostileFixture fixture) {
            readConsolidation(fixture);
        }
    },
    /** With its checksum in consolidation.json made right, so that its values are looked at. */
    CONSOLIDATION_FISHER("run/consolidation/fisher.safetensors", 2 << 20, 96) {
        @Override
        void place(HostileFixture fixture, byte[] input) {
            super.place(fixture, input);
            String record = new String(fixture.original(CONSOLIDATION.file), StandardCharsets.UTF_8);
            String sealed = record.replace(sha256(fixture.original(file)), sha256(input));
            fixture.replace(CONSOLIDATION.file, bytes(sealed));
        }

        @Override
        void parse(HostileFixture fixture) {
            readConsolidation(fixture);
        }
    },
    /** state.json, with its checksum made right. A learner is put into the state. */
    CHECKPOINT(HostileFixture.STOPPED_CHECKPOINT + "state.json", 2 << 20, 128) {
        @Override
        void place(HostileFixture fixture, byte[] input) {
            String whole =
                    latin(input).replace(RANDOM_STATE, fixture.stoppedRun().randomState());
            super.place(fixture, CheckpointSeal.sealed(whole.getBytes(StandardCharsets.ISO_8859_1)));
        }

        /** A word for the state of the generator, most of the file, so that the rest of it is changed too. */
        @Override
        List<byte[]> seeds(HostileFixture fixture) {
            List<byte[]> seeds = super.seeds(fixture);
            String valid = latin(seeds.get(0));
            String shorter = valid.replace(fixture.stoppedRun().randomState(), RANDOM_STATE);
            String chosen = shorter.replaceFirst("\"inputs\"", LAMBDA_CHOICE + "\"inputs\"");
            seeds.set(0, shorter.getBytes(StandardCharsets.ISO_8859_1));
            seeds.add(chosen.getBytes(StandardCharsets.ISO_8859_1));
            seeds.add(valid.getBytes(StandardCharsets.ISO_8859_1));
            return seeds;
        }

        @Override
        void parse(HostileFixture fixture) {
            fixture.stoppedRun().read();
        }
    },
    /** With its checksum in state.json made right. */
    CHECKPOINT_ARENA(HostileFixture.PARAMETERS_STATE + "theta.safetensors", 2 << 20, 96) {
        private static final String STATE = HostileFixture.PARAMETERS_STATE + "state.json";

        @Override
        void place(HostileFixture fixture, byte[] input) {
            super.place(fixture, input);
            fixture.replace(STATE, CheckpointSeal.sealed(fixture.original(STATE), "theta", input));
        }

        @Override
        void parse(HostileFixture fixture) {
            StateFolder.open(fixture.folder().resolve(HostileFixture.PARAMETERS_STATE))
                    .fill(List.of(fixture.parameters()));
        }
    },
    /** What `ewc4j report` reads, page and charts with it: most of what is allocated is the page. */
    RUN_RESULTS(HostileFixture.REPORTED_RUN + "results/results.json", 4 << 20, 2000) {
        /** And with all that some runs have; and names without scores, which would be held as the square of them. */
        @Override
        List<byte[]> seeds(HostileFixture fixture) {
            List<byte[]> seeds = super.seeds(fixture);
            String valid = new String(seeds.get(0), StandardCharsets.UTF_8);
            seeds.add(bytes(
                    valid.replaceFirst("\\{", "{" + LAMBDA_CHOICE + "\"protected\": {\"loss\": [1.5, null, 1e300]},")));
            seeds.add(bytes("{\"tasks\": [" + "0,".repeat(50_000) + "0]}"));
            return seeds;
        }

        @Override
        void parse(HostileFixture fixture) {
            report(fixture);
        }
    },
    RUN_STEPS(HostileFixture.REPORTED_RUN + "steps/steps.jsonl", 4 << 20, 256) {
        @Override
        List<byte[]> seeds(HostileFixture fixture) {
            return withEmptyLines(super.seeds(fixture));
        }

        @Override
        void parse(HostileFixture fixture) {
            report(fixture);
        }
    },
    RUN_PREDICTIONS(HostileFixture.REPORTED_RUN + "predictions/predictions.jsonl", 4 << 20, 256) {
        @Override
        List<byte[]> seeds(HostileFixture fixture) {
            return withEmptyLines(super.seeds(fixture));
        }

        @Override
        void parse(HostileFixture fixture) {
            report(fixture);
        }
    },
    RUN_CONFIGURATION(HostileFixture.REPORTED_RUN + "configuration/config.yaml", 4 << 20, 1500) {
        @Override
        void parse(HostileFixture fixture) {
            report(fixture);
        }
    };

    private static final String RANDOM_STATE = "<random state>";
    private static final String LAMBDA_CHOICE = """
            "lambda_choice": {"tasks": ["red", "green"], "questions": "train", "lambda_1": 3.0, "best": 1, "trials": [
              {"lambda": 0, "matrix": [[9, null], [5, 9]], "loss": [[1, null], [2, 1]], "penalty_grad_ratio": null},
              {"lambda": 3.0, "matrix": [[9, null], [8, 8]], "loss": [[1, null], [1, 1]], "penalty_grad_ratio": 0.5}]},
            """;

    /** The file that an input takes the place of. */
    final String file;

    /** What reading may allocate on the heap: {@code fixedBytes + perByte} × the input's length. */
    final long fixedBytes;

    final int perByte;

    Parser(String file, long fixedBytes, int perByte) {
        this.file = file;
        this.fixedBytes = fixedBytes;
        this.perByte = perByte;
    }

    /** Puts an input into the file's place, and makes right what says which content the file has. */
    void place(HostileFixture fixture, byte[] input) {
        fixture.replace(file, input);
    }

    /** Puts the valid content back. */
    void restore(HostileFixture fixture) {
        place(fixture, fixture.original(file));
    }

    /** Reads the fixture's file. May throw InvalidInputException and nothing else. */
    abstract void parse(HostileFixture fixture);

    /** Inputs to start from: what is valid, and what is wrong in ways that chance does not find. */
    List<byte[]> seeds(HostileFixture fixture) {
        Path written = HostileInputs.folder().resolve(name().toLowerCase(java.util.Locale.ROOT));
        List<byte[]> seeds = new java.util.ArrayList<>(List.of(fixture.original(file)));
        if (Files.isDirectory(written)) {
            try (var files = Files.list(written)) {
                for (Path each : files.sorted().collect(Collectors.toList())) {
                    seeds.add(Files.readAllBytes(each));
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
        return seeds;
    }

    /** And lines without content behind what is valid, and alone: none may take memory. */
    private static List<byte[]> withEmptyLines(List<byte[]> seeds) {
        seeds.add(bytes(new String(seeds.get(0), StandardCharsets.UTF_8) + "\n".repeat(5000)));
        seeds.add(bytes(" \n".repeat(3000) + "\u2003\n".repeat(2000)));
        return seeds;
    }

    private static void read(TaskSource source) {
        TaskReader.read(source, PromptTemplate.parse("{question}:"), Set.of(Split.TRAIN, Split.TEST));
    }

    /** Makes the page of the run that this parser's file is in. */
    void report(HostileFixture fixture) {
        ReportPage.of(List.of(fixture.folder().resolve(file).getParent()));
    }

    private static void readConsolidation(HostileFixture fixture) {
        ConsolidationFolder folder = ConsolidationFolder.open(fixture.folder().resolve("run/consolidation"));
        folder.read(
                        fixture.kernels(),
                        folder.layout(),
                        MergeSchedule.of(EwcConfig.defaults()),
                        StateTypes.FULL,
                        StatePlaces.on(Device.CPU))
                .close();
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }

    /** Every byte a character. */
    private static String latin(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
