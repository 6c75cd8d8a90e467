package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;

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
}
