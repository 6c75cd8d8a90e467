package org.ewc4j.fisher;

import java.util.OptionalDouble;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.config.FisherOptions.Unit;

/**
 * What of an estimate's making a λ depends on.
 *
 * @param unit of {@code uniform} without meaning
 * @param shuffled of {@code uniform} without meaning
 * @param clamp its largest element allowed
 * @param batchSize rows whose gradient is squared as one, of {@code batch}
 * @param batchOfAll whether these were all rows that there were, so that as many or more may have been asked for
 */
public record FisherSettings(
        FisherKind kind,
        Unit unit,
        Normalize normalize,
        boolean shuffled,
        OptionalDouble clamp,
        int batchSize,
        boolean batchOfAll) {

    /**
     * What a configuration asks for.
     *
     * @param batchSize rows whose gradient is squared as one, of {@code batch}
     */
    public static FisherSettings of(EwcConfig ewc, int batchSize) {
        FisherOptions options = ewc.fisherOptions();
        return new FisherSettings(
                ewc.fisher(),
                options.unit(),
                options.normalize(),
                options.shuffle(),
                options.clamp(),
                batchSize,
                false);
    }

    /** Whether one merges with the other: where not, no λ is right for both. */
    public boolean mergesWith(FisherSettings other) {
        return kind == other.kind
                && normalize == other.normalize
                && (kind == FisherKind.UNIFORM || unit == other.unit && shuffled == other.shuffled);
    }

    /** Whether both may have been asked for batches of one size, or their kind depends on none. */
    public boolean isOfLikeBatches(FisherSettings other) {
        return kind != FisherKind.BATCH
                || batchSize == other.batchSize
                || batchOfAll && batchSize < other.batchSize
                || other.batchOfAll && other.batchSize < batchSize;
    }
}
