package org.ewc4j.config;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig.EveryTask;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.SaveConfig.Keep;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.config.TrainingConfig.ClipTarget;
import org.ewc4j.config.TrainingConfig.OnNonfinite;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.config.TrainingConfig.Precision;
import org.ewc4j.config.TrainingConfig.Schedule;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.NamePattern;

/** Values by key, as read or by default, and the records made of them. Values were checked against their settings. */
final class SettingValues {
    private final Map<String, Object> given;

    SettingValues(Map<String, Object> given) {
        this.given = Map.copyOf(given);
    }

    static SettingValues defaults() {
        return new SettingValues(Map.of());
    }

    boolean has(String key) {
        return given.containsKey(key);
    }

    /** The value or its default; empty where neither is. */
    <T> Optional<T> find(String key, Class<T> type) {
        Object value = given.get(key);
        return Optional.ofNullable(type.cast(
                value != null ? value : Settings.find(key).orElseThrow().parsedDefault()));
    }

    <T> T get(String key, Class<T> type) {
        return find(key, type).orElseThrow(() -> new IllegalStateException(key + " has neither value nor default"));
    }

    private int whole(String key) {
        return Math.toIntExact(get(key, Long.class));
    }

    private OptionalInt optionalWhole(String key) {
        return find(key, Long.class)
                .map(value -> OptionalInt.of(Math.toIntExact(value)))
                .orElse(OptionalInt.empty());
    }

    private double real(String key) {
        return get(key, Double.class);
    }

    private OptionalDouble optionalReal(String key) {
        return find(key, Double.class).map(OptionalDouble::of).orElse(OptionalDouble.empty());
    }

    @SuppressWarnings("unchecked") // Patterns makes nothing else
    TrainingConfig training() {
        return new TrainingConfig(
                whole("training.epochs"),
                optionalWhole("training.max_steps"),
                whole("training.batch_size"),
                whole("training.gradient_accumulation"),
                real("training.learning_rate"),
                get("training.schedule", Schedule.class),
                whole("training.warmup_steps"),
                real("training.weight_decay"),
                real("training.beta1"),
                real("training.beta2"),
                real("training.epsilon"),
                optionalReal("training.clip_norm"),
                get("training.clip_of", ClipTarget.class),
                whole("training.max_length"),
                get("training.shuffle", Boolean.class),
                get("training.seed", Long.class),
                optionalWhole("training.threads").orElseGet(PhysicalCores::count),
                whole("training.loader_threads"),
                get("training.positions", Positions.class),
                get("device", DeviceSetting.class),
                get("precision", Precision.class),
                optionalWhole("training.log_every"),
                get("training.on_nonfinite", OnNonfinite.class),
                whole("training.replay"),
                (List<NamePattern>) find("training.freeze", List.class).orElse(List.of()));
    }

    EwcConfig ewc() {
        return new EwcConfig(
                get("ewc.lambda", LambdaSetting.class),
                get("ewc.fisher", EwcConfig.FisherKind.class),
                get("ewc.merge", EwcConfig.Merge.class),
                real("ewc.gamma"),
                real("ewc.alpha"),
                get("ewc.fisher_dtype", EwcConfig.FisherType.class),
                get("ewc.anchor_dtype", EwcConfig.AnchorType.class),
                new AnchorPlacement(
                        get("ewc.anchor_memory", AnchorPlacement.Memory.class), find("ewc.anchor_folder", Path.class)),
                find("ewc.from", Path.class),
                get("ewc.from_other_parameters", Boolean.class),
                optionalWhole("ewc.fisher_batch_size"),
                new FisherOptions(
                        whole("ewc.fisher_samples"),
                        optionalWhole("ewc.fisher_max_examples"),
                        get("ewc.fisher_unit", FisherOptions.Unit.class),
                        get("ewc.fisher_normalize", FisherOptions.Normalize.class),
                        optionalReal("ewc.fisher_clamp"),
                        get("ewc.fisher_shuffle", Boolean.class)),
                protect(),
                penalty());
    }

    private Optional<ProtectConfig> protect() {
        Optional<Path> data = find("ewc.protect.data", Path.class);
        if (data.isEmpty()) {
            given.keySet().stream()
                    .filter(key -> key.startsWith("ewc.protect."))
                    .sorted()
                    .findFirst()
                    .ifPresent(key -> {
                        throw new InvalidInputException(
                                key
                                        + ": is given, but ewc.protect.data is not; name the text to protect, or leave ewc.protect out");
                    });
        }
        return data.map(file -> new ProtectConfig(
                file,
                get("ewc.protect.format", ProtectConfig.Format.class),
                optionalWhole("ewc.protect.max_examples"),
                real("ewc.protect.weight"),
                find("ewc.protect.test", Path.class)));
    }

    @SuppressWarnings("unchecked") // the reader of ewc.groups makes nothing else
    private PenaltyOptions penalty() {
        return new PenaltyOptions(
                get("ewc.penalty", PenaltyOptions.Kind.class),
                get("ewc.lambda_schedule", Schedule.class),
                real("ewc.lambda_warmup"),
                (List<ParameterGroup>) find("ewc.groups", List.class).orElse(List.of()));
    }

    @SuppressWarnings("unchecked") // Choices of Split makes nothing else
    EvaluationConfig evaluation() {
        return new EvaluationConfig(
                whole("evaluation.max_new_tokens"),
                get("evaluation.every_task", EveryTask.class),
                (Set<Split>) get("evaluation.splits", Set.class),
                whole("evaluation.batch_size"));
    }

    TextConfig text() {
        return new TextConfig(get("text.field", String.class), real("text.test_share"));
    }

    SaveConfig save() {
        return new SaveConfig(get("save.dtype", StoredType.class), get("save.keep", Keep.class));
    }

    CheckpointConfig checkpoint() {
        return new CheckpointConfig(
                optionalWhole("checkpoint.every_steps"),
                real("checkpoint.every_minutes"),
                whole("checkpoint.keep"),
                get("resume", CheckpointConfig.Resume.class));
    }

    /** An override from values by the last part of their keys; defaults do not enter. */
    static TaskOverride override(Map<String, Object> values) {
        Map<String, Object> byKey = new HashMap<>();
        values.forEach((name, value) -> byKey.put(Settings.OVERRIDES.get(name).key(), value));
        SettingValues given = new SettingValues(byKey);
        return new TaskOverride(
                given.overriddenWhole("training.epochs"),
                given.overriddenWhole("training.max_steps"),
                given.overriddenWhole("training.batch_size"),
                given.overriddenReal("training.learning_rate"),
                given.has("training.schedule") ? given.find("training.schedule", Schedule.class) : Optional.empty(),
                given.overriddenWhole("training.warmup_steps"),
                given.overriddenReal("training.weight_decay"),
                given.overriddenLambda());
    }

    /** A number always: {@code auto} is the whole run's. */
    private OptionalDouble overriddenLambda() {
        return has("ewc.lambda") ? OptionalDouble.of((double) given.get("ewc.lambda")) : OptionalDouble.empty();
    }

    private OptionalInt overriddenWhole(String key) {
        return has(key) ? optionalWhole(key) : OptionalInt.empty();
    }

    private OptionalDouble overriddenReal(String key) {
        return has(key) ? optionalReal(key) : OptionalDouble.empty();
    }
}
