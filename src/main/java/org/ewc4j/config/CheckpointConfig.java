package org.ewc4j.config;

import java.util.OptionalInt;

/**
 * Keys {@code checkpoint} and {@code resume}: what a run saves so that it can go on where it was stopped.
 *
 * @param everySteps optimizer steps between two checkpoints; none: by time alone
 * @param everyMinutes minutes between two checkpoints; 0: by steps alone
 * @param keep how many of the newest checkpoints are kept
 * @param resume what becomes of a run that is in the output folder already
 */
public record CheckpointConfig(OptionalInt everySteps, double everyMinutes, int keep, Resume resume) {
    public enum Resume {
        /** It is left alone: the new run is refused. */
        NEVER,
        /** It goes on. */
        AUTO
    }

    public CheckpointConfig {
        everySteps.ifPresent(value -> Settings.require("checkpoint.every_steps", value));
        Settings.require("checkpoint.every_minutes", everyMinutes);
        Settings.require("checkpoint.keep", keep);
    }

    /** Every five minutes, the two newest are kept; a run in the output folder is left alone. */
    public static CheckpointConfig defaults() {
        return SettingValues.defaults().checkpoint();
    }

    public CheckpointConfig withEverySteps(int value) {
        return new CheckpointConfig(OptionalInt.of(value), everyMinutes, keep, resume);
    }

    public CheckpointConfig withEveryMinutes(double value) {
        return new CheckpointConfig(everySteps, value, keep, resume);
    }

    public CheckpointConfig withKeep(int value) {
        return new CheckpointConfig(everySteps, everyMinutes, value, resume);
    }

    public CheckpointConfig withResume(Resume value) {
        return new CheckpointConfig(everySteps, everyMinutes, keep, value);
    }
}
