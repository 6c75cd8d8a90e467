package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.ewc4j.Golden;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Weights go out in fp32, fp16 or bf16, rounded to the nearest, and come back as what was stored. */
class WeightRoundTripTest {
    private static final float[] VALUES = {1, -2.5f, 0, 1 + 0x1p-10f, 1 + 0x1p-7f, 1 + 0x1p-12f, 65504, Float.NEGATIVE_INFINITY, 0x1p-24f};

    @TempDir
    Path folder;

    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
    }

    private static ParameterLayout layout() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("second", new long[] {2, 2});
        shapes.put("first", new long[] {VALUES.length});
        return ParameterLayout.of(shapes);
    }

    private static ByteBuffer memory(Arena arena, Parameter parameter) {
        return WeightReader.memory(arena.address(parameter), parameter.elements() * Float.BYTES);
    }

    private static float[] values(Arena arena, Parameter parameter) {
        float[] values = new float[(int) parameter.elements()];
        memory(arena, parameter).asFloatBuffer().get(values);
        return values;
    }

    private Path stored(StoredType type, float... first) {
        Path file = folder.resolve("weights.safetensors");
        try (Arena arena = new Arena(layout())) {
            memory(arena, arena.layout().get("first")).asFloatBuffer().put(first);
            SafetensorsWriter.write(file, arena, arena.layout().parameters(), type);
        }
        return file;
    }

    @ParameterizedTest
    @CsvSource({
        "F32, 1, 1.0009765625, 1.0078125, 1.000244140625, 65504, 5.9604644775390625e-8",
        "F16, 1, 1.0009765625, 1.0078125, 1, 65504, 5.9604644775390625e-8",
        "BF16, 1, 1, 1.0078125, 1, 65536, 5.9604644775390625e-8"
    })
    void valuesComeBackRounded(StoredType type, float one, float ten, float seven, float twelve, float large, float small) {
        try (SafetensorsFile file = SafetensorsFile.open(stored(type, VALUES));
                Arena back = new Arena(layout())) {
            assertThat(file.entries().keySet()).containsExactly("first", "second");
            Parameter first = back.layout().get("first");
            WeightReader.read(file, file.entries().get("first"), back, first);
            assertThat(values(back, first))
                    .containsExactly(one, -2.5f, 0, ten, seven, twelve, large, Float.NEGATIVE_INFINITY, small);
            assertThat(WeightReader.equal(file, file.entries().get("first"), back, first)).isTrue();
            memory(back, first).putFloat(0, 2);
            assertThat(WeightReader.equal(file, file.entries().get("first"), back, first)).isFalse();
        }
    }

    @Test
    void aValueBeyondFloat16IsAFailureAndLeavesNoFile() {
        assertThatThrownBy(() -> stored(StoredType.F16, 70000))
                .isInstanceOf(RunFailedException.class)
                .hasMessageContaining("tensor 'first' has values beyond 65504")
                .hasMessageContaining("save.dtype");
        assertThat(folder).isEmptyDirectory();
    }

    @ParameterizedTest
    @CsvSource({"I64, 8", "F8_E4M3, 1", "F64, 8", "BOOL, 1"})
    void otherTypesAreNoWeights(String dtype, int bytes) {
        Path path = folder.resolve("other.safetensors");
        SafetensorsBytes.write(path, Map.of("first", SafetensorsBytes.zeros(dtype, bytes, VALUES.length)));
        try (SafetensorsFile file = SafetensorsFile.open(path);
                Arena arena = new Arena(layout())) {
            assertThatThrownBy(() -> WeightReader.read(
                            file, file.entries().get("first"), arena, arena.layout().get("first")))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessage(path + ": tensor 'first' has dtype " + dtype + "; weights are read as F32, F16 or BF16");
        }
    }
}
