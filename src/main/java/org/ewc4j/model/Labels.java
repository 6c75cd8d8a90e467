package org.ewc4j.model;

import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.data.Batch;
import org.ewc4j.data.SplitMix64;
import org.ewc4j.tensor.Device;

/** Which labels the scored positions of an example have when its gradient is taken. The inputs are the data's, always. */
public sealed interface Labels {
    /** How many times an example is given labels. */
    int draws();

    /** The labels of the data: the empirical Fisher. */
    record OfData() implements Labels {
        @Override
        public int draws() {
            return 1;
        }
    }

    /**
     * Drawn from what the model predicts at each position, given the data before it: the Fisher information itself, by Monte
     * Carlo. What is drawn for an example is a function of seed, task, example and draw, and of the model, so that batch size
     * and order change nothing.
     *
     * @param draws from 1
     */
    record Sampled(long seed, int task, int draws) implements Labels {
        public Sampled {
            if (draws < 1) {
                throw new IllegalArgumentException("draws: " + draws + "; expected 1 or more");
            }
        }

        /** Columns of the softmax that are summed at once: sums up to every one would be written for a single label of a row. */
        private static final int BLOCK = 256;

        /**
         * One draw for each scored position of the examples {@code first} to {@code end − 1}, by the inverse of the cumulated
         * probabilities.
         *
         * @param probabilities (scored positions of these, vocabulary)
         */
        long[] draw(Batch batch, ScoredPositions scored, int first, int end, Tensor probabilities, int draw) {
            double[] uniform = new double[scored.count(first, end)];
            int count = 0;
            for (int row = first; row < end; row++) {
                SplitMix64 random = SplitMix64.of(seed, task, batch.examples()[row], draw);
                for (long i = scored.offsets()[row]; i < scored.offsets()[row + 1]; i++) {
                    uniform[count++] = random.uniform();
                }
            }
            return inverted(probabilities, uniform);
        }

        private static long[] inverted(Tensor probabilities, double[] uniform) {
            int rows = uniform.length;
            int columns = Math.toIntExact(probabilities.size(1));
            int blocks = (columns + BLOCK - 1) / BLOCK;
            float[] sums = floats(blockSums(probabilities));
            double[] wanted = new double[rows];
            long[] drawn = new long[rows];
            long[] taken = new long[rows * BLOCK];
            for (int row = 0; row < rows; row++) {
                double total = 0;
                for (int block = 0; block < blocks; block++) {
                    total += sums[row * blocks + block];
                }
                double left = uniform[row] * total;
                int block = 0;
                while (block < blocks - 1 && left >= sums[row * blocks + block]) {
                    left -= sums[row * blocks + block++];
                }
                wanted[row] = left;
                drawn[row] = (long) block * BLOCK;
                for (int i = 0; i < BLOCK; i++) {
                    taken[row * BLOCK + i] = Math.min(drawn[row] + i, columns - 1);
                }
            }
            Tensor of = Device.CPU.longs(taken).view(rows, BLOCK).to(probabilities.device(), ScalarType.Long);
            float[] within = floats(probabilities.gather(1, of));
            for (int row = 0; row < rows; row++) {
                int count = (int) Math.min(BLOCK, columns - drawn[row]);
                drawn[row] += label(within, row * BLOCK, count, wanted[row]);
            }
            return drawn;
        }

        /**
         * The first whose sum is above what is wanted, so that one of probability 0 is never drawn; where rounding leaves none
         * above, the last that has a probability.
         */
        private static int label(float[] probabilities, int from, int count, double wanted) {
            double sum = 0;
            int last = count - 1;
            for (int i = 0; i < count; i++) {
                float probability = probabilities[from + i];
                sum += probability;
                if (sum > wanted) {
                    return i;
                }
                if (probability > 0) {
                    last = i;
                }
            }
            return last;
        }

        /** Σ of each {@link #BLOCK} columns, the last of fewer where the columns are no multiple of it. */
        private static Tensor blockSums(Tensor probabilities) {
            long columns = probabilities.size(1);
            long even = columns - columns % BLOCK;
            Tensor blocks = probabilities
                    .narrow(1, 0, even)
                    .reshape(probabilities.size(0), even / BLOCK, BLOCK)
                    .sum(2);
            return even == columns
                    ? blocks
                    : torch.cat(
                            new TensorVector(
                                    blocks,
                                    probabilities
                                            .narrow(1, even, columns - even)
                                            .sum(new long[] {1}, true, new ScalarTypeOptional())),
                            1);
        }

        private static float[] floats(Tensor tensor) {
            float[] values = new float[Math.toIntExact(tensor.numel())];
            tensor.cpu().contiguous().data_ptr_float().get(values);
            return values;
        }
    }
}
