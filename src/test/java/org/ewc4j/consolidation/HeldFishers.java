package org.ewc4j.consolidation;

import java.util.OptionalDouble;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.fisher.FisherRecord;
import org.ewc4j.tensor.ParameterFingerprint;

/** Descriptions of a Fisher, for tests to which it does not matter what was estimated. */
final class HeldFishers {
    private HeldFishers() {}

    static HeldFisher uniform(String task) {
        return new HeldFisher(
                task,
                new FisherRecord(
                        FisherKind.UNIFORM,
                        Unit.SEQUENCE,
                        8,
                        3,
                        4,
                        2,
                        Normalize.NONE,
                        OptionalDouble.empty(),
                        false,
                        new ParameterFingerprint("abc", "", ""),
                        ""));
    }
}
