package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.ewc4j.cli.CommandLineFixture.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SweepCommandTest {
    @TempDir
    Path folder;

    private Path configuration;
    private Path out;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "gpt2");
        out = folder.resolve("sweep");
    }

    @Test
    void aSweepLeavesAPageItsNumbersAndATable() throws IOException {
        Result result = run("sweep", configuration, "--lambda", "1e2,1e30", "-o", out);

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out())
                .contains("On the train questions of 2 tasks at the end:", "plasticity", "best", "Sweep in " + out);
        assertThat(result.err()).contains("trying λ 0 and others", "λ 0  average", "λ 100  average", "λ 1e30");
        try (Stream<Path> files = Files.list(out)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("sweep.html", "sweep.json");
        }
        JsonNode sweep = new JsonMapper().readTree(out.resolve("sweep.json").toFile());
        assertThat(sweep.path("trials").findValuesAsText("lambda")).containsExactly("0.0", "100.0", "1.0E30");
        assertThat(sweep.at("/trials/1/average").isNumber()).isTrue();
        assertThat(sweep.path("lambda_1").asDouble()).isPositive();
        String page = Files.readString(out.resolve("sweep.html"));
        assertThat(page).contains("<svg", "average at the end", "forgetting", "plasticity", ">best<", ">100<");
        assertThat(page).doesNotContain("http://", "https://", "<script");
    }

    @Test
    void aSweepThatIsThereIsReplacedOnlyWhenAsked() throws IOException {
        assertThat(run("sweep", configuration, "--lambda", "1", "-o", out).code())
                .isZero();
        Result refused = run("sweep", configuration, "--lambda", "1", "-o", out);
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err())
                .contains("output " + out + " holds a sweep already; give another folder, or --overwrite");
        assertThat(run("sweep", configuration, "--lambda", "1", "-o", out, "--overwrite")
                        .code())
                .isZero();
        Files.writeString(out.resolve("mine.txt"), "mine");
        Result foreign = run("sweep", configuration, "--lambda", "1", "-o", out, "--overwrite");
        assertThat(foreign.code()).isEqualTo(2);
        assertThat(foreign.err()).contains("holds other files than a sweep's; give another folder by --output");
    }

    @Test
    void aLambdaThatIsNoneIsRefused() {
        Result result = run("sweep", configuration, "--lambda", "1e3,-2", "-o", out);
        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).contains("--lambda -2.0: expected numbers of at least 0");
        assertThat(out).doesNotExist();
    }

    @Test
    void trainChoosesALambdaAndSaysWhich() {
        Result result = run("train", configuration, "--set", "ewc.lambda=auto", "--output", out);
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.err()).contains("chosen of 6, by the train questions of red, green");
        assertThat(run("validate", configuration, "--set", "ewc.lambda=auto").code())
                .isZero();
    }
}
