/**
 * What ewc4j tells Java Flight Recorder: docs/jfr.md lists the events.
 *
 * <p>Owns: the events {@code org.ewc4j.*}, their settings file, and the rule that they cost nothing where nobody records and are
 * left out where the JVM has no module {@code jdk.jfr}.
 *
 * <p>Does not own: when something happens, which its callers know; ranges for NVIDIA's profilers ({@code
 * kernel.ProfilerRange}); listeners of a run ({@code report.RunListener}).
 *
 * <p>May call: nothing of ewc4j but {@code error}; every other package may call it.
 */
package org.ewc4j.jfr;
