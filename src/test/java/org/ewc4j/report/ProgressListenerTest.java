package org.ewc4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.Test;

class ProgressListenerTest {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    private long nanos;

    @Test
    void withoutATerminalALineEveryFewSeconds() {
        try (ProgressListener progress = new ProgressListener(out, false, () -> nanos)) {
            progress.runStarted(new RunStart(List.of("capitals", "elements"), 1_000_000, 5000, 200));
            progress.taskStarted(0, "capitals", 100);
            for (int k = 0; k < 100; k++) {
                nanos += 100_000_000L; // 0.1 s a step: 10 s a task
                progress.step(new StepMetrics(0, "capitals", 0, k, 2.5, 1e-5, 2.55, 1, 5000, 2e-4, 1e-3, 50, 0.1));
            }
            progress.taskFinished(0, "capitals");
        }

        assertThat(text().lines())
                .containsExactly(
                        "2 tasks, 1,000,000 parameters, λ 5,000, 200 steps",
                        "1/2 capitals train 50/100  loss 2.55  penalty 1e-5  500 tokens/s  0:05 left",
                        "1/2 capitals train 100/100  loss 2.55  penalty 1e-5  500 tokens/s  0:00 left",
                        "1/2 capitals done");
    }

    @Test
    void anEvaluationAloneNamesNoTask() {
        try (ProgressListener progress = new ProgressListener(out, false, () -> nanos)) {
            progress.evaluationProgress(0, 1, 100);
            nanos += 6_000_000_000L;
            progress.evaluationProgress(0, 50, 100);
        }

        assertThat(text()).isEqualTo("evaluate 50/100  0:06 left\n");
    }

    @Test
    void aWholeRunNamesEveryTaskWithItsScores() {
        try (ProgressListener progress = new ProgressListener(out, false, () -> nanos)) {
            SampleRun.small().feed(progress);
        }

        assertThat(text())
                .contains(
                        "1/3 capitals done  train 100.0 %  test 50.0 %",
                        "3/3 languages done  train 100.0 %  test 50.0 %");
    }

    @Test
    void onATerminalABarForEachPhase() {
        try (ProgressListener progress = new ProgressListener(out, true)) {
            SampleRun.small().feed(progress);
        }

        assertThat(text())
                .contains(
                        "1/3 capitals train",
                        "2/3 elements Fisher",
                        "after task 3/3 evaluate",
                        "loss",
                        "penalty",
                        "\r",
                        "█ 4/4",
                        "0:00 left");
    }

    @Test
    void theTableShowsMatrixAndMetrics() {
        ScoreTable table = new ScoreTable();
        SampleRun.small().feed(table);

        assertThat(table.text())
                .contains(
                        "train questions",
                        "test questions",
                        "  3 languages",
                        "forgetting 60.0   backward transfer -60.0");
        assertThat(table.text()
                        .lines()
                        .filter(line -> line.startsWith("  1 capitals"))
                        .findFirst())
                .hasValueSatisfying(line ->
                        assertThat(line.strip().split("\\s+")).containsExactly("1", "capitals", "100.0", "-", "-"));
    }

    @Test
    void nothingScoredIsNoTable() {
        ScoreTable table = new ScoreTable();
        SampleRun.small().start(table);

        assertThat(table.text()).isEmpty();
    }

    private String text() {
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
