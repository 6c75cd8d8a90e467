package org.ewc4j.hostile;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.ewc4j.error.InvalidInputException;

/**
 * What an input may do to a parser: be read, or be refused by an InvalidInputException of one short line. It may not take
 * more memory than the parser's bound, nor more than {@value #MOST_SECONDS} seconds of the processor.
 */
final class Ordeal {
    static final double MOST_SECONDS = 2;
    private static final int LONGEST_MESSAGE = 2000;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final HostileFixture fixture;
    private final Parser parser;
    private final int allowance;

    /** Reads the valid file first, so that what is loaded once is not counted as an input's. */
    Ordeal(HostileFixture fixture, Parser parser) {
        this(fixture, parser, 1);
    }

    /** @param allowance how many times the parser's bound may be allocated: more than 1 where instrumentation allocates too */
    Ordeal(HostileFixture fixture, Parser parser, int allowance) {
        this.fixture = fixture;
        this.parser = parser;
        this.allowance = allowance;
        parser.restore(fixture);
        parser.parse(fixture);
    }

    /**
     * One input.
     *
     * @return whether it was read
     * @throws AssertionError naming what it did that it may not
     */
    boolean undergo(byte[] input) {
        long mostBytes = allowance * (parser.fixedBytes + (long) parser.perByte * input.length);
        parser.place(fixture, input);
        Cost cost = cost(input);
        if (cost.bytes() > mostBytes || cost.seconds() > MOST_SECONDS) {
            cost = cost(input); // the first time it may have been classes that were loaded
        }
        if (cost.bytes() > mostBytes) {
            throw new AssertionError(parser + ": allocated " + cost.bytes() + " bytes for an input of " + input.length
                    + ", at most " + mostBytes + " are allowed");
        }
        if (cost.seconds() > MOST_SECONDS) {
            throw new AssertionError(
                    parser + ": took " + cost.seconds() + " s for an input of " + input.length + " bytes");
        }
        return cost.read();
    }

    private record Cost(boolean read, long bytes, double seconds) {}

    private Cost cost(byte[] input) {
        long allocated = THREADS.getCurrentThreadAllocatedBytes();
        long started = THREADS.getCurrentThreadCpuTime();
        boolean read = parse(input);
        double seconds = (THREADS.getCurrentThreadCpuTime() - started) * 1e-9;
        return new Cost(read, THREADS.getCurrentThreadAllocatedBytes() - allocated, seconds);
    }

    private boolean parse(byte[] input) {
        try {
            parser.parse(fixture);
            return true;
        } catch (InvalidInputException e) {
            String message = e.getMessage();
            if (message.length() > LONGEST_MESSAGE || message.chars().anyMatch(Character::isISOControl)) {
                throw new AssertionError(
                        parser + ": a message that is not one line of at most " + LONGEST_MESSAGE + " characters: "
                                + message.length() + " of them, \"" + message + "\"",
                        e);
            }
            return false;
        } catch (AssertionError e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(parser + ": an input of " + input.length + " bytes ended in " + e, e);
        }
    }
}
