package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A main class of the tests in a JVM of its own, with this one's class path. */
public final class ChildJvm {
    /**
     * Options for a process whose resident memory and threads are watched. The heap is touched whole at the start, so that what
     * grows is native. One compiler, so that no thread comes later, and the first one only: the second takes some 15 MB,
     * and where the machine is busy long behind what is compared.
     */
    static final List<String> STEADY = List.of(
            "-Xms128m",
            "-Xmx128m",
            "-XX:+AlwaysPreTouch",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UseDynamicNumberOfCompilerThreads");

    private ChildJvm() {}

    /** Runs it to its end within five minutes; see {@link #run(Path, Duration, Map, List, Class, String...)}. */
    public static List<String> run(Path folder, List<String> options, Class<?> main, String... arguments)
            throws Exception {
        return run(folder, Duration.ofMinutes(5), options, main, arguments);
    }

    /** Runs it in this environment; see {@link #run(Path, Duration, Map, List, Class, String...)}. */
    public static List<String> run(Path folder, Duration most, List<String> options, Class<?> main, String... arguments)
            throws Exception {
        return run(folder, most, Map.of(), options, main, arguments);
    }

    /**
     * Runs it to its end.
     *
     * @param folder where its output is kept
     * @param environment variables beside those of this process
     * @return the lines that it printed
     * @throws AssertionError with what it wrote to standard error, unless it ends by 0 in that time
     */
    public static List<String> run(
            Path folder,
            Duration most,
            Map<String, String> environment,
            List<String> options,
            Class<?> main,
            String... arguments)
            throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xmx512m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED"));
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        Path output = folder.resolve("stdout.txt");
        Path errors = folder.resolve("stderr.txt");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(output.toFile()).redirectError(errors.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        try {
            assertThat(process.waitFor(most.toSeconds(), TimeUnit.SECONDS))
                    .as("%s ends within %s", main.getSimpleName(), most)
                    .isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(process.exitValue()).as(Files.readString(errors)).isZero();
        return Files.readAllLines(output);
    }
}
