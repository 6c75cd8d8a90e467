package org.ewc4j.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs commands as a person would, in this process or in a JVM of their own, and keeps what they print. */
final class CommandLineFixture {
    /** What a command left. */
    record Result(int code, String out, String err) {}

    private CommandLineFixture() {}

    /** In this process: fast, but all learners of a process share one number of threads. */
    static Result run(Object... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console console = new Console(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                false);
        int code = Main.run(strings(arguments).toArray(String[]::new), console, new Engine());
        return new Result(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    /** In a JVM of its own, as the launcher starts it. */
    static Result runAlone(Path folder, Object... arguments) throws IOException, InterruptedException {
        Process process = start(folder, List.of(), arguments).start();
        process.getOutputStream().close();
        if (!process.waitFor(120, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IllegalStateException("still running after two minutes: " + strings(arguments));
        }
        return new Result(
                process.exitValue(),
                java.nio.file.Files.readString(folder.resolve("stdout.txt")),
                java.nio.file.Files.readString(folder.resolve("stderr.txt")));
    }

    /** @param prefix what runs the JVM, such as a shell that sets a limit */
    static ProcessBuilder start(Path folder, List<String> prefix, Object... arguments) {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-Djava.io.tmpdir=" + folder,
                "-cp",
                System.getProperty("java.class.path"),
                "org.ewc4j.cli.Main"));
        command.addAll(strings(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(folder.resolve("stdout.txt").toFile())
                .redirectError(folder.resolve("stderr.txt").toFile());
        builder.environment().put("OMP_WAIT_POLICY", "PASSIVE");
        // What the launcher tells the build's JVM would be announced by the child on its stderr.
        builder.environment().remove("JDK_JAVA_OPTIONS");
        return builder;
    }

    private static List<String> strings(Object... arguments) {
        return java.util.Arrays.stream(arguments).map(Object::toString).toList();
    }
}
