package org.ewc4j.config;

/** Key {@code tasks}: one file with a task field, files per task, or incremental-learning JSON. (Contract.) */
public sealed interface TaskSource permits TaskSource.Unspecified {
    /** Stands until the config owner writes the real ones. */
    record Unspecified() implements TaskSource {}
}
