package org.ewc4j.consolidation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.IntConsumer;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.fisher.FisherEstimator;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.SafetensorsWriter;
import org.ewc4j.tensor.StoredType;

/**
 * What is kept of the tasks learned so far: the merged Fisher F and the anchor θ*, 8 bytes a parameter whatever the number
 * of tasks. Kirkpatrick et al. 2017, eq. 3, with one anchor as in Schwarz et al. 2018.
 *
 * <p>Owned and closed by the learner; used by one thread at a time.
 */
public final class Consolidation implements AutoCloseable {
    private final Arena fisher;
    private final Arena anchor;
    private final MergeSchedule schedule;
    private int held;

    /** An empty consolidation; the arenas are taken at once. */
    public Consolidation(ParameterLayout layout, Device device, MergeSchedule schedule) {
        this.fisher = new Arena(layout, ElementType.F32, device);
        this.anchor = new Arena(layout, ElementType.F32, device);
        this.schedule = schedule;
    }

    /**
     * Takes in the task just learned: merges its Fisher, and makes θ the anchor.
     *
     * @param theta the parameters after the task
     * @param progress told how many examples of the Fisher pass have been read
     * @throws RunFailedException where the Fisher is not finite; the consolidation is then as it was where the estimate is
     *     not made in place ({@link FisherEstimator#inPlace}), and no longer usable where it is
     */
    public void add(Kernels kernels, FisherEstimator estimator, Arena theta, IntConsumer progress) {
        if (estimator.inPlace()) {
            if (held > 0) {
                kernels.fisherMerge(fisher.list(), null, schedule.retain(held), 0);
            }
            estimator.accumulateInto(fisher, schedule.weight(held), progress);
            requireFinite(kernels, fisher);
        } else {
            try (Arena newFisher = new Arena(fisher.layout(), ElementType.F32, fisher.device())) {
                estimator.accumulateInto(newFisher, 1, progress);
                requireFinite(kernels, newFisher);
                double retain = held > 0 ? schedule.retain(held) : 0;
                kernels.fisherMerge(fisher.list(), newFisher.list(), retain, schedule.weight(held));
            }
        }
        anchor.copyFrom(theta);
        held++;
    }

    private static void requireFinite(Kernels kernels, Arena fisher) {
        if (!Double.isFinite(kernels.norm(fisher.list()))) {
            throw new RunFailedException(
                    "the Fisher information is not finite after its pass: a gradient was NaN or Inf");
        }
    }

    /** How many tasks' Fishers are merged; 0 means that there is nothing to hold on to yet. */
    public int held() {
        return held;
    }

    /** F. */
    public Arena fisher() {
        return fisher;
    }

    /** θ*. */
    public Arena anchor() {
        return anchor;
    }

    /** Writes {@code fisher.safetensors}: F in fp32 by the names, shapes and orientation of model.safetensors. */
    public void save(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new RunFailedException(folder + ": cannot be made: " + e.getMessage(), e);
        }
        SafetensorsWriter.write(
                folder.resolve("fisher.safetensors"), fisher, fisher.layout().parameters(), StoredType.F32);
    }

    @Override
    public void close() {
        fisher.close();
        anchor.close();
    }
}
