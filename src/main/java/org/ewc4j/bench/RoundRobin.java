package org.ewc4j.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;

/**
 * Times operations in turn, once each in a round, so that a machine that slows down or speeds up does so for all of them.
 * Every other round goes backwards, so that none always follows the same other.
 */
final class RoundRobin {
    /** For the JVM to compile what it runs and libtorch to take its memory. */
    static final int WARM_UP = 3;

    private final Map<String, IntConsumer> operations = new LinkedHashMap<>();

    /** @param operation given the round, from 0 with the warm-up */
    void add(String name, IntConsumer operation) {
        operations.put(name, operation);
    }

    /** Seconds of every operation over the rounds behind the warm-up, in the order in which they were added. */
    Map<String, Spread> run(int rounds) {
        Map<String, double[]> seconds = new LinkedHashMap<>();
        operations.keySet().forEach(name -> seconds.put(name, new double[rounds]));
        List<String> order = new ArrayList<>(operations.keySet());
        for (int round = 0; round < WARM_UP + rounds; round++) {
            for (String name : order) {
                long started = System.nanoTime();
                operations.get(name).accept(round);
                double taken = (System.nanoTime() - started) * 1e-9;
                if (round >= WARM_UP) {
                    seconds.get(name)[round - WARM_UP] = taken;
                }
            }
            Collections.reverse(order);
        }
        Map<String, Spread> spreads = new LinkedHashMap<>();
        seconds.forEach((name, values) -> spreads.put(name, new Spread(values)));
        return spreads;
    }
}
