package org.ewc4j.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig.EveryTask;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunConfigReaderTest {
    private static final String MINIMAL = "model: m\ntasks: {file: t.jsonl}\n";

    @TempDir
    Path folder;

    @BeforeEach
    void realFolder() throws IOException {
        folder = folder.toRealPath();
    }

    private RunConfig read(String yaml, String... sets) throws IOException {
        Files.writeString(folder.resolve("run.yaml"), yaml);
        return RunConfigReader.read(Path.of("run.yaml"), List.of(sets), Optional.empty(), folder);
    }

    private void assertRefused(String yaml, String message) {
        assertThatThrownBy(() -> read(yaml))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(message);
    }

    @Test
    void whereAndHowItIsComputedIsReadAtBothPlaces() throws IOException {
        RunConfig top = read(MINIMAL + "device: cuda:1\nprecision: bf16\nlog_every: 5\non_nonfinite: skip\n");
        RunConfig section =
                read(MINIMAL + "training: {device: 'cuda:1', precision: bf16, log_every: 5, on_nonfinite: skip}\n");
        assertThat(top).isEqualTo(section);
        assertThat(top.training().device()).isEqualTo(new DeviceSetting.Cuda(1));
        assertThat(top.training().precision()).isEqualTo(TrainingConfig.Precision.BF16);
        assertThat(top.training().logEvery()).hasValue(5);
        assertThat(read(top.toYaml())).isEqualTo(top);
        assertThat(read(MINIMAL + "device: cuda:1\n", "training.device=cpu")
                        .training()
                        .device())
                .isEqualTo(new DeviceSetting.Cpu());
        assertThat(read(MINIMAL).training().device()).isEqualTo(new DeviceSetting.Auto());
        assertRefused(MINIMAL + "device: gpu\n", "run.yaml:3: device: expected auto, cpu or cuda:N, got \"gpu\"");
        assertRefused(
                MINIMAL + "training: {precision: fp8}\n",
                "run.yaml:3: precision: expected one of fp32, tf32, bf16, got \"fp8\"");
    }

    @Test
    void textsAndPathsOfFlagsAreTakenAsTheyStand() throws IOException {
        Path file = Files.writeString(folder.resolve("a.yaml"), "model: m\ntasks: {file: t.jsonl}\n");
        RunConfig config = RunConfigReader.read(
                file,
                List.of(
                        "prompt=Q: {question} #1",
                        "model.path=a: b #c",
                        "tasks.file={1}.jsonl",
                        "tasks.answer_field='a b'"),
                Optional.empty(),
                folder);
        assertThat(config.prompt()).isEqualTo("Q: {question} #1");
        assertThat(config.model().path()).isEqualTo(folder.resolve("a: b #c"));
        assertThat(config.tasks())
                .isEqualTo(
                        new TaskSource.SingleFile(folder.resolve("{1}.jsonl"), "task", "question", "question", "a b"));
        assertThat(RunConfigReader.read(file, List.of("prompt={question}"), Optional.empty(), folder)
                        .prompt())
                .isEqualTo("{question}");
    }

    private void assertSetRefused(String set, String message) {
        assertThatThrownBy(() -> read(MINIMAL, set))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(message);
    }

    @Test
    void readsEveryKeyOfTheIssuesExample() throws IOException {
        RunConfig config = read("""
                model: ../golden/gpt2/model
                tasks:
                  file: ../golden/tasks.jsonl
                  task_field: task
                  question_field: q_train
                  test_question_field: q_test
                  answer_field: answer
                prompt: "Question: {question}\\n Short Answer:"
                training: {epochs: 2, batch_size: 5, learning_rate: 1.0e-3, weight_decay: 5.0e-4, max_length: 32, shuffle: false, seed: 0, threads: 2, positions: first-token}
                ewc: {lambda: 5000, fisher: batch, merge: running-mean}
                evaluation: {max_new_tokens: 10, every_task: true, splits: [train, test]}
                save: {dtype: float32, keep: last}
                output: runs/golden-gpt2
                il_mode: IIL
                classifier: None
                classification_type: sentence-level
                """);
        Path golden = folder.getParent().resolve("golden");
        RunConfig expected = RunConfig.of(
                        ModelSource.pretrained(golden.resolve("gpt2/model")),
                        new TaskSource.SingleFile(golden.resolve("tasks.jsonl"), "task", "q_train", "q_test", "answer"),
                        folder.resolve("runs/golden-gpt2"))
                .withTraining(TrainingConfig.defaults()
                        .withEpochs(2)
                        .withBatchSize(5)
                        .withLearningRate(1e-3)
                        .withShuffle(false)
                        .withThreads(2));
        assertThat(config).isEqualTo(expected);
    }

    @Test
    void defaultsAreThePublishedRecipe() throws IOException {
        RunConfig config = read(MINIMAL);
        assertThat(config.prompt()).isEqualTo("Question: {question}\n Short Answer:");
        assertThat(config.training().epochs()).isEqualTo(10);
        assertThat(config.training().maxSteps()).isEmpty();
        assertThat(config.training().batchSize()).isEqualTo(4);
        assertThat(config.training().learningRate()).isEqualTo(1e-5);
        assertThat(config.training().weightDecay()).isEqualTo(5e-4);
        assertThat(config.training().clipNorm()).isEmpty();
        assertThat(config.training().maxLength()).isEqualTo(32);
        assertThat(config.training().shuffle()).isTrue();
        assertThat(config.training().threads())
                .isBetween(1, Runtime.getRuntime().availableProcessors());
        assertThat(config.ewc().lambda()).isEqualTo(5000);
        assertThat(config.evaluation().splits()).containsExactly(Split.TRAIN, Split.TEST);
        assertThat(config.evaluation().everyTask()).isEqualTo(EveryTask.TRUE);
        assertThat(config.save()).isEqualTo(new SaveConfig(SaveConfig.StoredType.FLOAT32, SaveConfig.Keep.LAST));
        assertThat(config.output()).isEqualTo(folder.resolve("runs/run"));
    }

    @Test
    void outputFlagWinsAndIsRelativeToTheWorkingDirectory() throws IOException {
        Path file = folder.resolve("conf/a.yaml");
        Files.createDirectories(file.getParent());
        Files.writeString(file, MINIMAL + "output: out\n");
        Path relative = Path.of("conf/a.yaml");
        assertThat(RunConfigReader.read(relative, List.of(), Optional.empty(), folder)
                        .output())
                .isEqualTo(folder.resolve("conf/out"));
        assertThat(RunConfigReader.read(relative, List.of("output=../b"), Optional.empty(), folder)
                        .output())
                .isEqualTo(folder.resolve("b"));
        assertThat(RunConfigReader.read(relative, List.of("output=../b"), Optional.of(Path.of("c")), folder)
                        .output())
                .isEqualTo(folder.resolve("c"));
    }

    @Test
    void setReplacesWhatTheFileGives() throws IOException {
        RunConfig config = read(
                "model: {path: m, init: random, seed: 3}\ntasks: {file: t.jsonl, task_field: topic}\ntraining: {epochs: 3, seed: 9}\n",
                "training.epochs=5",
                "evaluation.splits=[test]",
                "evaluation.every_task=all",
                "model=other/n",
                "ewc={lambda: 1.5e8}",
                "tasks=[{name: 1, train: a.jsonl}]",
                "task_overrides.my.task.lambda=0");
        assertThat(config.training().epochs()).isEqualTo(5);
        assertThat(config.training().seed()).isEqualTo(9);
        assertThat(config.evaluation().splits()).isEqualTo(Set.of(Split.TEST));
        assertThat(config.evaluation().everyTask()).isEqualTo(EveryTask.ALL);
        assertThat(config.model()).isEqualTo(ModelSource.pretrained(folder.resolve("other/n")));
        assertThat(config.ewc().lambda()).isEqualTo(1.5e8);
        assertThat(config.tasks())
                .isEqualTo(TaskSource.PerTask.of(
                        List.of(new TaskSource.TaskFiles("1", folder.resolve("a.jsonl"), Optional.empty()))));
        assertThat(config.ewcFor("my.task").lambda()).isZero();
        assertThat(config.ewcFor("another").lambda()).isEqualTo(1.5e8);
    }

    @Test
    void overridesChangeOneTaskOnly() throws IOException {
        RunConfig config = read(MINIMAL + """
                task_overrides:
                  "1": {epochs: 2, max_steps: 7, learning_rate: 0.5, weight_decay: 0, warmup_steps: 3, schedule: cosine, batch_size: 8, lambda: 12}
                """);
        TrainingConfig one = config.trainingFor("1");
        assertThat(one)
                .isEqualTo(TrainingConfig.defaults()
                        .withEpochs(2)
                        .withMaxSteps(7)
                        .withLearningRate(0.5)
                        .withWeightDecay(0)
                        .withWarmupSteps(3)
                        .withSchedule(TrainingConfig.Schedule.COSINE)
                        .withBatchSize(8));
        assertThat(config.ewcFor("1").lambda()).isEqualTo(12);
        assertThat(config.trainingFor("2")).isEqualTo(TrainingConfig.defaults());
        assertThatThrownBy(() -> config.requireOverridesAmong(List.of("10x", "2")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("task_overrides.1: there is no task of this name; the nearest is \"2\"");
    }

    @Test
    void incrementalJsonIsKnownByItsName() throws IOException {
        assertThat(read("model: m\ntasks: {file: t.JSON}\n").tasks())
                .isEqualTo(new TaskSource.IncrementalJson(folder.resolve("t.JSON")));
        assertThat(read("model: m\ntasks: {file: t.json, format: jsonl}\n").tasks())
                .isEqualTo(TaskSource.SingleFile.of(folder.resolve("t.json")));
    }

    @Test
    void whatIsWrittenReadsBackEqual() throws IOException {
        RunConfig config = read("""
                model: {path: "a b", init: random, seed: -4}
                tasks: {list: [{name: "1", train: a.jsonl, test: b.jsonl}, {name: "yes: no", train: c.jsonl}, {name: t, text: t.txt, test_text: u.txt}, {name: v, text: v.jsonl}], question_field: q}
                text: {field: body, test_share: 0.25}
                prompt: "{context}: {{x}}\\n\\t'{question}' \\"#"
                training: {max_steps: 5, clip_norm: 0.25, clip_of: total, learning_rate: 3, gradient_accumulation: 2, schedule: linear, beta1: 0.8, beta2: 0.99, epsilon: 1e-6, loader_threads: 2, positions: left-edge, seed: 9223372036854775807, replay: 8}
                ewc: {lambda: 0.1, fisher: uniform, fisher_batch_size: 3, fisher_shuffle: true, protect: {data: g.jsonl, format: questions, max_examples: 9, weight: 0.5, test: h.jsonl}}
                evaluation: {every_task: false, splits: [test], batch_size: 7}
                save: {dtype: bfloat16, keep: all}
                task_overrides: {"1": {lambda: 2.5e+9, schedule: cosine}}
                """);
        assertThat(read(config.toYaml())).isEqualTo(config);
        assertThat(config.training().clipTarget()).isEqualTo(TrainingConfig.ClipTarget.TOTAL);
        assertThat(config.ewc().fisherBatchSize()).isEqualTo(OptionalInt.of(3));
        RunConfig defaults = read(MINIMAL);
        assertThat(read(defaults.toYaml())).isEqualTo(defaults);
        RunConfig incremental = read("model: m\ntasks: {file: t.json}\n");
        assertThat(read(incremental.toYaml())).isEqualTo(incremental);
    }

    /** As bytes in base 64, which SnakeYAML would make of it, it would be refused when the run goes on. */
    @Test
    void whatDoesNotPrintIsWrittenAsTextToo() throws IOException {
        RunConfig config = read(MINIMAL + "prompt: \"\\0\\e\\x07 {question}\\uFFFE\\u0085\"\n");
        assertThat(config.prompt()).isEqualTo("\0\u001b\u0007 {question}\uFFFE\u0085");
        assertThat(read(config.toYaml())).isEqualTo(config);
    }

    @Test
    void refusesHalfOfASurrogatePair() {
        assertRefused(
                MINIMAL + "prompt: \"{question} \\ud800\"\n",
                "run.yaml:3: prompt: a text holds half of a surrogate pair: \"{question} \\ud800\"; leave it out");
        assertRefused(
                MINIMAL + "task_overrides: {\"a\\udc00\": {epochs: 3}}\n",
                "run.yaml:3: task_overrides: a text holds half of a surrogate pair: \"a\\udc00\"; leave it out");
        assertSetRefused(
                "prompt=\"\\ud800{question}\"",
                "--set prompt=\"\\ud800{question}\": prompt: a text holds half of a surrogate pair: "
                        + "\"\\ud800{question}\"; leave it out");
    }

    @Test
    void refusesEscapesThatAreNoCharacter() {
        for (String escape : List.of("\\u", "\\x", "\\UFFFFFFFF\"")) {
            assertRefused(
                    MINIMAL + "prompt: \"" + escape,
                    "run.yaml: is not YAML: an escape in quotes is cut short, or is no character");
        }
    }

    @Test
    void refusesUnknownKeysWithTheNearest() {
        assertRefused(
                MINIMAL + "training:\n  epoch: 3\n",
                "run.yaml:4: training.epoch: unknown key; the nearest known one is training.epochs");
        assertRefused(MINIMAL + "lamda: 3\n", "run.yaml:3: lamda: unknown key; the nearest known one is ewc.lambda");
        assertRefused(
                MINIMAL + "trainng: {epochs: 3}\n",
                "run.yaml:3: trainng: unknown key; the nearest known one is training");
        assertRefused(
                MINIMAL + "training.epochs: 3\n",
                "run.yaml:3: training.epochs: unknown key; write it as training: {epochs: ...}");
        assertRefused(
                MINIMAL + "task_overrides: {a: {epoch: 3}}\n",
                "run.yaml:3: task_overrides.a.epoch: unknown key; the nearest known one is epochs");
        assertRefused(
                "model: m\ntasks: [{name: a, trian: b}]\n",
                "run.yaml:2: tasks.list.trian: unknown key; the nearest known one is train");
        assertSetRefused(
                "training.learn_rate=3",
                "--set training.learn_rate=3: training.learn_rate: unknown key; the nearest known one is training.learning_rate");
    }

    @Test
    void refusesWrongTypesAndRanges() {
        assertRefused(
                MINIMAL + "training: {epochs: ten}\n",
                "run.yaml:3: training.epochs: expected a whole number of at least 1, got \"ten\"");
        assertRefused(
                MINIMAL + "training: {epochs: 1.5}\n",
                "run.yaml:3: training.epochs: expected a whole number of at least 1, got 1.5");
        assertRefused(
                MINIMAL + "training: {epochs: \"2\"}\n",
                "run.yaml:3: training.epochs: expected a whole number of at least 1, got \"2\"");
        assertRefused(
                MINIMAL + "training: {epochs: 99999999999}\n",
                "run.yaml:3: training.epochs: expected a whole number of at least 1, got 99999999999");
        assertRefused(
                MINIMAL + "training: {epochs: }\n",
                "run.yaml:3: training.epochs: expected a whole number of at least 1, got nothing");
        assertRefused(
                MINIMAL + "training: {shuffle: 1}\n", "run.yaml:3: training.shuffle: expected true or false, got 1");
        assertRefused(
                MINIMAL + "ewc:\n  lambda: -1\n",
                "run.yaml:4: ewc.lambda: expected a number of at least 0, or auto, got -1");
        assertRefused(
                MINIMAL + "ewc: {lambda: .nan}\n",
                "run.yaml:3: ewc.lambda: expected a number of at least 0, or auto, got .nan");
        assertRefused(
                MINIMAL + "ewc: {lambda: 1e999}\n",
                "run.yaml:3: ewc.lambda: expected a number of at least 0, or auto, got 1e999");
        assertRefused(
                MINIMAL + "ewc: {lambda: [1]}\n",
                "run.yaml:3: ewc.lambda: expected a number of at least 0, or auto, got [1]");
        assertRefused(
                MINIMAL + "training: {beta1: 1}\n",
                "run.yaml:3: training.beta1: expected a number of at least 0 and below 1, got 1");
        assertRefused(
                MINIMAL + "training: 3\n",
                "run.yaml:3: training: expected a mapping with " + trainingKeys() + ", got 3");
        assertRefused(
                MINIMAL + "evaluation: {splits: [train, dev]}\n",
                "run.yaml:3: evaluation.splits: expected a list of at least one of train, test, got [\"train\", \"dev\"]");
        assertRefused(
                MINIMAL + "evaluation: {splits: []}\n",
                "run.yaml:3: evaluation.splits: expected a list of at least one of train, test, got []");
        assertRefused(
                MINIMAL + "ewc: {fisher: exact}\n",
                "run.yaml:3: ewc.fisher: expected one of batch, example, sampled, uniform, got \"exact\"");
        assertRefused("model: [m]\n", "run.yaml:1: model: expected a mapping with path, init, seed, got [\"m\"]");
        assertSetRefused(
                "ewc.lambda=-1", "--set ewc.lambda=-1: ewc.lambda: expected a number of at least 0, or auto, got -1");
        assertSetRefused(
                "ewc.fisher_samples=0",
                "--set ewc.fisher_samples=0: ewc.fisher_samples: expected a whole number of at least 1, got 0");
        assertSetRefused(
                "ewc.fisher_max_examples=0",
                "--set ewc.fisher_max_examples=0: ewc.fisher_max_examples: expected a whole number of at least 1, got 0");
        assertSetRefused(
                "ewc.fisher_unit=row",
                "--set ewc.fisher_unit=row: ewc.fisher_unit: expected one of sequence, token, got \"row\"");
        assertSetRefused(
                "ewc.fisher_normalize=max",
                "--set ewc.fisher_normalize=max: ewc.fisher_normalize: expected one of none, mean, got \"max\"");
        assertSetRefused(
                "ewc.fisher_clamp=0", "--set ewc.fisher_clamp=0: ewc.fisher_clamp: expected a number above 0, got 0");
        assertSetRefused("ewc.lambda", "--set ewc.lambda: expected key=value, as in training.epochs=2");
        assertSetRefused("ewc.lambda=", "--set ewc.lambda=: expected a value behind the =");
    }

    private static String trainingKeys() {
        return String.join(
                ", ",
                Settings.ALL.stream()
                        .filter(setting -> setting.section().equals("training"))
                        .map(Setting::name)
                        .toList());
    }

    @Test
    void refusesOtherKindsOfContinualLearningWithTheReason() {
        assertRefused(
                MINIMAL + "il_mode: CIL\n",
                "run.yaml:3: il_mode: expected IIL (EWC here is instance-incremental), got \"CIL\"");
        assertRefused(
                MINIMAL + "classifier: Linear\n",
                "run.yaml:3: classifier: expected None (EWC here is for generative models, without a classifier), got \"Linear\"");
        assertRefused(
                MINIMAL + "classification_type: word-level\n",
                "run.yaml:3: classification_type: expected sentence-level (EWC here works on whole sentences), got \"word-level\"");
    }

    @Test
    void refusesWhatIsMissingOrTooMuch() {
        assertRefused("tasks: {file: t.jsonl}\n", "run.yaml: model: is missing; name a Hugging Face model directory");
        assertRefused(
                "model: {seed: 1}\ntasks: {file: t.jsonl}\n",
                "run.yaml: model: is missing; name a Hugging Face model directory");
        assertRefused("model: m\n", "run.yaml: tasks: is missing; give tasks.file or a list of {name, train, test}");
        assertRefused(
                "model: m\ntasks: {file: a, list: [{name: a, train: b}]}\n",
                "run.yaml: tasks: has both file and list; leave one");
        assertRefused(
                "model: m\ntasks:\n- {name: a, train: b}\n- {name: a, train: c}\n",
                "run.yaml:4: tasks.list: the task name \"a\" is there twice; give each task a name of its own");
        assertRefused(
                "model: m\ntasks:\n- {name: a}\n",
                "run.yaml:3: tasks.list.train: is missing; each task needs a name and a train file, or text");
        assertRefused(
                "model: m\ntasks:\n- {name: a, text: t.txt, train: b}\n",
                "run.yaml:3: tasks.list.train: does not go with text; a task is {name, train, test} or {name, text,"
                        + " test_text}");
        assertRefused(
                "model: m\ntasks:\n- {name: a, train: b, test_text: c}\n",
                "run.yaml:3: tasks.list.test_text: does not go with train; a task is {name, train, test} or {name, text,"
                        + " test_text}");
        assertRefused(
                MINIMAL + "text: {test_share: 1}\n",
                "run.yaml:3: text.test_share: expected a number above 0 and below 1, got 1");
        assertRefused(
                MINIMAL + "ewc: {protect: {weight: 2}}\n",
                "ewc.protect.weight: is given, but ewc.protect.data is not; name the text to protect, or leave ewc.protect"
                        + " out");
        assertRefused(
                MINIMAL + "ewc: {protect: {data: g.txt, weight: -1}}\n",
                "run.yaml:3: ewc.protect.weight: expected a number of at least 0, got -1");
        assertRefused(
                MINIMAL + "ewc: {protect: {datum: g.txt}}\n",
                "run.yaml:3: ewc.protect.datum: unknown key; the nearest known one is ewc.protect.data");
        assertRefused(
                MINIMAL + "training: {replay: -1}\n",
                "run.yaml:3: training.replay: expected a whole number of at least 0, got -1");
        assertRefused(
                "model: m\ntasks: []\n",
                "run.yaml:2: tasks.list: expected a list of {name, train, test} or {name, text, test_text}, got []");
        assertRefused("", "run.yaml: is empty; expected a configuration in YAML");
        assertRefused(
                MINIMAL + "training:\n  epochs: 1\n  epochs: 2\n",
                "run.yaml:5: training.epochs: is given twice, first on line 4; leave one");
        assertThatThrownBy(() -> RunConfigReader.read(Path.of("no.yaml"), List.of(), Optional.empty(), folder))
                .hasMessage("no.yaml: no such file; expected a configuration in YAML");
        assertThatThrownBy(() -> RunConfigReader.read(folder, List.of(), Optional.empty(), folder))
                .hasMessage(folder + ": is not a file; expected a configuration in YAML");
    }

    @Test
    void aHomeFolderByTildeIsRefused() throws IOException {
        assertRefused(
                "model: ~/m\ntasks: {file: t}\n",
                "run.yaml:1: model.path: ~ is not the home folder here; write the whole path, or ./~ for a folder of that name");
    }

    @Test
    void refusesYamlThatIsBrokenOrHostile() throws IOException {
        assertRefused(
                "model: m\ntasks: {file: t\n", "run.yaml:3: is not YAML: expected ',' or '}', but got <stream end>");
        assertRefused(
                "model: m\ntasks: !!javax.script.ScriptEngineManager {file: t}\n",
                "run.yaml:2: is not YAML: Global tag is not allowed: tag:yaml.org,2002:javax.script.ScriptEngineManager");
        assertRefused(
                "model: !env HOME\ntasks: {file: t}\n",
                "run.yaml:1: model.path: the tag \"!env\" is not taken; leave it out");
        assertRefused(
                "model: &m {path: *m}\ntasks: {file: t}\n",
                "run.yaml:1: model.path: expected the path of a Hugging Face model directory, got a mapping");
        StringBuilder laughs = new StringBuilder("a: &a [x]\n");
        for (char c = 'b'; c <= 'f'; c++) {
            laughs.append(c)
                    .append(": &")
                    .append(c)
                    .append(" [")
                    .append(("*" + (char) (c - 1) + ",").repeat(9))
                    .append("]\n");
        }
        assertThatThrownBy(() -> read(laughs.toString()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "run.yaml: is not YAML: Number of aliases for non-scalar nodes exceeds the specified max=20");
        assertThatThrownBy(() -> read("[".repeat(5000)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith("run.yaml")
                .hasMessageContaining("Nesting Depth exceeded max 20");
        Files.write(folder.resolve("latin.yaml"), new byte[] {'m', (byte) 0xE9});
        assertThatThrownBy(() -> RunConfigReader.read(Path.of("latin.yaml"), List.of(), Optional.empty(), folder))
                .hasMessage("latin.yaml: is not UTF-8; save the file as UTF-8");
        assertThatThrownBy(() -> read("#".repeat((1 << 20) + 1)))
                .hasMessage("run.yaml: is larger than 1 MiB; expected a configuration in YAML");
    }

    @Test
    void recordsCheckThemselvesForEmbedders() {
        assertThatThrownBy(() -> EwcConfig.defaults().withLambda(-1))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("ewc.lambda: expected a number of at least 0, or auto, got -1.0");
        assertThatThrownBy(() -> TrainingConfig.defaults().withMaxLength(1))
                .hasMessage("training.max_length: expected a whole number of at least 2, got 1");
        assertThatThrownBy(() -> EvaluationConfig.defaults().withSplits(Set.of()))
                .hasMessage("evaluation.splits: expected a list of at least one of train, test, got []");
    }
}
