package org.ewc4j.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.Torch;

/**
 * Times operations in turn, once each in a round, so that a machine that slows down or speeds up does so for all of them.
 * Every other round goes backwards, so that none always follows the same other.
 */
final class RoundRobin {
    /** A verb takes milliseconds there, of which some microseconds are the launch's. */
    static final int VERBS_ON_DEVICE = 10;

    /** Steps take tens of milliseconds, and are read together, as in training. */
    static final int STEPS_ON_DEVICE = 3;

    /** For the JVM to compile what it runs and libtorch to take its memory. */
    static final int WARM_UP = 3;

    /**
     * What one operation took.
     *
     * @param wall seconds on the clock
     * @param processor seconds that the threads of this process computed, in steps of 10 ms; where it stays while the clock's
     *     figure grows, the machine was busy with something else
     */
    record Seconds(Spread wall, Spread processor) {}

    /** Something to time, which does its work so many times on a round's batch. */
    interface Operation {
        void run(int round, int times);
    }

    private final Map<String, Operation> operations = new LinkedHashMap<>();
    private final int repeats;
    private final Runnable settle;

    /** For operations that are done when they return. */
    RoundRobin() {
        this(1, () -> {});
    }

    /**
     * For operations that a device goes on with when they have returned: each does its work several times before it is waited
     * for, and the time is divided by as many.
     *
     * @param settle waits for the device
     */
    RoundRobin(int repeats, Runnable settle) {
        this.repeats = repeats;
        this.settle = settle;
    }

    /**
     * The one that suits where the operations run.
     *
     * @param onDevice how often one is repeated there
     */
    static RoundRobin on(Device device, int onDevice) {
        return device.isCuda() ? new RoundRobin(onDevice, () -> Torch.synchronize(device)) : new RoundRobin();
    }

    /** @param operation given the round, from 0 with the warm-up */
    void add(String name, IntConsumer operation) {
        add(name, (round, times) -> {
            for (int time = 0; time < times; time++) {
                operation.accept(round);
            }
        });
    }

    /** @param operation given the round as well, and how often it does its work */
    void add(String name, Operation operation) {
        operations.put(name, operation);
    }

    /** What every operation took in the rounds behind the warm-up, in the order in which they were added. */
    Map<String, Seconds> run(int rounds) {
        return run(rounds, List.copyOf(operations.keySet()));
    }

    /** As {@link #run(int)}, of these operations alone, in this order. */
    Map<String, Seconds> run(int rounds, List<String> names) {
        Map<String, double[]> wall = new LinkedHashMap<>();
        Map<String, double[]> processor = new LinkedHashMap<>();
        names.forEach(name -> {
            wall.put(name, new double[rounds]);
            processor.put(name, new double[rounds]);
        });
        List<String> order = new ArrayList<>(names);
        for (int round = 0; round < WARM_UP + rounds; round++) {
            for (String name : order) {
                double processorBefore = processorSeconds();
                long started = System.nanoTime();
                operations.get(name).run(round, repeats);
                settle.run();
                double taken = (System.nanoTime() - started) * 1e-9 / repeats;
                if (round >= WARM_UP) {
                    wall.get(name)[round - WARM_UP] = taken;
                    processor.get(name)[round - WARM_UP] = (processorSeconds() - processorBefore) / repeats;
                }
            }
            Collections.reverse(order);
        }
        Map<String, Seconds> seconds = new LinkedHashMap<>();
        wall.forEach(
                (name, values) -> seconds.put(name, new Seconds(new Spread(values), new Spread(processor.get(name)))));
        return seconds;
    }

    /** Not a number where the system does not tell. */
    private static double processorSeconds() {
        return ProcessHandle.current()
                .info()
                .totalCpuDuration()
                .map(duration -> duration.toNanos() * 1e-9)
                .orElse(Double.NaN);
    }
}
