package org.ewc4j.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.ewc4j.tensor.UninterruptedWork;

/** Inputs that a fuzzer kept, once more and without instrumentation, so that the parser alone is measured: src/test/fuzz/run.sh. */
public final class CorpusReplay {
    private CorpusReplay() {}

    /** {@code args}: the parser, the folder of its inputs. */
    public static void main(String[] args) throws IOException {
        Parser parser = Parser.valueOf(args[0]);
        List<Path> inputs;
        try (Stream<Path> files = Files.list(Path.of(args[1]))) {
            inputs = files.sorted().toList();
        }
        try (HostileFixture fixture = HostileFixture.make(Path.of(System.getProperty("java.io.tmpdir")))) {
            UninterruptedWork.run(() -> replay(new Ordeal(fixture, parser), inputs));
            parser.restore(fixture);
        }
        System.out.println(
                parser + ": " + inputs.size() + " inputs of the corpus keep the bounds without instrumentation");
    }

    private static void replay(Ordeal ordeal, List<Path> inputs) {
        for (Path input : inputs) {
            try {
                ordeal.undergo(HostileFixture.read(input));
            } catch (AssertionError e) {
                throw new AssertionError(input.toString(), e);
            }
        }
    }
}
