package org.ewc4j.model;

import java.util.Arrays;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.data.Batch;
import org.ewc4j.data.SplitMix64;

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

        /** Rows of the softmax whose sums are formed at once, in double; 26 MB of them for a vocabulary of 50,304. */
        private static final int CHUNK = 64;

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
            long[] drawn = new long[uniform.length];
            for (int from = 0; from < drawn.length; from += CHUNK) {
                int to = Math.min(from + CHUNK, drawn.length);
                long[] chunk =
                        inverted(probabilities.narrow(0, from, to - from), Arrays.copyOfRange(uniform, from, to));
                System.arraycopy(chunk, 0, drawn, from, chunk.length);
            }
            return drawn;
        }

        private static long[] inverted(Tensor probabilities, double[] uniform) {
            Tensor sums = probabilities.cumsum(1, new ScalarTypeOptional(ScalarType.Double));
            long last = sums.size(1) - 1;
            Tensor whole = sums.narrow(1, last, 1);
            Tensor wanted = torch.empty_like(whole)
                    .copy_(torch.from_blob(
                            new DoublePointer(uniform),
                            new long[] {uniform.length, 1},
                            new TensorOptions(ScalarType.Double)))
                    .mul(whole);
            // The first label whose sum is above what is wanted: one of probability 0 is never drawn.
            Tensor labels =
                    torch.searchsorted(sums, wanted, false, true, new StringViewOptional(), new TensorOptional());
            long[] drawn = new long[uniform.length];
            new LongPointer(labels.cpu().contiguous().data_ptr_long()).get(drawn);
            for (int i = 0; i < drawn.length; i++) {
                drawn[i] = Math.min(drawn[i], last);
            }
            return drawn;
        }
    }
}
