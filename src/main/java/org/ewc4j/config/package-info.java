/**
 * Owns: the configuration as immutable records with their defaults and ranges, the one table of its keys ({@code
 * Settings}) from which reading, documentation and the editors' schema come, and its YAML form.
 *
 * <p>Does not own: the files that a configuration names; nothing here looks at them.
 *
 * <p>May call: error.
 */
package org.ewc4j.config;
