package org.ewc4j.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.ewc4j.config.TrainingConfig.Schedule;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.NamePattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The keys that say how the penalty acts, what is frozen, and that λ is to be chosen. */
class PenaltySettingsTest {
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
        assertThatThrownBy(() -> read(MINIMAL + yaml))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(message);
    }

    @Test
    void everyKeyIsReadAndWrittenBack() throws IOException {
        RunConfig config = read(MINIMAL + """
                training: {freeze: ["*.embed.*", "head.?"]}
                ewc:
                  penalty: proximal
                  lambda_schedule: cosine
                  lambda_warmup: 0.25
                  groups:
                    - {pattern: "*.bias", lambda_factor: 0}
                    - {pattern: "*.mlp.*", lambda_factor: 2.5}
                """);
        PenaltyOptions penalty = config.ewc().penaltyOptions();
        assertThat(penalty.kind()).isEqualTo(PenaltyOptions.Kind.PROXIMAL);
        assertThat(penalty.lambdaSchedule()).isEqualTo(Schedule.COSINE);
        assertThat(penalty.lambdaWarmup()).isEqualTo(0.25);
        assertThat(penalty.groups()).containsExactly(ParameterGroup.of("*.bias", 0), ParameterGroup.of("*.mlp.*", 2.5));
        assertThat(config.training().freeze()).containsExactly(new NamePattern("*.embed.*"), new NamePattern("head.?"));
        assertThat(read(config.toYaml())).isEqualTo(config);
        assertThat(config.ewc())
                .isEqualTo(EwcConfig.defaults()
                        .withPenaltyOptions(PenaltyOptions.defaults()
                                .withKind(PenaltyOptions.Kind.PROXIMAL)
                                .withLambdaSchedule(Schedule.COSINE)
                                .withLambdaWarmup(0.25)
                                .withGroups(
                                        List.of(ParameterGroup.of("*.bias", 0), ParameterGroup.of("*.mlp.*", 2.5)))));
        assertThat(read(MINIMAL).ewc().penaltyOptions()).isEqualTo(PenaltyOptions.defaults());
        assertThat(read(MINIMAL, "training.freeze=[a.*]").training().freeze()).containsExactly(new NamePattern("a.*"));
    }

    @Test
    void lambdaMayBeChosen() throws IOException {
        RunConfig config = read(MINIMAL + "ewc: {lambda: auto}\n");
        assertThat(config.ewc().lambdaSetting()).isEqualTo(LambdaSetting.AUTO);
        assertThat(read(config.toYaml())).isEqualTo(config);
        assertThat(read(MINIMAL, "ewc.lambda=auto").ewc().lambdaSetting().isAuto())
                .isTrue();
        assertThat(read(MINIMAL, "ewc.lambda=1e4").ewc().lambda()).isEqualTo(1e4);
        assertThat(read(MINIMAL).ewc().lambda()).isEqualTo(5000);
        assertThatThrownBy(() -> config.ewc().lambda())
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith("ewc.lambda: auto: a λ is chosen on the first two tasks of a run");
        assertRefused(
                "ewc: {lambda: best}\n",
                "run.yaml:3: ewc.lambda: expected a number of at least 0, or auto, got \"best\"");
        assertRefused(
                "ewc: {lambda: -1}\n", "run.yaml:3: ewc.lambda: expected a number of at least 0, or auto, got -1");
        assertRefused(
                "task_overrides: {a: {lambda: auto}}\n",
                "run.yaml:3: task_overrides.a.lambda: expected a number of at least 0, got \"auto\"");
    }

    @Test
    void whatContradictsItselfIsRefused() {
        assertRefused(
                "training: {clip_norm: 1, clip_of: total}\newc: {penalty: proximal}\n",
                "training.clip_of: total does not go with ewc.penalty: proximal, whose penalty is no gradient that could be"
                        + " clipped; leave clip_of at lm");
        assertRefused(
                "ewc: {penalty: l1}\n", "run.yaml:3: ewc.penalty: expected one of gradient, proximal, got \"l1\"");
        assertRefused(
                "ewc: {lambda_warmup: 2}\n",
                "run.yaml:3: ewc.lambda_warmup: expected a number of at least 0 and at most 1, got 2");
        assertRefused(
                "ewc: {groups: {a: 1}}\n",
                "run.yaml:3: ewc.groups: expected a list of {pattern, lambda_factor}, got a mapping");
        assertRefused(
                "ewc: {groups: [{pattern: a}]}\n",
                "run.yaml:3: ewc.groups.lambda_factor: is missing; each group needs a pattern and a lambda_factor");
        assertRefused(
                "ewc: {groups: [{pattern: a, factor: 1}]}\n",
                "run.yaml:3: ewc.groups.factor: unknown key; the nearest known one is pattern");
        assertRefused(
                "ewc: {groups: [{pattern: a, lambda_factor: -1}]}\n",
                "run.yaml:3: ewc.groups.lambda_factor: expected a number of at least 0, got -1");
        assertRefused(
                "training: {freeze: embed}\n",
                "run.yaml:3: training.freeze: expected a list of patterns of parameter names, such as"
                        + " [gpt_neox.embed_in.*], got \"embed\"");
        assertThatThrownBy(() -> ParameterGroup.of("a", Double.NaN))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("ewc.groups.lambda_factor: expected a number of at least 0, got NaN");
    }

    @Test
    void validationQuestionsHaveFilesOfTheirOwn() throws IOException {
        RunConfig single = read("model: m\ntasks: {file: t.jsonl, validation_file: v.jsonl}\n");
        assertThat(((TaskSource.SingleFile) single.tasks()).validation()).contains(folder.resolve("v.jsonl"));
        assertThat(read(single.toYaml())).isEqualTo(single);
        RunConfig list = read("model: m\ntasks: [{name: a, train: a.jsonl, test: t.jsonl, validation: v.jsonl}]\n");
        assertThat(((TaskSource.PerTask) list.tasks()).tasks().get(0).validation())
                .contains(folder.resolve("v.jsonl"));
        assertThat(read(list.toYaml())).isEqualTo(list);
        assertThatThrownBy(() -> read("model: m\ntasks: {file: t.json, validation_file: v.jsonl}\n"))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "run.yaml: tasks.validation_file: goes with a tasks.file of JSON Lines; entries of tasks.list name a"
                                + " file of their own by validation, the incremental-learning JSON has none");
    }
}
