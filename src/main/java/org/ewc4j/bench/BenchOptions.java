package org.ewc4j.bench;

import java.nio.file.Path;
import java.util.Optional;
import org.ewc4j.config.DeviceSetting;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.TrainingConfig.Precision;
import org.ewc4j.consolidation.StateTypes;

/**
 * What is measured.
 *
 * @param shape name of a public model, one of {@link Shapes#names}
 * @param batch rows of a batch, from 1
 * @param length tokens of a row, from 2; with questions their {@code max_length} counts
 * @param questions a configuration whose tasks, prompt, max_length and tokenizer give the rows; otherwise rows are full of
 *     random ids and every position is scored
 * @param device where it is measured
 * @param precision of forward and backward pass
 * @param threads of libtorch and our kernels
 * @param rounds measured rounds, from 1
 * @param state in which types F and θ* are kept
 * @param rows where the token ids of the timed batches are written, for another program to time the same
 */
public record BenchOptions(
        String shape,
        int batch,
        int length,
        Optional<RunConfig> questions,
        DeviceSetting device,
        Precision precision,
        int threads,
        int rounds,
        StateTypes state,
        Optional<Path> rows) {}
