package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.ewc4j.task.Task;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** README's embedding compiles, runs, and is the one that README shows. */
class EmbeddingExampleTest {
    private static final Path SOURCE = Path.of("src/test/java/org/ewc4j/EmbeddingExample.java");

    @TempDir
    Path folder;

    @Test
    void itLearnsAndSaves() {
        // The example takes the default number of threads, as a reader would; of a process there is one number only.
        Assumptions.assumeTrue(
                org.ewc4j.config.TrainingConfig.defaults().threads() == Golden.THREADS,
                "this machine's default is not the " + Golden.THREADS + " threads of the other tests");
        Path model = TinyRun.model(folder.resolve("model"), "llama");
        List<Task> tasks = TinyRun.tasks(2, 10);
        PrintStream before = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            EmbeddingExample.teach(model, tasks, folder.resolve("taught"));
        } finally {
            System.setOut(before);
        }
        assertThat(printed.toString(StandardCharsets.UTF_8))
                .contains("red 0: loss 5.", "green ", "red, TRAIN: ", "red, TEST: ");
        assertThat(folder.resolve("taught/model.safetensors")).exists();
        assertThat(folder.resolve("taught/tokenizer.json")).exists();
    }

    @Test
    void readmeShowsItWordForWord() throws IOException {
        Path readme = Path.of("README.md");
        Assumptions.assumeTrue(Files.exists(readme), "no README.md yet");
        String shown = Pattern.compile("```java\\n(.*?)```", Pattern.DOTALL)
                .matcher(Files.readString(readme))
                .results()
                .map(block -> block.group(1))
                .filter(block -> block.contains("ContinualLearner.open"))
                .findFirst()
                .orElseGet(() -> Assumptions.abort("README.md shows no embedding yet"));

        assertThat(shown).isEqualTo(snippet());
    }

    private static String snippet() throws IOException {
        Matcher marked = Pattern.compile("// README: begin\\n(.*?)\\n *// README: end", Pattern.DOTALL)
                .matcher(Files.readString(SOURCE));
        assertThat(marked.find()).isTrue();
        return marked.group(1)
                .lines()
                .map(line -> line.replaceFirst("^ {8}", ""))
                .collect(Collectors.joining("\n", "", "\n"));
    }
}
