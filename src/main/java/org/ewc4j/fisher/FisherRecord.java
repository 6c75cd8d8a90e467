package org.ewc4j.fisher;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalDouble;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.data.Batch;
import org.ewc4j.data.StepBatch;
import org.ewc4j.model.CausalLm;
import org.ewc4j.tensor.ParameterFingerprint;

/**
 * What a Fisher is an estimate of and how it was made: a λ that fits one does not fit another that differs here.
 *
 * @param kind of the estimate
 * @param unit what it is a mean over; of {@code uniform} without meaning
 * @param examples rows that were read; 0 for {@code uniform}
 * @param scoredTokens scored positions of these rows
 * @param batchSize most rows whose gradient was squared as one for {@code batch}, else most rows of a batch; 0 for {@code
 *     uniform}
 * @param samples draws of labels for each example; 0 where the labels are the data's, or none are
 * @param normalize what it was divided by
 * @param clamp its largest element allowed
 * @param shuffled whether its elements were shuffled within each parameter's tensor, as a control
 * @param model of the parameters
 * @param dataFingerprint SHA-256 of the rows' token ids and labels, whatever their batches; empty for {@code uniform}
 */
public record FisherRecord(
        FisherKind kind,
        Unit unit,
        long examples,
        long scoredTokens,
        int batchSize,
        int samples,
        Normalize normalize,
        OptionalDouble clamp,
        boolean shuffled,
        ParameterFingerprint model,
        String dataFingerprint) {

    static FisherRecord of(FisherKind kind, Unit unit, int samples, List<StepBatch> batches, CausalLm model) {
        return new FisherRecord(
                kind,
                unit,
                batches.stream().mapToLong(StepBatch::examples).sum(),
                batches.stream().mapToLong(StepBatch::scoredPositions).sum(),
                batches.stream().mapToInt(StepBatch::examples).max().orElse(0),
                samples,
                Normalize.NONE,
                OptionalDouble.empty(),
                false,
                ParameterFingerprint.of(model.theta()),
                batches.isEmpty() ? "" : fingerprint(batches));
    }

    public FisherSettings settings() {
        return new FisherSettings(kind, unit, normalize, shuffled, clamp, batchSize, examples == batchSize);
    }

    FisherRecord scaled(Normalize by, OptionalDouble clampedTo) {
        return new FisherRecord(
                kind,
                unit,
                examples,
                scoredTokens,
                batchSize,
                samples,
                by,
                clampedTo,
                shuffled,
                model,
                dataFingerprint);
    }

    FisherRecord asShuffled() {
        return new FisherRecord(
                kind, unit, examples, scoredTokens, batchSize, samples, normalize, clamp, true, model, dataFingerprint);
    }

    /** Each row's length, ids and labels, without its padding. */
    private static String fingerprint(List<StepBatch> batches) {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
        for (StepBatch step : batches) {
            for (Batch batch : step.microBatches()) {
                for (int row = 0; row < batch.rows(); row++) {
                    digest.update(bytes(batch, row));
                }
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static byte[] bytes(Batch batch, int row) {
        int length = batch.lengths()[row];
        int end = (row + 1) * batch.columns();
        ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES * (1 + 2 * length)).putLong(length);
        for (int i = end - length; i < end; i++) {
            bytes.putLong(batch.inputIds()[i]).putLong(batch.labels()[i]);
        }
        return bytes.array();
    }
}
