package org.ewc4j.report;

/** Wall seconds by phase, summed over the run. */
public record RunTotals(double trainSeconds, double fisherSeconds, double evaluateSeconds) {}
