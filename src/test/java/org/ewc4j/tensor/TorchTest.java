package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.pytorch.Context;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.Golden;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class TorchTest {
    @ParameterizedTest
    @ValueSource(strings = {":4096:8", ":16:8"})
    void cublasRepeatsItsBitsWithFixedWorkspaces(String workspaces) {
        assertThat(Torch.repeats(workspaces)).isTrue();
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", ":4096:2", "4096:8"})
    void anythingElseLeavesTheChoiceToLibtorch(String workspaces) {
        assertThat(Torch.repeats(workspaces)).isFalse();
    }

    /** Fused attention's backward pass keeps its unsteady sums under a mere wish, which libtorch calls warn_only. */
    @Test
    void algorithmsThatRepeatAreNoMereWish() {
        Torch.start(Golden.THREADS);
        Context context = torch.globalContext();
        try {
            Torch.repeatBits(context);

            assertThat(context.deterministicAlgorithms()).isTrue();
            assertThat(context.deterministicAlgorithmsWarnOnly()).isFalse();
        } finally {
            context.setDeterministicAlgorithms(false, false);
            context.setDeterministicFillUninitializedMemory(true);
        }
    }
}
