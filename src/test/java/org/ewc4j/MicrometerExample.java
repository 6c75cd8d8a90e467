package org.ewc4j;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.report.RunListener;
import org.ewc4j.train.StepMetrics;

/** A learner's numbers as meters of Micrometer: {@code learner.addListener(new MicrometerExample(registry))}. */
public final class MicrometerExample implements RunListener {
    private final MeterRegistry registry;
    private final AtomicReference<StepMetrics> last = new AtomicReference<>();
    private final Timer steps;
    private final Counter tokens;
    private final Counter skipped;

    public MicrometerExample(MeterRegistry registry) {
        this.registry = registry;
        steps = registry.timer("ewc4j.step");
        tokens = registry.counter("ewc4j.tokens");
        skipped = registry.counter("ewc4j.steps.skipped");
        // Gauges are read on the registry's own thread, whenever it reports.
        registry.gauge(
                "ewc4j.loss",
                last,
                now -> now.get() == null ? Double.NaN : now.get().loss());
        registry.gauge(
                "ewc4j.penalty",
                last,
                now -> now.get() == null ? Double.NaN : now.get().penalty());
        registry.gauge(
                "ewc4j.gradient.norm",
                last,
                now -> now.get() == null ? Double.NaN : now.get().gradNorm());
    }

    @Override
    public void step(StepMetrics metrics) {
        last.set(metrics);
        steps.record((long) (metrics.seconds() * 1e9), TimeUnit.NANOSECONDS);
        tokens.increment(metrics.tokens());
        if (metrics.skipped()) {
            skipped.increment();
        }
    }

    @Override
    public void scored(TaskScore score) {
        if (score.hasExactMatch()) { // a task of plain text has none
            Tags tags = Tags.of("task", score.taskName(), "split", score.split().toString());
            registry.summary("ewc4j.exact.match", tags).record(score.exactMatch());
        }
    }
}
