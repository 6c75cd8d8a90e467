package org.ewc4j.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.ewc4j.config.RunConfig;
import org.ewc4j.error.InvalidInputException;
import picocli.CommandLine.Option;

/** What a run tells NVIDIA's profilers; docs/profiling.md says how they are started. */
final class ProfilerArguments {
    private static final Pattern STEPS = Pattern.compile("(\\d{1,18}):(\\d{1,18})");

    @Option(
            names = "--nvtx",
            description = "Show tasks, epochs, steps and their parts as ranges in Nsight Systems and Nsight Compute.")
    private boolean nvtx;

    @Option(
            names = "--profile-steps",
            paramLabel = "A:B",
            description =
                    "Have a profiler that waits for it capture the steps A to B, counted as in steps.jsonl, from 0."
                            + " Needs a GPU. Implies --nvtx.")
    private String steps;

    /** @throws InvalidInputException where steps are not A:B, or there is nothing to capture */
    void start(Engine engine, RunConfig configuration) {
        if (steps != null) {
            Matcher matcher = STEPS.matcher(steps);
            if (!matcher.matches() || Long.parseLong(matcher.group(2)) < Long.parseLong(matcher.group(1))) {
                throw new InvalidInputException("--profile-steps " + steps
                        + ": expected the first and the last step, as 20:29, counted from 0 as in steps.jsonl");
            }
            engine.profileSteps(configuration, Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)));
        } else if (nvtx) {
            engine.showRanges();
        }
    }
}
