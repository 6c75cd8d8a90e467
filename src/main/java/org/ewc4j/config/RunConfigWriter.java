package org.ewc4j.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.ewc4j.tensor.NamePattern;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.nodes.Tag;
import org.yaml.snakeyaml.reader.StreamReader;
import org.yaml.snakeyaml.representer.Represent;
import org.yaml.snakeyaml.representer.Representer;

/** Writes a configuration as YAML that reads back to an equal one. */
final class RunConfigWriter {
    private final Map<String, Object> root = new LinkedHashMap<>();

    private RunConfigWriter() {}

    static String write(RunConfig config) {
        RunConfigWriter writer = new RunConfigWriter();
        writer.put("model.path", config.model().path().toString());
        writer.put("model.init", config.model().init());
        writer.put("model.seed", config.model().seed());
        writer.tasks(config.tasks());
        writer.put("text.field", config.text().field());
        writer.put("text.test_share", config.text().testShare());
        writer.put("prompt", config.prompt());
        writer.put("device", config.training().device());
        writer.put("precision", config.training().precision());
        writer.training(config.training());
        writer.put("ewc.lambda", config.ewc().lambdaSetting());
        writer.penalty(config.ewc().penaltyOptions());
        writer.put("ewc.fisher", config.ewc().fisher());
        writer.put("ewc.merge", config.ewc().merge());
        writer.put("ewc.gamma", config.ewc().gamma());
        writer.put("ewc.alpha", config.ewc().alpha());
        writer.put("ewc.fisher_dtype", config.ewc().fisherType());
        writer.put("ewc.anchor_dtype", config.ewc().anchorType());
        writer.put("ewc.anchor_memory", config.ewc().anchorPlacement().memory());
        writer.put(
                "ewc.anchor_folder",
                config.ewc().anchorPlacement().folder().map(Path::toString).orElse(null));
        writer.put("ewc.from", config.ewc().from().map(Path::toString).orElse(null));
        writer.put("ewc.from_other_parameters", config.ewc().fromOtherParameters());
        writer.put("ewc.fisher_batch_size", config.ewc().fisherBatchSize());
        writer.fisher(config.ewc().fisherOptions());
        config.ewc().protect().ifPresent(writer::protect);
        writer.put("evaluation.max_new_tokens", config.evaluation().maxNewTokens());
        writer.put("evaluation.every_task", config.evaluation().everyTask());
        writer.put("evaluation.splits", config.evaluation().splits());
        writer.put("evaluation.batch_size", config.evaluation().batchSize());
        writer.put("save.dtype", config.save().dtype());
        writer.put("save.keep", config.save().keep());
        writer.put("checkpoint.every_steps", config.checkpoint().everySteps());
        writer.put("checkpoint.every_minutes", config.checkpoint().everyMinutes());
        writer.put("checkpoint.keep", config.checkpoint().keep());
        writer.put("resume", config.checkpoint().resume());
        writer.put("output", config.output().toString());
        writer.overrides(config.taskOverrides());
        DumperOptions options = new DumperOptions();
        options.setDefaultFlowStyle(DumperOptions.FlowStyle.BLOCK);
        options.setSplitLines(false);
        return new Yaml(new TextRepresenter(options), options).dump(writer.root);
    }

    /** Escapes what does not print, where SnakeYAML would write bytes in base 64, which are no text when they are read. */
    private static final class TextRepresenter extends Representer {
        TextRepresenter(DumperOptions options) {
            super(options);
            Represent plain = representers.get(String.class);
            representers.put(
                    String.class,
                    text -> StreamReader.isPrintable((String) text)
                            ? plain.representData(text)
                            : representScalar(Tag.STR, (String) text, DumperOptions.ScalarStyle.DOUBLE_QUOTED));
        }
    }

    private void training(TrainingConfig training) {
        put("training.epochs", training.epochs());
        put("training.max_steps", training.maxSteps());
        put("training.batch_size", training.batchSize());
        put("training.gradient_accumulation", training.gradientAccumulation());
        put("training.learning_rate", training.learningRate());
        put("training.schedule", training.schedule());
        put("training.warmup_steps", training.warmupSteps());
        put("training.weight_decay", training.weightDecay());
        put("training.beta1", training.beta1());
        put("training.beta2", training.beta2());
        put("training.epsilon", training.epsilon());
        put("training.clip_norm", training.clipNorm());
        put("training.clip_of", training.clipTarget());
        put("training.max_length", training.maxLength());
        put("training.shuffle", training.shuffle());
        put("training.seed", training.seed());
        put("training.threads", training.threads());
        put("training.loader_threads", training.loaderThreads());
        put("training.positions", training.positions());
        put("training.log_every", training.logEvery());
        put("training.on_nonfinite", training.onNonfinite());
        put("training.replay", training.replay());
        if (!training.freeze().isEmpty()) {
            section("training")
                    .put(
                            "freeze",
                            training.freeze().stream().map(NamePattern::text).toList());
        }
    }

    private void penalty(PenaltyOptions options) {
        put("ewc.penalty", options.kind());
        put("ewc.lambda_schedule", options.lambdaSchedule());
        put("ewc.lambda_warmup", options.lambdaWarmup());
        if (!options.groups().isEmpty()) {
            List<Map<String, Object>> groups = new ArrayList<>();
            for (ParameterGroup group : options.groups()) {
                Map<String, Object> entry = new LinkedHashMap<>();
                entry.put("pattern", group.pattern().text());
                entry.put("lambda_factor", group.lambdaFactor());
                groups.add(entry);
            }
            section("ewc").put("groups", groups);
        }
    }

    private void fisher(FisherOptions options) {
        put("ewc.fisher_samples", options.samples());
        put("ewc.fisher_max_examples", options.maxExamples());
        put("ewc.fisher_unit", options.unit());
        put("ewc.fisher_normalize", options.normalize());
        put("ewc.fisher_clamp", options.clamp());
        put("ewc.fisher_shuffle", options.shuffle());
    }

    private void protect(ProtectConfig protect) {
        put("ewc.protect.data", protect.data().toString());
        put("ewc.protect.format", protect.format());
        put("ewc.protect.max_examples", protect.maxExamples());
        put("ewc.protect.weight", protect.weight());
        put("ewc.protect.test", protect.test().map(Path::toString).orElse(null));
    }

    private void tasks(TaskSource tasks) {
        if (tasks instanceof TaskSource.IncrementalJson file) {
            put("tasks.file", file.path().toString());
            put("tasks.format", Settings.TaskFormat.INCREMENTAL);
        } else if (tasks instanceof TaskSource.SingleFile file) {
            put("tasks.file", file.path().toString());
            put("tasks.format", Settings.TaskFormat.JSONL);
            file.validation().ifPresent(questions -> put("tasks.validation_file", questions.toString()));
            put("tasks.task_field", file.taskField());
            fields(file.questionField(), file.testQuestionField(), file.answerField());
        } else if (tasks instanceof TaskSource.PerTask files) {
            List<Map<String, String>> list = new ArrayList<>();
            for (TaskSource.TaskFiles task : files.tasks()) {
                Map<String, String> entry = new LinkedHashMap<>();
                entry.put("name", task.name());
                entry.put(task.text() ? "text" : "train", task.train().toString());
                task.test().ifPresent(test -> entry.put(task.text() ? "test_text" : "test", test.toString()));
                task.validation().ifPresent(file -> entry.put("validation", file.toString()));
                list.add(entry);
            }
            section("tasks").put("list", list);
            fields(files.questionField(), files.testQuestionField(), files.answerField());
        }
    }

    private void fields(String question, String testQuestion, String answer) {
        put("tasks.question_field", question);
        put("tasks.test_question_field", testQuestion);
        put("tasks.answer_field", answer);
    }

    private void overrides(Map<String, TaskOverride> overrides) {
        if (overrides.isEmpty()) {
            return;
        }
        Map<String, Object> tasks = new LinkedHashMap<>();
        overrides.forEach((name, override) -> {
            Map<String, Object> given = new LinkedHashMap<>();
            override.epochs().ifPresent(value -> given.put("epochs", value));
            override.maxSteps().ifPresent(value -> given.put("max_steps", value));
            override.batchSize().ifPresent(value -> given.put("batch_size", value));
            override.learningRate().ifPresent(value -> given.put("learning_rate", value));
            override.schedule().ifPresent(value -> given.put("schedule", text("training.schedule", value)));
            override.warmupSteps().ifPresent(value -> given.put("warmup_steps", value));
            override.weightDecay().ifPresent(value -> given.put("weight_decay", value));
            override.lambda().ifPresent(value -> given.put("lambda", value));
            tasks.put(name, given);
        });
        root.put("task_overrides", tasks);
    }

    private void put(String key, Object value) {
        Setting setting = Settings.find(key).orElseThrow();
        Map<String, Object> target = setting.section().isEmpty() ? root : section(setting.section());
        target.put(setting.name(), text(key, value));
    }

    @SuppressWarnings("unchecked") // sections are made here only
    private Map<String, Object> section(String name) {
        Map<String, Object> section = root;
        for (String part : name.split("\\.")) {
            section = (Map<String, Object>) section.computeIfAbsent(part, missing -> new LinkedHashMap<>());
        }
        return section;
    }

    /** The value as YAML's dumper takes it: names for enums, null for what is not set. */
    private static Object text(String key, Object value) {
        if (value instanceof OptionalInt number) {
            return number.isPresent() ? (Object) number.getAsInt() : null;
        } else if (value instanceof OptionalDouble number) {
            return number.isPresent() ? (Object) number.getAsDouble() : null;
        } else if (value instanceof Set<?> names) {
            SettingType.Choices type =
                    (SettingType.Choices) Settings.find(key).orElseThrow().type();
            return names.stream().map(type.choice()::nameOf).toList();
        } else if (value instanceof LambdaSetting lambda) {
            return lambda.isAuto()
                    ? lambda.toString()
                    : (Object) lambda.number().getAsDouble();
        } else if (value instanceof DeviceSetting device) {
            return device.toString();
        } else if (value instanceof Enum) {
            String name = ((SettingType.Choice) Settings.find(key).orElseThrow().type()).nameOf(value);
            // every_task: true is a truth value to YAML, and quotes around it would only puzzle a reader.
            return name.equals("true") ? Boolean.TRUE : name.equals("false") ? Boolean.FALSE : name;
        }
        return value;
    }
}
