package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.ewc4j.TinyRun;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Native libraries that are not to be had: one line says what is missing, and what to do. */
class NativeFaultTest {
    /** Nobody can make a folder there, root neither. */
    private static final String NOWHERE = "/proc/nowhere";

    @TempDir
    Path folder;

    private Path configuration;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "gpt2");
    }

    private record Result(int code, String out, String err) {
        String line() {
            return err.lines().filter(l -> l.startsWith("ewc4j: ")).collect(Collectors.joining("\n"));
        }
    }

    private Process start(
            String name, String classPath, Map<String, String> environment, List<String> options, Object... command)
            throws IOException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED"));
        words.addAll(options);
        words.addAll(List.of("-cp", classPath, "org.ewc4j.cli.Main"));
        Arrays.stream(command).map(Object::toString).forEach(words::add);
        ProcessBuilder builder = new ProcessBuilder(words)
                .directory(folder.toFile())
                .redirectOutput(folder.resolve(name + ".out").toFile())
                .redirectError(folder.resolve(name + ".err").toFile());
        builder.environment().remove("JDK_JAVA_OPTIONS");
        builder.environment().putAll(environment);
        return builder.start();
    }

    private Result end(String name, Process process) throws Exception {
        assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
        return new Result(
                process.exitValue(),
                Files.readString(folder.resolve(name + ".out")),
                Files.readString(folder.resolve(name + ".err")));
    }

    private Result train(String classPath, Map<String, String> environment, String... options) throws Exception {
        return end("train", start("train", classPath, environment, List.of(options), "train", configuration));
    }

    private static String classPath() {
        return System.getProperty("java.class.path");
    }

    @Test
    void anotherArchitectureIsRefused() throws Exception {
        Result result = train(
                classPath(), Map.of(), "-Djava.io.tmpdir=" + folder, "-Dorg.bytedeco.javacpp.platform=linux-arm64");

        assertThat(result.code()).isEqualTo(1);
        assertThat(result.line())
                .isEqualTo("ewc4j: ewc4j's native library is built for linux-x86_64; this JVM runs on linux-arm64");
    }

    @Test
    void aJarWithoutTheLibraryIsNamed() throws Exception {
        Path bare = folder.resolve("classes");
        List<String> path = new ArrayList<>();
        for (String entry : classPath().split(File.pathSeparator)) {
            Path classes = Path.of(entry);
            if (Files.isDirectory(classes.resolve("org/ewc4j/kernel/linux-x86_64"))) {
                copyWithout(classes, bare, "linux-x86_64");
                path.add(bare.toString());
            } else {
                path.add(entry);
            }
        }
        assertThat(bare).isDirectory();

        Result result = train(String.join(File.pathSeparator, path), Map.of(), "-Djava.io.tmpdir=" + folder);

        assertThat(result.code()).isEqualTo(1);
        assertThat(result.line())
                .hasLineCount(1)
                .contains("native library, org/ewc4j/kernel/linux-x86_64 in its jar, could not be loaded");
    }

    private static void copyWithout(Path from, Path to, String left) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(f -> !f.toString().contains(left)).toList()) {
                Path target = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else {
                    Files.copy(file, target);
                }
            }
        }
    }

    private static String[] noPlace() {
        return new String[] {
            "-Dorg.bytedeco.javacpp.cachedir=" + NOWHERE, "-Duser.home=" + NOWHERE, "-Djava.io.tmpdir=" + NOWHERE
        };
    }

    @Test
    void aCacheThatCannotBeWrittenIsNamed() throws Exception {
        Path tokenizers = Files.createDirectory(folder.resolve("tokenizers"));
        Result result = train(classPath(), Map.of("DJL_CACHE_DIR", tokenizers.toString()), noPlace());

        assertThat(result.code()).isEqualTo(1);
        assertThat(result.line())
                .hasLineCount(1)
                .contains("libtorch could not be loaded", "-Dorg.bytedeco.javacpp.cachedir");
    }

    @Test
    void soIsTheTokenizersOwn() throws Exception {
        Result result = train(classPath(), Map.of(), noPlace());

        assertThat(result.code()).isEqualTo(1);
        assertThat(result.line())
                .hasLineCount(1)
                .contains("the tokenizers library could not be loaded", "DJL_CACHE_DIR");
    }

    /** A home that cannot be written is no hindrance: the temporary folder is taken. */
    @Test
    @Tag("long")
    void aReadOnlyHomeIsNoHindrance() throws Exception {
        Result result = train(classPath(), Map.of(), "-Duser.home=" + NOWHERE, "-Djava.io.tmpdir=" + folder);

        assertThat(result.code()).as(result.err()).isZero();
    }

    @Test
    @Tag("long")
    void twoProcessesThatUnpackAtOnceBothRun() throws Exception {
        List<String> options = List.of(
                "-Dorg.bytedeco.javacpp.cachedir=" + folder.resolve("cache"),
                "-Duser.home=" + folder,
                "-Djava.io.tmpdir=" + folder);
        Process one =
                start("one", classPath(), Map.of(), options, "train", configuration, "--output", folder.resolve("a"));
        Process two =
                start("two", classPath(), Map.of(), options, "train", configuration, "--output", folder.resolve("b"));
        Result first = end("one", one);
        Result second = end("two", two);

        assertThat(first.code()).as(first.err()).isZero();
        assertThat(second.code()).as(second.err()).isZero();
    }
}
