package org.ewc4j.hostile;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.ewc4j.tensor.UninterruptedWork;

/** Changed inputs by the million, without instrumentation: src/test/fuzz/campaign.sh. The same inputs for the same seed. */
public final class Campaign {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private Campaign() {}

    /** {@code args}: seconds for each parser at most, inputs for each, seed, parsers (all where none is named). */
    public static void main(String[] args) {
        double seconds = Double.parseDouble(args[0]);
        long inputs = Long.parseLong(args[1]);
        long seed = Long.parseLong(args[2]);
        List<Parser> parsers = args.length == 3
                ? List.of(Parser.values())
                : List.of(args).subList(3, args.length).stream()
                        .map(Parser::valueOf)
                        .toList();
        try (HostileFixture fixture = HostileFixture.make(Path.of(System.getProperty("java.io.tmpdir")))) {
            for (Parser parser : parsers) {
                // On a thread that starts no other for work on files: starting one takes longer than most parsers, and
                // what it
                // takes would not be counted.
                System.out.println(
                        UninterruptedWork.call(() -> run(fixture, parser, new Random(seed), inputs, seconds)));
            }
        }
    }

    private static String run(HostileFixture fixture, Parser parser, Random random, long inputs, double seconds) {
        Ordeal ordeal = new Ordeal(fixture, parser);
        Mutator mutator = new Mutator(parser.seeds(fixture));
        long started = System.nanoTime();
        long processor = THREADS.getCurrentThreadCpuTime();
        long done = 0;
        long read = 0;
        while (done < inputs && (System.nanoTime() - started) * 1e-9 < seconds) {
            byte[] input = mutator.next(random);
            try {
                read += ordeal.undergo(input) ? 1 : 0;
            } catch (AssertionError e) {
                Path kept = HostileFixture.write(Path.of("target/fuzz", parser + "-" + done), input);
                throw new AssertionError("input " + done + ", kept in " + kept, e);
            }
            done++;
        }
        parser.restore(fixture);
        return String.format(
                Locale.ROOT,
                "| `%s` | %,d | %,d | %.0f | %.0f |",
                parser,
                done,
                read,
                (System.nanoTime() - started) * 1e-9,
                (THREADS.getCurrentThreadCpuTime() - processor) * 1e-9);
    }
}
