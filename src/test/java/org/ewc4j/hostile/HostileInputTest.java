package org.ewc4j.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/**
 * What every parser does with every input: it reads it or says in one line why not, in bounded memory and time. By hand, a
 * million changed inputs a parser (src/test/fuzz/campaign.sh) and a coverage-guided fuzzer (src/test/fuzz/run.sh);
 * docs/reliability.md has the counts of each.
 */
class HostileInputTest {
    private static HostileFixture fixture;
    private static final Map<Parser, Ordeal> ORDEALS = new EnumMap<>(Parser.class);
    private static final Map<Parser, Mutator> MUTATORS = new EnumMap<>(Parser.class);

    @BeforeContainer
    static void makeFixture() {
        fixture = HostileFixture.make(Path.of(System.getProperty("java.io.tmpdir")));
        for (Parser parser : Parser.values()) {
            ORDEALS.put(parser, new Ordeal(fixture, parser));
            MUTATORS.put(parser, new Mutator(parser.seeds(fixture)));
            parser.restore(fixture);
        }
    }

    @AfterContainer
    static void removeFixture() {
        fixture.close();
    }

    @Example
    void everySeedIsReadOrRefused() {
        for (Parser parser : Parser.values()) {
            Ordeal ordeal = ORDEALS.get(parser);
            List<byte[]> seeds = parser.seeds(fixture);
            assertThat(ordeal.undergo(seeds.get(0)))
                    .as("%s: its valid file", parser)
                    .isTrue();
            seeds.forEach(ordeal::undergo);
            parser.restore(fixture);
        }
    }

    @Property(tries = 1000, shrinking = ShrinkingMode.OFF)
    void whatWasChangedIsReadOrRefused(@ForAll Parser parser, @ForAll long seed) {
        try {
            ORDEALS.get(parser).undergo(MUTATORS.get(parser).next(new Random(seed)));
        } finally {
            parser.restore(fixture);
        }
    }
}
