package org.ewc4j.config;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.ewc4j.config.SettingType.Choice;
import org.ewc4j.config.SettingType.Choices;
import org.ewc4j.config.SettingType.DeviceName;
import org.ewc4j.config.SettingType.Lambda;
import org.ewc4j.config.SettingType.Location;
import org.ewc4j.config.SettingType.ParameterGroups;
import org.ewc4j.config.SettingType.Patterns;
import org.ewc4j.config.SettingType.Real;
import org.ewc4j.config.SettingType.TaskFilesList;
import org.ewc4j.config.SettingType.Text;
import org.ewc4j.config.SettingType.Truth;
import org.ewc4j.config.SettingType.Whole;
import org.ewc4j.error.InvalidInputException;

/** Every key there is. A new setting begins here; reader, writer, documentation and schema follow. */
final class Settings {
    private static final Whole COUNT = new Whole(1, Integer.MAX_VALUE);
    private static final Whole FROM_ZERO = new Whole(0, Integer.MAX_VALUE);
    private static final Whole THREADS = new Whole(1, 1024);
    private static final Whole SEED = new Whole(Long.MIN_VALUE, Long.MAX_VALUE);
    private static final Real BETA = new Real(0, true, 1, false);
    private static final Real LAMBDA = Real.atLeast(0);
    private static final Text FIELD = new Text("the name of a field");

    /** In the order of the documentation. */
    static final List<Setting> ALL = List.of(
            Setting.required(
                    "model.path",
                    new Location("the path of a Hugging Face model directory"),
                    "Hugging Face model directory: config.json, tokenizer.json and, for `init: pretrained`, "
                            + "model.safetensors. `model: DIR` is short for `model: {path: DIR}`."),
            Setting.of(
                    "model.init",
                    Choice.of(ModelSource.Init.class),
                    "pretrained",
                    "Whether the weights are read, or drawn at random from config.json alone."),
            Setting.of("model.seed", SEED, 0, "Seed of `init: random`."),
            Setting.optional(
                    "tasks.file",
                    new Location("the path of a task file"),
                    "none",
                    "One file with all tasks. Either this or `tasks.list` is needed."),
            Setting.optional(
                    "tasks.format",
                    Choice.of(TaskFormat.class),
                    "`incremental` for a name that ends in .json, otherwise `jsonl`",
                    "How `tasks.file` is written: JSON Lines with a task field, or the incremental-learning JSON "
                            + "`{\"0\": {\"train\": {\"input\": [...], \"target\": [...]}, \"test\": {...}}}`, whose tasks come in "
                            + "numeric order where all keys are whole numbers, otherwise in file order, and to which the "
                            + "field names below do not apply."),
            Setting.optional(
                    "tasks.list",
                    new TaskFilesList(),
                    "none",
                    "Files per task, `[{name, train, test, validation}, ...]` for JSON Lines of questions; `test` may be left out where "
                            + "`evaluation.splits` is `[train]`, `validation` always. `{name, text, test_text}` is a task of plain text; without "
                            + "`test_text` a share of it is held out (`text.test_share`). Both may stand in one list. "
                            + "`tasks: [...]` is short for `tasks: {list: [...]}`."),
            Setting.optional(
                    "tasks.validation_file",
                    new Location("the path of a file of validation questions"),
                    "none",
                    "JSON Lines with the task, question and answer fields of `tasks.file`: questions that `ewc4j sweep` and "
                            + "`ewc.lambda: auto` choose λ by, in place of the training questions. Entries of `tasks.list` name "
                            + "such files by `validation`."),
            Setting.of(
                    "tasks.task_field",
                    FIELD,
                    TaskSource.DEFAULT_TASK_FIELD,
                    "Field of `tasks.file` with the task's name; tasks come in the order in which they first appear."),
            Setting.of(
                    "tasks.question_field",
                    FIELD,
                    TaskSource.DEFAULT_QUESTION_FIELD,
                    "Field with the question. Numbers and truth values count as their text, here and in the other fields."),
            Setting.optional(
                    "tasks.test_question_field",
                    FIELD,
                    "`tasks.question_field`",
                    "Field with the question that generalisation is tested with."),
            Setting.of("tasks.answer_field", FIELD, TaskSource.DEFAULT_ANSWER_FIELD, "Field with the answer."),
            Setting.of(
                    "text.field",
                    FIELD,
                    "text",
                    "Field with the document in the rows of a text in JSON Lines (a name that ends in .jsonl). Any other file of "
                            + "text is one document as it stands."),
            Setting.of(
                    "text.test_share",
                    new Real(0, false, 1, false),
                    "0.1",
                    "Share of a text's packed rows, the last ones and one at least, that is held out to be scored as its test "
                            + "split, where no test text is given and the test split is scored."),
            Setting.of(
                    "prompt",
                    new Text("a template with {question}"),
                    RunConfig.DEFAULT_PROMPT,
                    "What the model reads before it answers. `{question}` is the question, any other `{field}` that field of "
                            + "the row; `{{` and `}}` stand for braces. A space and the answer follow."),
            Setting.of(
                    "device",
                    new DeviceName(),
                    "auto",
                    "Where the model is trained and asked: `cpu`, a CUDA device by its number (`cuda:0`), or `auto`, the first CUDA "
                            + "device that can be used and otherwise the CPU. May stand under `training` too."),
            Setting.of(
                    "precision",
                    Choice.of(TrainingConfig.Precision.class),
                    "fp32",
                    "Of forward and backward pass: fp32; tf32, fp32 whose matrix products round their operands to 10 bits "
                            + "(CUDA devices only); bf16, all of it in bfloat16. Parameters, moments and the accumulated Fisher are "
                            + "fp32 always. May stand under `training` too."),
            Setting.of("training.epochs", COUNT, 10, "How often a task's rows are read."),
            Setting.optional(
                    "training.max_steps",
                    COUNT,
                    "none",
                    "Ends a task after so many optimizer steps where its epochs would take more."),
            Setting.of(
                    "training.batch_size",
                    COUNT,
                    4,
                    "Rows of a (micro-)batch. Batches never cross an epoch, so the last may be short."),
            Setting.of(
                    "training.gradient_accumulation",
                    COUNT,
                    1,
                    "Micro-batches of `batch_size` rows per optimizer step. The loss is the sum of their token losses over the "
                            + "number of their scored positions; the penalty counts once."),
            Setting.of("training.learning_rate", Real.atLeast(0), "1.0e-5", "Highest learning rate of the schedule."),
            Setting.of(
                    "training.schedule",
                    Choice.of(TrainingConfig.Schedule.class),
                    "constant",
                    "How the learning rate goes on after the warm-up, over the steps of one task: kept, linearly to 0, or by "
                            + "half a cosine to 0."),
            Setting.of(
                    "training.warmup_steps",
                    FROM_ZERO,
                    0,
                    "Steps at the beginning of each task over which the learning rate rises linearly; the first takes one part of it."),
            Setting.of(
                    "training.weight_decay", Real.atLeast(0), "5.0e-4", "Decoupled weight decay, on every parameter."),
            Setting.of("training.beta1", BETA, "0.9", "Decay of AdamW's first moment."),
            Setting.of("training.beta2", BETA, "0.999", "Decay of AdamW's second moment."),
            Setting.of("training.epsilon", Real.above(0), "1.0e-8", "Added to the root of AdamW's second moment."),
            Setting.optional(
                    "training.clip_norm",
                    Real.above(0),
                    "none (no clipping)",
                    "Scales a gradient down whose 2-norm is larger."),
            Setting.of(
                    "training.clip_of",
                    new Choice(clipTargets(), ""),
                    "lm",
                    "Which gradient's norm is meant and scaled: that of the language-model loss, or the total with the penalty."),
            Setting.of(
                    "training.max_length",
                    new Whole(2, Integer.MAX_VALUE),
                    32,
                    "Tokens of a row, answer and end-of-sequence included; a longer row is cut from the left. At most the "
                            + "model's positions."),
            Setting.of(
                    "training.shuffle",
                    new Truth(),
                    "true",
                    "Whether rows are shuffled, anew each epoch, by seed, epoch and task; otherwise they come in file order."),
            Setting.of("training.seed", SEED, 0, "Seed of shuffling and dropout."),
            Setting.optional(
                    "training.threads",
                    THREADS,
                    "physical cores that the process may use",
                    "Threads of libtorch and of the native kernels."),
            Setting.of(
                    "training.loader_threads",
                    new Whole(1, 64),
                    1,
                    "Threads that prepare batches ahead. The result does not depend on it."),
            Setting.optional(
                    "training.log_every",
                    COUNT,
                    "1 on the CPU, 20 on a CUDA device",
                    "After how many steps losses and norms are read from the device, checked and written; between, nothing waits "
                            + "for it. Every step has its row all the same. May stand at the top level too."),
            Setting.of(
                    "training.on_nonfinite",
                    Choice.of(TrainingConfig.OnNonfinite.class),
                    "stop",
                    "What a gradient with NaN or Inf leads to: `stop` ends the run when it is read, and nothing computed since is "
                            + "saved; `skip` leaves the step's update out, which takes one pass more over the gradient. May stand at "
                            + "the top level too."),
            Setting.optional(
                    "training.freeze",
                    new Patterns(),
                    "none",
                    "Patterns of the parameters that are not trained, such as `[gpt_neox.embed_in.*]`, written as in "
                            + "`ewc.groups`: they keep their bits, without update, decay, Fisher or share in a norm."),
            Setting.of(
                    "training.positions",
                    Choice.of(TrainingConfig.Positions.class),
                    "first-token",
                    "From where token positions count: the first real token, as generation counts, or the left edge of "
                            + "`max_length` columns, padding included, as a Python loop that passes no position_ids does."),
            Setting.of(
                    "training.replay",
                    FROM_ZERO,
                    0,
                    "Rows of each earlier task that are learned again with a later one: drawn once by `training.seed` and task, "
                            + "they join the task's own in every epoch. They never enter a Fisher."),
            Setting.of(
                    "ewc.lambda",
                    new Lambda(LAMBDA),
                    "5000",
                    "Weight of the penalty. Its unit depends on the kind of Fisher. 0 is plain sequential fine-tuning, and "
                            + "no Fisher is computed. `auto` tries several on the first two tasks and takes the best on their "
                            + "training questions, or on `validation` files, never on test questions; the run is then that with "
                            + "the number given (docs/methods.md)."),
            Setting.of(
                    "ewc.penalty",
                    Choice.of(PenaltyOptions.Kind.class),
                    "gradient",
                    "How the penalty acts. `gradient`: λF(θ−θ*) joins the gradient. `proximal`: AdamW steps by the loss alone, "
                            + "then θ ← θ + w(θ*−θ) with w = sλF/(1+sλF), s the step that AdamW takes there for a gradient of "
                            + "1: steady at any λ. docs/methods.md says where they differ."),
            Setting.of(
                    "ewc.lambda_schedule",
                    Choice.of(TrainingConfig.Schedule.class),
                    "constant",
                    "How λ goes on behind its warm-up, over the steps of one task: kept, linearly to 0, or by half a cosine to "
                            + "0."),
            Setting.of(
                    "ewc.lambda_warmup",
                    new Real(0, true, 1, true),
                    "0",
                    "Share of a task's steps over which λ rises linearly; the first takes one part of it. 1: over the whole "
                            + "task."),
            Setting.optional(
                    "ewc.groups",
                    new ParameterGroups(),
                    "none",
                    "Factors of λ by parameter, `[{pattern: ..., lambda_factor: 0.1}, ...]`: the first pattern that matches a "
                            + "name counts, others have 1. Names are those of model.safetensors, `*` stands for any characters, "
                            + "`?` for one; each pattern must match a parameter. The penalty is ½ Σ f F (θ*−θ)²."),
            Setting.of(
                    "ewc.fisher",
                    Choice.of(EwcConfig.FisherKind.class),
                    "batch",
                    "`batch`: squared gradients of batch-mean losses, weighted by batch size, as published for language "
                            + "models. `example`: squared gradients of single examples, exactly. `sampled`: the same with "
                            + "labels drawn from what the model predicts. `uniform`: all ones, an L2 pull towards the last "
                            + "task, as a control. λ means something else for each: docs/methods.md."),
            Setting.of(
                    "ewc.merge",
                    Choice.of(EwcConfig.Merge.class),
                    "running-mean",
                    "How a task's Fisher joins those before. `running-mean`: the mean over tasks. `online`: γ times the old "
                            + "plus the new. `ema`: an exponential moving average. `sum`: all tasks' penalties, each about its "
                            + "own parameters, exactly, in the memory of one. `max`: the largest of each element."),
            Setting.of(
                    "ewc.gamma",
                    new Real(0, true, 1, true),
                    "1",
                    "γ of `merge: online`, 0 to 1: F ← γF + F_new. With 1 the Fisher after t tasks is t times the running "
                            + "mean's, so that λ here does what tλ does there; with less it holds about 1/(1−γ) tasks."),
            Setting.of(
                    "ewc.alpha",
                    new Real(0, false, 1, true),
                    "0.5",
                    "α of `merge: ema`, above 0, up to 1: F ← (1−α)F + αF_new; the first task's Fisher is taken whole."),
            Setting.of(
                    "ewc.fisher_dtype",
                    Choice.of(EwcConfig.FisherType.class),
                    "fp32",
                    "Type in which the Fisher is kept: 4, 2 or 1 bytes a parameter. `int8` has levels of the root and a scale for each "
                            + "256 elements. It is always accumulated in fp32; but for `fp32` in an accumulator of its own, 4 "
                            + "bytes a parameter during the Fisher pass. docs/methods.md has the error of each."),
            Setting.of(
                    "ewc.anchor_dtype",
                    Choice.of(EwcConfig.AnchorType.class),
                    "fp32",
                    "Type in which the anchor is kept: 4 or 2 bytes a parameter. `int16` has a step for each 256 elements and "
                            + "is the more exact of the 16-bit types; `bf16` is taken only where the checkpoint is stored in "
                            + "bf16. docs/methods.md has the error of each."),
            Setting.of(
                    "ewc.anchor_memory",
                    Choice.of(AnchorPlacement.Memory.class),
                    "device",
                    "Where the anchor lies; no bit of the results depends on it. `device`: where the parameters are. `host`: in "
                            + "pinned memory of the machine, from where a CUDA device's kernels read it over the bus (on the CPU "
                            + "as `device`). `mapped`, on the CPU: in a file, mapped, whose pages the system may drop when it "
                            + "needs the memory. docs/methods.md has what each costs."),
            Setting.optional(
                    "ewc.anchor_folder",
                    new Location("the path of a folder on a disk"),
                    "where `output` goes",
                    "With `anchor_memory: mapped`: the folder on whose disk the file lies; it must exist. The file has no name, "
                            + "takes what the anchor takes, and is freed when the process ends."),
            Setting.optional(
                    "ewc.from",
                    new Location("the path of a consolidation folder"),
                    "none",
                    "A consolidation that was kept (docs/consolidation.md): the first task is learned under its penalty, and "
                            + "every task's Fisher joins it. It must be of the same model, kind of Fisher and unit, and hold on to the "
                            + "parameters that training starts from, which may have been saved in 16 bit."),
            Setting.of(
                    "ewc.from_other_parameters",
                    new Truth(),
                    "false",
                    "Lets training start from other parameters than those that `ewc.from` holds on to: they are pulled towards "
                            + "those from the first step."),
            Setting.optional(
                    "ewc.fisher_batch_size",
                    COUNT,
                    "`training.batch_size`",
                    "Rows of a batch in the Fisher pass. The scale of the `batch` Fisher depends on it; `example` and "
                            + "`sampled` do not."),
            Setting.of(
                    "ewc.fisher_samples",
                    COUNT,
                    1,
                    "Draws of labels for each example, of the `sampled` Fisher; each costs a backward pass."),
            Setting.optional(
                    "ewc.fisher_max_examples",
                    COUNT,
                    "all",
                    "Most rows that the Fisher pass reads, drawn from the task's training rows by `training.seed`."),
            Setting.of(
                    "ewc.fisher_unit",
                    Choice.of(FisherOptions.Unit.class),
                    "sequence",
                    "What the Fisher is a mean over: examples, or scored tokens. One factor between the two."),
            Setting.of(
                    "ewc.fisher_normalize",
                    Choice.of(FisherOptions.Normalize.class),
                    "none",
                    "`mean` divides a task's Fisher by its mean over all parameters before it is merged, so that every task "
                            + "weighs the same and λ has the unit of `uniform`."),
            Setting.optional(
                    "ewc.fisher_clamp",
                    Real.above(0),
                    "none",
                    "Largest element of a task's Fisher before it is merged, behind `fisher_normalize`. With either of the "
                            + "two a `batch` Fisher takes 4 bytes a parameter more during its pass."),
            Setting.of(
                    "ewc.fisher_shuffle",
                    new Truth(),
                    "false",
                    "Shuffles the elements of a task's Fisher within each parameter's tensor, by `training.seed`, the same for every "
                            + "task: a control for experiments. What such a consolidation holds protects nothing in particular."),
            Setting.optional(
                    "ewc.protect.data",
                    new Location("the path of a file of text or questions"),
                    "none",
                    "Data that stands for what the starting checkpoint knows: its Fisher there is taken in before the first task, "
                            + "which is then learned under it already. What is held out is scored by perplexity, before the first "
                            + "task and with each evaluation."),
            Setting.of(
                    "ewc.protect.format",
                    Choice.of(ProtectConfig.Format.class),
                    "text",
                    "`text`: plain text, or JSON Lines with `text.field`, packed. `questions`: JSON Lines with the fields and the "
                            + "prompt of the tasks."),
            Setting.optional(
                    "ewc.protect.max_examples",
                    COUNT,
                    "all",
                    "Most rows that this Fisher pass reads, drawn by `training.seed` from those not held out."),
            Setting.of(
                    "ewc.protect.weight",
                    Real.atLeast(0),
                    "1",
                    "How many tasks it counts as: docs/methods.md has what that is for each `ewc.merge`. 0 takes no Fisher; the "
                            + "data is scored all the same."),
            Setting.optional(
                    "ewc.protect.test",
                    new Location("the path of a file of text or questions"),
                    "the last `text.test_share` of the data",
                    "Data that is scored; nothing is held out of `ewc.protect.data` then."),
            Setting.of("evaluation.max_new_tokens", COUNT, 10, "Longest answer that is generated."),
            Setting.of(
                    "evaluation.every_task",
                    Choice.of(EvaluationConfig.EveryTask.class),
                    "true",
                    "After each task on those seen so far (`true`), only after the last (`false`), or after each task on every "
                            + "task of the sequence (`all`)."),
            Setting.of(
                    "evaluation.splits",
                    new Choices(Choice.of(EvaluationConfig.Split.class)),
                    "[train, test]",
                    "What is scored: the training questions (memorisation), the test questions (generalisation)."),
            Setting.of("evaluation.batch_size", COUNT, 32, "Questions answered at once."),
            Setting.of("save.dtype", Choice.of(SaveConfig.StoredType.class), "float32", "Type of the saved weights."),
            Setting.of(
                    "save.keep",
                    Choice.of(SaveConfig.Keep.class),
                    "last",
                    "`all` saves the model after each task, `last` only at the end."),
            Setting.optional(
                    "checkpoint.every_steps",
                    COUNT,
                    "none",
                    "Optimizer steps from one checkpoint to the next, besides `checkpoint.every_minutes`. Where losses are read less "
                            + "often (`training.log_every`), at the next reading."),
            Setting.of(
                    "checkpoint.every_minutes",
                    Real.atLeast(0),
                    "5",
                    "Minutes from one checkpoint to the next, within Fisher passes too; 0: none by time. A run that is stopped by "
                            + "SIGTERM or Ctrl-C makes one all the same. docs/reliability.md."),
            Setting.of(
                    "checkpoint.keep", COUNT, 2, "How many of the newest checkpoints are kept while the run goes on."),
            Setting.of(
                    "resume",
                    Choice.of(CheckpointConfig.Resume.class),
                    "never",
                    "What becomes of a run in the output folder: `auto` goes on with it where it was stopped, as `train --resume` "
                            + "does; `never` refuses to touch it."),
            Setting.optional(
                    "output",
                    new Location("the path of a folder"),
                    "`runs/<name of this file>` in the working directory",
                    "Folder of the run. `--output` wins over it and is relative to the working directory."),
            acceptedOnly("il_mode", "IIL", "EWC here is instance-incremental"),
            acceptedOnly("classifier", "None", "EWC here is for generative models, without a classifier"),
            acceptedOnly("classification_type", "sentence-level", "EWC here works on whole sentences"));

    /** What {@code task_overrides.<task name>} takes: the same types as the keys that it overrides. */
    static final Map<String, Setting> OVERRIDES = overrides();

    private static final Map<String, Setting> BY_KEY = byKey();

    /** Where a key is looked for besides its own place, as (alias, key). */
    static final Map<String, String> ALIASES = Map.of(
            "training.device", "device",
            "training.precision", "precision",
            "log_every", "training.log_every",
            "on_nonfinite", "training.on_nonfinite");

    private Settings() {}

    /** The format of {@code tasks.file}. */
    enum TaskFormat {
        JSONL,
        INCREMENTAL
    }

    private static Setting acceptedOnly(String key, String value, String reason) {
        return Setting.of(
                key,
                new Choice(Map.of(value, value), reason),
                value,
                "May be given, for configurations made for other tools; no other value is taken: " + reason + ".");
    }

    private static Map<String, Object> clipTargets() {
        Map<String, Object> targets = new LinkedHashMap<>();
        targets.put("lm", TrainingConfig.ClipTarget.LANGUAGE_MODEL);
        targets.put("total", TrainingConfig.ClipTarget.TOTAL);
        return targets;
    }

    private static Map<String, Setting> byKey() {
        Map<String, Setting> settings = new LinkedHashMap<>();
        ALL.forEach(setting -> settings.put(setting.key(), setting));
        return settings;
    }

    private static Map<String, Setting> overrides() {
        Set<String> keys = Set.of(
                "training.epochs",
                "training.max_steps",
                "training.batch_size",
                "training.learning_rate",
                "training.schedule",
                "training.warmup_steps",
                "training.weight_decay");
        Map<String, Setting> settings = new LinkedHashMap<>();
        ALL.stream()
                .filter(setting -> keys.contains(setting.key()))
                .forEach(setting -> settings.put(setting.name(), setting));
        settings.put(
                "lambda", Setting.of("ewc.lambda", LAMBDA, "5000", "Weight of the penalty while the task is learned."));
        return settings;
    }

    static Optional<Setting> find(String key) {
        return Optional.ofNullable(BY_KEY.get(key));
    }

    /** Whether a key takes a text or a path and nothing else. */
    static boolean isText(String key) {
        return find(key)
                .filter(setting -> setting.type() instanceof Text || setting.type() instanceof Location)
                .isPresent();
    }

    /** Names of sections, such as {@code training}. */
    static Set<String> sections() {
        Set<String> sections = new LinkedHashSet<>();
        ALL.stream().map(Setting::section).filter(section -> !section.isEmpty()).forEach(sections::add);
        return sections;
    }

    /** @throws InvalidInputException naming the key, unless the value is within the setting's range */
    static void require(String key, Object value) {
        SettingType type = BY_KEY.get(key).type();
        Object checked = value instanceof Integer number ? (Object) number.longValue() : value;
        if (!type.accepts(checked)) {
            throw new InvalidInputException(
                    key + ": expected " + type.expected() + ", got " + SettingType.shown(value));
        }
    }
}
