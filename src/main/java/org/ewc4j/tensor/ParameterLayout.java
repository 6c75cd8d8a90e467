package org.ewc4j.tensor;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where each parameter lies in a flat arena. Pure: no memory, no libtorch.
 *
 * <p>Offsets are multiples of {@value #ALIGNMENT} elements (64 bytes of fp32), so that vector loads never straddle two
 * parameters; the gap behind a parameter takes part in nothing. Immutable and safe for any thread.
 */
public final class ParameterLayout {
    /** In elements. */
    public static final int ALIGNMENT = 16;

    /**
     * One parameter.
     *
     * @param name as in {@code model.safetensors}
     * @param shape row-major extents
     * @param offset first element in the arena
     * @param elements product of the extents
     */
    public record Parameter(String name, List<Long> shape, long offset, long elements) {
        public long[] shapeArray() {
            return shape.stream().mapToLong(Long::longValue).toArray();
        }
    }

    private final List<Parameter> parameters;
    private final Map<String, Parameter> byName;
    private final long elements;
    private final long arenaElements;

    private ParameterLayout(List<Parameter> parameters, long arenaElements) {
        this.parameters = List.copyOf(parameters);
        this.byName = new LinkedHashMap<>();
        long sum = 0;
        for (Parameter parameter : parameters) {
            if (byName.put(parameter.name(), parameter) != null) {
                throw new IllegalArgumentException("parameter " + parameter.name() + " is given twice");
            }
            sum = Math.addExact(sum, parameter.elements());
        }
        this.elements = sum;
        this.arenaElements = arenaElements;
    }

    /**
     * Lays the parameters out in the map's order.
     *
     * @param shapes extents by name, each at least 1
     * @throws IllegalArgumentException for an extent below 1
     * @throws ArithmeticException where the total overflows 63 bits
     */
    public static ParameterLayout of(Map<String, long[]> shapes) {
        List<Parameter> parameters = new ArrayList<>();
        long offset = 0;
        for (Map.Entry<String, long[]> entry : shapes.entrySet()) {
            long count = 1;
            List<Long> shape = new ArrayList<>();
            for (long extent : entry.getValue()) {
                if (extent < 1) {
                    throw new IllegalArgumentException(entry.getKey() + " has an extent of " + extent);
                }
                count = Math.multiplyExact(count, extent);
                shape.add(extent);
            }
            parameters.add(new Parameter(entry.getKey(), List.copyOf(shape), offset, count));
            long end = Math.addExact(offset, count);
            offset = Math.multiplyExact(Math.addExact(end, ALIGNMENT - 1L) / ALIGNMENT, (long) ALIGNMENT);
        }
        return new ParameterLayout(parameters, offset);
    }

    public List<Parameter> parameters() {
        return parameters;
    }

    /** The parameter of that name, or null. */
    public Parameter find(String name) {
        return byName.get(name);
    }

    /** The parameter of that name; throws {@link IllegalArgumentException} where there is none. */
    public Parameter get(String name) {
        Parameter parameter = byName.get(name);
        if (parameter == null) {
            throw new IllegalArgumentException("no parameter named " + name);
        }
        return parameter;
    }

    /** Trained elements, without the gaps. */
    public long elements() {
        return elements;
    }

    /** Elements of an arena, with the gaps. */
    public long arenaElements() {
        return arenaElements;
    }
}
