package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What .ci/advisories runs, on a database made up here. */
class AdvisoriesTest {
    private static final String JUDGED =
            "# a comment\norg.example:near 1.9 GHSA-1 not called\norg.example:odd 1 CVE-3 read\n";

    @TempDir
    Path temp;

    private String classPath;

    private record Result(int status, String output) {}

    @Test
    void whatIsInRangeIsHeldToWhatWasJudged() throws Exception {
        compile();
        Files.writeString(temp.resolve("checksums"), """
                00  org/example/near/1.9/near-1.9.jar
                00  org/example/near/1.9/near-1.9.pom
                00  org/example/far/1.9/far-1.9.jar
                00  org/example/odd/1/odd-1.jar
                """);
        // 1.9 is before 1.10, and as text behind it. Maven makes no union of ranges that overlap.
        advisory("near", 1, "[1.0,1.10),[1.5,2.0)");
        advisory("far", 2, "(,1.9),[1.10]");
        advisory("odd", 3, "<2");

        Result unjudged = run("");
        assertThat(unjudged.output())
                .contains("NOT JUDGED: org.example:near 1.9: CVE-1 GHSA-1, [1.0,1.10),[1.5,2.0), mended in 2.0: A flaw")
                .contains("NOT JUDGED: org.example:odd 1: CVE-3 GHSA-3, a range that cannot be read, '<2'", "CVE-3.yml")
                .contains("3 components, 3 pairs", "published on 2026-02-03", "2 in range, 2 of them not judged")
                .doesNotContain("org.example:far");
        assertThat(unjudged.status()).isEqualTo(1);

        Result judged = run(JUDGED);
        assertThat(judged.output()).contains("judged: org.example:near 1.9", "0 of them not judged");
        assertThat(judged.status()).isZero();

        Result stale = run(JUDGED + "org.example:far 1.9 CVE-2 not called\n");
        assertThat(stale.output()).contains("STALE: ", "judged:4: org.example:far 1.9", "CVE-2");
        assertThat(stale.status()).isEqualTo(1);
    }

    /** Once for all runs, by a compiler that takes half the time in a JVM of its own. */
    private void compile() throws Exception {
        Path maven = Path.of(System.getProperty("maven.home", "none"), "lib");
        assumeTrue(Files.isDirectory(maven), "maven.home names no Maven, which reads the ranges: run by ./mvnw");
        classPath =
                String.join(File.pathSeparator, temp.toString(), maven + "/*", System.getProperty("java.class.path"));
        Result compiled = jdk(
                "javac", "-J-XX:TieredStopAtLevel=1", "-cp", classPath, "-d", temp.toString(), ".ci/Advisories.java");
        assertThat(compiled).isEqualTo(new Result(0, ""));
    }

    private void advisory(String artifact, int number, String range) throws IOException {
        Path folder = Files.createDirectories(temp.resolve("maven/org.example").resolve(artifact));
        Files.writeString(folder.resolve("CVE-" + number + ".yml"), """
                ---
                identifier: "CVE-%d"
                identifiers:
                - "CVE-%<d"
                - "GHSA-%<d"
                title: "A
                  flaw"
                pubdate: "2026-02-0%<d"
                affected_range: "%s"
                fixed_versions:
                - "2.0"
                """.formatted(number, range));
    }

    private Result run(String judged) throws Exception {
        String list = Files.writeString(temp.resolve("judged"), judged).toString();
        String checksums = temp.resolve("checksums").toString();
        return jdk("java", "-cp", classPath, "Advisories", temp.toString(), checksums, list, temp + "/no Maven");
    }

    private static Result jdk(String... command) throws Exception {
        command[0] = System.getProperty("java.home") + "/bin/" + command[0];
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        return new Result(process.waitFor(), output);
    }
}
