package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.ewc4j.kernel.KernelException;
import org.ewc4j.kernel.KernelStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OutOfMemoryTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.",
                "CUDA out of memory. Tried to allocate 2.00 MiB.",
                "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
                "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
                "std::bad_alloc"
            })
    void libtorchSaysItInWords(String message) {
        assertThat(OutOfMemory.isMeantBy(new RuntimeException(message))).isTrue();
    }

    @Test
    void theKernelsSayItByTheirStatus() {
        assertThat(OutOfMemory.isMeantBy(
                        new KernelException(KernelStatus.OUT_OF_MEMORY, "no native memory for 8 bytes")))
                .isTrue();
        assertThat(OutOfMemory.isMeantBy(new KernelException(KernelStatus.INTERNAL, "no native memory for 8 bytes")))
                .isFalse();
    }

    @Test
    void aFullJavaHeapIsNotMeant() {
        assertThat(OutOfMemory.isMeantBy(new OutOfMemoryError("Java heap space")))
                .isFalse();
        assertThat(OutOfMemory.isMeantBy(
                        new OutOfMemoryError("Failed to allocate memory within limits: physical memory")))
                .isTrue();
        assertThat(OutOfMemory.isMeantBy(new IllegalStateException())).isFalse();
    }
}
