package org.ewc4j.checkpoint;

import java.util.OptionalLong;
import org.ewc4j.tensor.Arena;

/**
 * An arena that belongs to a state.
 *
 * @param name of the file, without its ending: lower-case letters and underscores
 * @param arena owned by whoever names it here
 * @param revision where the content stays as it is for long: a number that changes with the content, so that what was
 *     written once need not be written again; empty where it changes from step to step
 */
public record KeptArena(String name, Arena arena, OptionalLong revision) {
    /** An arena that changes from step to step. */
    public static KeptArena changing(String name, Arena arena) {
        return new KeptArena(name, arena, OptionalLong.empty());
    }
}
