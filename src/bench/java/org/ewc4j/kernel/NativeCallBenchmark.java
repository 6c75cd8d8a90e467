package org.ewc4j.kernel;

import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.FloatPointer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it costs to call the native library: the JNI transition alone, a verb with its checks over few elements, and a
 * profiler's range while ranges are off, which makes no call.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
public class NativeCallBenchmark {
    /** Elements of F and g: none shows the call and its checks, 1024 a verb that fits in the first cache. */
    @Param({"0", "1024"})
    private int elements;

    private Kernels kernels;
    private FloatPointer memory;
    private TensorList fisher;
    private TensorList gradient;

    @Setup
    public void open() {
        kernels = Kernels.host(1);
        memory = new FloatPointer(2L * Math.max(1, elements)).fill(1);
        fisher = list(0);
        gradient = list(elements);
    }

    private TensorList list(long from) {
        return TensorList.of(ElementType.F32, new long[] {memory.address() + Float.BYTES * from}, new long[] {elements});
    }

    @TearDown
    public void close() {
        fisher.close();
        gradient.close();
        kernels.close();
        memory.close();
    }

    /** The JNI transition: a function that returns a constant. */
    @Benchmark
    public int call() {
        return EwcLibrary.ewc_abi_version();
    }

    /** F ← F + 1e-9 g². */
    @Benchmark
    public void fisherAccumulate() {
        kernels.fisherAccumulate(fisher, gradient, 1e-9);
    }

    @Benchmark
    public void rangeThatIsOff() {
        ProfilerRange.open("step").close();
    }
}
