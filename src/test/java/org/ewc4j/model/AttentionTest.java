package org.ewc4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.Golden;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.Torch;
import org.ewc4j.tensor.Uploads;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionTest {
    private static final int COLUMNS = 5;
    private static final int WINDOWLESS = Integer.MAX_VALUE;

    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
    }

    /** Fused and not; the second row begins with three places of padding, which have nothing to attend to. */
    @ParameterizedTest
    @ValueSource(doubles = {0, 0.1})
    void queriesOfPaddingGiveZerosAndNoGradientIsNaN(double probability) {
        long[] ids = new long[2 * COLUMNS];
        try (PointerScope scope = new PointerScope();
                Uploads uploads = new Uploads(Device.CPU);
                Dropout dropout = new Dropout(1, Device.CPU);
                StagedBatch batch = StagedBatch.of(ids, new int[] {COLUMNS, 2}, uploads)) {
            dropout.training(true);
            ForwardPass pass = ForwardPass.of(batch, WINDOWLESS, Numerics.CPU, dropout, null);
            Tensor query = torch.randn(2, 3, COLUMNS, 4).requires_grad_(true);
            Tensor key = torch.randn(2, 3, COLUMNS, 4);
            Tensor value = torch.randn(2, 3, COLUMNS, 4);
            Tensor attended = Layers.attention(pass, query, key, value, 0.5, probability);
            attended.sum().backward();
            Tensor padding = attended.select(0, 1).narrow(0, 0, 3);
            assertThat(padding.abs().max().item_float()).isZero();
            assertThat(attended.ne(new Scalar(0)).any(-1).sum().item_long()).isEqualTo(2 * COLUMNS - 3);
            assertThat(query.grad().isfinite().all().item_bool()).isTrue();
        }
    }
}
