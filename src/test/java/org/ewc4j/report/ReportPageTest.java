package org.ewc4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.eval.Prediction;
import org.ewc4j.eval.TaskScore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class ReportPageTest {
    @TempDir
    Path temp;

    @Test
    void onePageWithEverythingAndNoNetwork() throws Exception {
        String page = Files.readString(run("ewc", SampleRun.small(), "").resolve("report.html"));

        assertWellFormed(page);
        assertThat(page)
                .contains("<h1>ewc</h1>", "Accuracy matrix", "Each task over time", "Penalty", "forgetting, train")
                .contains("fisher: batch", "λ 5,000", "1,234,567", ">100.0</td>")
                .doesNotContain("http", "src=", "@import", "url(", "<script", "<link");
        assertThat(page.split("<svg"))
                .as("accuracy by split, loss, penalty, its gradient beside the loss's")
                .hasSize(1 + 5);
    }

    /** Runs of before λ and the penalty's ratio were logged have reports all the same. */
    @Test
    void stepsWithoutLaterColumnsAreRead() throws Exception {
        Path run = run("old", SampleRun.small(), "");
        Path steps = run.resolve("steps.jsonl");
        String old = Files.readString(steps).replaceAll("\"(penalty_grad_ratio|lambda)\":[^,]*,", "");
        assertThat(old).doesNotContain("lambda").contains("penalty_grad_norm");
        Files.writeString(steps, old);
        String page = ReportPage.of(List.of(run));
        assertWellFormed(page);
        assertThat(page.split("<svg"))
                .as("as before: without the penalty beside the loss")
                .hasSize(1 + 4);
    }

    @Test
    void textFromTheRunIsEscaped() throws Exception {
        String evil = "</pre><script>alert('x')</script>\u0000 & \"quoted\" \ud800";
        Path folder = temp.resolve("evil");
        try (RunFolder run = RunFolder.create(folder, false, "prompt: '</pre><script>'\n", 0)) {
            run.runStarted(new RunStart(List.of(evil), 1, 1, 1));
            run.scored(new TaskScore(
                    0,
                    0,
                    evil,
                    Split.TEST,
                    0,
                    1,
                    List.of(new Prediction(0, 0, evil, Split.TEST, evil, evil, evil, false))));
            run.taskFinished(0, evil);
        }
        String page = Files.readString(folder.resolve("report.html"));

        assertWellFormed(page);
        assertThat(page).doesNotContain("<script").contains("&lt;script&gt;");
    }

    @Test
    void severalRunsSideBySideWithTheBestInBold() throws Exception {
        Path good = run("ewc", new SampleRun(List.of("a", "b"), 3, 0.9), "");
        Path bad = run("plain", new SampleRun(List.of("a", "b"), 3, 0.2), "extra: 1\n");
        Path page = temp.resolve("compare.html");
        ReportPage.write(List.of(good, bad), page);
        String text = Files.readString(page);

        assertWellFormed(text);
        assertThat(text)
                .contains(
                        "2 runs: ewc, plain",
                        "Average over the tasks learned so far",
                        "<th>extra</th><td>–</td><td>1</td>")
                .contains("train: forgetting</th><td class=\"number best\">10.0</td><td class=\"number\">80.0</td>")
                .doesNotContain("http");
    }

    @Test
    void runsOfTheSameFolderNameAreToldApart() throws Exception {
        Path one = run("one/run", SampleRun.small(), "");
        Path two = run("two/run", SampleRun.small(), "");

        assertThat(ReportPage.of(List.of(one, two))).contains(">run</th>", ">" + two + "</th>");
    }

    @Test
    void aLongRunStaysASmallPage() throws Exception {
        List<String> tasks = IntStream.range(0, 12).mapToObj(k -> "task " + k).toList();
        Path folder = temp.resolve("long");
        SampleRun sample = new SampleRun(tasks, 1000, 0.9);
        try (RunFolder run = RunFolder.create(folder, false, SampleRun.CONFIGURATION, 7)) {
            sample.start(run);
            tasks.forEach(task -> sample.steps(run, tasks.indexOf(task)));
        }

        assertThat(Files.size(folder.resolve("report.html"))).isLessThan(200_000);
        assertWellFormed(Files.readString(folder.resolve("report.html")));
    }

    @Test
    void aRunWithOnlyItsResultsHasAReportToo() throws Exception {
        Path folder = run("bare", SampleRun.small(), "");
        for (String name : List.of("steps.jsonl", "predictions.jsonl", "config.yaml")) {
            Files.delete(folder.resolve(name));
        }

        assertWellFormed(ReportPage.of(List.of(folder)));
    }

    @Test
    void aFolderWithoutARunIsRefused() throws IOException {
        assertRefused("results.json");
        Files.writeString(temp.resolve("results.json"), "{\"tasks\": [\"a\"], \"matrix\": {\"train\": [[\"x\"]]}}");
        assertRefused("train[0][0]");
        Files.writeString(temp.resolve("results.json"), "{");
        assertRefused("results.json:1: not valid JSON");
    }

    @Test
    void aBrokenRowIsNamedByItsLine() throws IOException {
        Path folder = run("broken", SampleRun.small(), "");
        Files.writeString(folder.resolve("steps.jsonl"), "{\"task\": 0, \"step\": 0}\n{\"step\": \n");

        assertThatThrownBy(() -> ReportPage.of(List.of(folder)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("steps.jsonl:2");
    }

    /** 100 kB of names asked for 20 GB, before anything was checked. */
    @Test
    void namesWithoutScoresTakeNoSquareOfThem() throws IOException {
        Files.writeString(temp.resolve("results.json"), "{\"tasks\": [" + "0,".repeat(50_000) + "0]}");

        assertRefused("results.json: train: expected a row for each of the 50001 tasks");
    }

    @Test
    void aLineThatIsTooLongIsRefusedBeforeItIsHeld() throws IOException {
        Path folder = run("long-line", SampleRun.small(), "");
        Files.writeString(folder.resolve("steps.jsonl"), "{\"step\": \"" + "0".repeat(17 << 20) + "\"}\n");

        assertThatThrownBy(() -> ReportPage.of(List.of(folder)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("steps.jsonl:1: the line is longer than 16 MiB");
    }

    /** A step at the end of the long numbers had the axis counted on for ever. */
    @Test
    void rowsThatNoRunWritesAreRefusedByLine() throws IOException {
        Path folder = run("rows", SampleRun.small(), "");
        Path steps = folder.resolve("steps.jsonl");
        for (String row : List.of(
                "{\"task\": 0, \"step\": 9223372036854775807}",
                "{\"task\": 3, \"step\": 0}",
                "{\"task\": 0, \"step\": 0.5}",
                "{\"task\": 0}")) {
            Files.writeString(steps, row + "\n");
            assertThatThrownBy(() -> ReportPage.of(List.of(folder)))
                    .as(row)
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("steps.jsonl:1: ")
                    .hasMessageContaining("expected a whole number");
        }
        Files.delete(steps);
        Files.writeString(folder.resolve("predictions.jsonl"), "{\"task\": 0, \"after_task\": 0, \"split\": \"x\"}\n");
        assertThatThrownBy(() -> ReportPage.of(List.of(folder)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("predictions.jsonl:1: split: expected train or test, got \"x\"");
    }

    @Test
    void aConfigurationOfAliasesIsRefused() throws IOException {
        Path folder = run("aliases", SampleRun.small(), "");
        Files.writeString(folder.resolve("config.yaml"), "a: &a [*a]\n");

        assertThatThrownBy(() -> ReportPage.of(List.of(folder)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("config.yaml:")
                .hasMessageContaining("an alias is not taken here");
    }

    private void assertRefused(String message) {
        assertThatThrownBy(() -> ReportPage.of(List.of(temp)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(message);
    }

    private Path run(String name, SampleRun sample, String extra) {
        Path folder = temp.resolve(name);
        try (RunFolder run = RunFolder.create(folder, false, SampleRun.CONFIGURATION + extra, 7)) {
            sample.feed(run);
        }
        return folder;
    }

    private static void assertWellFormed(String page) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        Document document = factory.newDocumentBuilder().parse(new InputSource(new StringReader(page)));
        assertThat(document.getDocumentElement().getTagName()).isEqualTo("html");
    }
}
