package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ArenaTest {
    private static ParameterLayout layout() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("first", new long[] {3, 5});
        shapes.put("second", new long[] {257});
        shapes.put("third", new long[] {1});
        return ParameterLayout.of(shapes);
    }

    private static float[] values(Arena arena, Parameter parameter) {
        try (PointerScope scope = new PointerScope()) {
            Tensor view = arena.view(parameter).to(ScalarType.Float).contiguous();
            float[] values = new float[Math.toIntExact(parameter.elements())];
            new FloatPointer(view.data_ptr_float()).get(values);
            return values;
        }
    }

    private static void fill(Arena arena) {
        try (PointerScope scope = new PointerScope()) {
            for (Parameter parameter : arena.layout().parameters()) {
                Tensor view = arena.view(parameter);
                FloatPointer at = new FloatPointer(view.data_ptr_float());
                for (int i = 0; i < parameter.elements(); i++) {
                    at.put(i, (i % 7 - 3) * 0.125f); // exact in every type
                }
            }
        }
    }

    @Test
    void aDeviceThatDoesNotWorkIsNotCalledShortOfMemory() {
        // The build for the CPU stands for a device that fails: libtorch refuses both by an exception of the same type.
        assumeThat(torch.hasCUDA()).isFalse();
        assertThatThrownBy(() -> new Arena(layout(), ElementType.F32, new Device(0)))
                .isInstanceOf(RunFailedException.class)
                .hasMessageStartingWith("cuda:0 cannot be used: ")
                .hasMessageNotContaining("there is no memory");
    }

    @ParameterizedTest
    @EnumSource(value = ElementType.class, mode = EnumSource.Mode.EXCLUDE, names = "U8_BLOCK256")
    void everyTypeHoldsWhatWasConvertedIntoIt(ElementType type) {
        try (Kernels kernels = Kernels.host(1);
                Arena source = new Arena(layout());
                Arena stored = new Arena(source.layout(), type, Device.CPU);
                Arena back = new Arena(source.layout())) {
            fill(source);
            kernels.convert(stored.list(), source.list());
            kernels.convert(back.list(), stored.list());
            for (Parameter parameter : source.layout().parameters()) {
                // int16 levels are off by at most half a step of 0.375 / 32767.
                float off = type == ElementType.I16_BLOCK256 ? 0.375f / 65534 * 1.01f : 0;
                assertThat(values(back, parameter))
                        .containsExactly(values(source, parameter), org.assertj.core.data.Offset.offset(off));
            }
        }
    }

    /** Read back by the kernels, and by {@link Arena#floats} as it is saved: the same, and near enough. */
    @Test
    void eightBitsHoldTheRootsOfWhatIsNotNegative() {
        try (Kernels kernels = Kernels.host(1);
                Arena source = new Arena(layout());
                Arena stored = new Arena(source.layout(), ElementType.U8_BLOCK256, Device.CPU);
                Arena back = new Arena(source.layout())) {
            fill(source);
            source.layout().parameters().forEach(each -> source.add(each, 0.375)); // 0 to 0.75
            kernels.convert(stored.list(), source.list());
            kernels.convert(back.list(), stored.list());
            for (Parameter parameter : source.layout().parameters()) {
                float[] expected = values(source, parameter);
                float[] came = values(back, parameter);
                for (int i = 0; i < came.length; i++) {
                    assertThat(Math.sqrt(came[i]))
                            .isEqualTo(
                                    Math.sqrt(expected[i]),
                                    org.assertj.core.data.Offset.offset(0.501 / 255 * Math.sqrt(0.75)));
                }
                try (PointerScope scope = new PointerScope()) {
                    Tensor floats =
                            stored.floats(parameter, 0, parameter.elements()).contiguous();
                    float[] saved = new float[came.length];
                    new FloatPointer(floats.data_ptr_float()).get(saved);
                    assertThat(saved).containsExactly(came);
                }
            }
        }
    }

    @Test
    void copiesBetweenFloatTypesRound() {
        try (Arena source = new Arena(layout());
                Arena half = new Arena(source.layout(), ElementType.BF16, Device.CPU)) {
            fill(source);
            half.copyFrom(source);
            for (Parameter parameter : source.layout().parameters()) {
                assertThat(values(half, parameter)).containsExactly(values(source, parameter));
            }
        }
    }

    @Test
    void levelsAreNoTensors() {
        try (Arena levels = new Arena(layout(), ElementType.I16_BLOCK256, Device.CPU)) {
            assertThatThrownBy(() -> levels.fill(1)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> levels.view(levels.layout().get("first")))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void devicesAreNamedAsConfigurationsNameThem() {
        assertThat(Device.CPU).hasToString("cpu");
        assertThat(new Device(2)).hasToString("cuda:2");
        assertThatThrownBy(() -> new Device(128)).isInstanceOf(IllegalArgumentException.class);
    }
}
