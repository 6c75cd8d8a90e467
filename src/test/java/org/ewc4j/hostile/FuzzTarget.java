package org.ewc4j.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * One parser as the coverage-guided fuzzer Jazzer calls it: profile {@code fuzz} of the pom, src/test/fuzz/run.sh. What is an
 * error is {@link Ordeal}'s to say.
 */
public final class FuzzTarget {
    /**
     * Jazzer's instrumentation allocates on the same thread, five times what the parser does where it compares many texts
     * (measured on a tokenizer.json). What grows faster than its input goes beyond this all the same; what Jazzer kept is
     * held to the bound itself by {@link CorpusReplay}, without instrumentation.
     */
    private static final int ALLOWANCE = 8;

    private static Ordeal ordeal;

    private FuzzTarget() {}

    /** Called once. Takes the parser from {@code ewc4j.fuzz.parser} and puts its seeds into {@code ewc4j.fuzz.corpus}. */
    public static void fuzzerInitialize() throws IOException {
        Parser parser = Parser.valueOf(System.getProperty("ewc4j.fuzz.parser"));
        HostileFixture fixture = HostileFixture.make(Path.of(System.getProperty("java.io.tmpdir")));
        Runtime.getRuntime().addShutdownHook(new Thread(fixture::close));
        Path corpus = Files.createDirectories(Path.of(System.getProperty("ewc4j.fuzz.corpus")));
        List<byte[]> seeds = parser.seeds(fixture);
        for (int i = 0; i < seeds.size(); i++) {
            Files.write(corpus.resolve("seed-" + i), seeds.get(i));
        }
        ordeal = new Ordeal(fixture, parser, ALLOWANCE);
    }

    /** Called with every input. */
    public static void fuzzerTestOneInput(byte[] input) {
        ordeal.undergo(input);
    }
}
