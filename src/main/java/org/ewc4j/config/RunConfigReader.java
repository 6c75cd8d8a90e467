package org.ewc4j.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.ewc4j.error.InvalidInputException;

/**
 * Reads a configuration from a YAML file and {@code --set} flags. Everything that can be known from the text alone is
 * checked, and refused in one line with file, line and key; the files that it names are not looked at. Stateless.
 */
public final class RunConfigReader {
    private RunConfigReader() {}

    /** Reads a file as it stands, with the process's working directory. */
    public static RunConfig read(Path file) {
        return read(file, List.of(), Optional.empty(), Path.of(""));
    }

    /**
     * Reads a file with what a command line adds.
     *
     * @param file the configuration; relative paths in it are relative to its folder
     * @param sets {@code key=value} each, dotted key and YAML value (a text or path as it stands); in place of what the file gives under that key, a
     *     later one in place of an earlier; paths as in the file
     * @param output in place of the key {@code output}; relative to the working directory
     * @param workingDirectory what {@code file}, {@code output} and the default output folder are relative to
     * @throws InvalidInputException naming file, line and key, or the flag
     */
    public static RunConfig read(Path file, List<String> sets, Optional<Path> output, Path workingDirectory) {
        Path absolute = workingDirectory.resolve(file).toAbsolutePath().normalize();
        GivenSettings given = new GivenSettings(absolute.getParent());
        given.read(YamlDocument.file(absolute, file.toString()));
        return resolve(given, sets, file, output, workingDirectory);
    }

    /**
     * A configuration of {@code key=value} settings alone, without a file; relative paths in them are relative to the
     * working directory.
     *
     * @throws InvalidInputException naming the setting
     */
    public static RunConfig of(List<String> sets, Path workingDirectory) {
        GivenSettings given =
                new GivenSettings(workingDirectory.toAbsolutePath().normalize());
        return resolve(given, sets, Path.of("settings"), Optional.empty(), workingDirectory);
    }

    private static RunConfig resolve(
            GivenSettings given, List<String> sets, Path file, Optional<Path> output, Path workingDirectory) {
        for (String set : sets) {
            int equals = set.indexOf('=');
            if (equals <= 0) {
                throw new InvalidInputException("--set " + set + ": expected key=value, as in training.epochs=2");
            }
            String key = set.substring(0, equals).strip();
            given.replace(key, YamlDocument.flag("--set " + set, set.substring(equals + 1), Settings.isText(key)));
        }
        SettingValues values = given.values();
        return new RunConfig(
                model(values, file),
                tasks(values, file),
                values.text(),
                values.get("prompt", String.class),
                values.training(),
                values.ewc(),
                values.evaluation(),
                values.save(),
                values.checkpoint(),
                output.map(path ->
                                workingDirectory.resolve(path).toAbsolutePath().normalize())
                        .or(() -> values.find("output", Path.class))
                        .orElseGet(() -> defaultOutput(file, workingDirectory)),
                given.overrides());
    }

    private static Path defaultOutput(Path file, Path workingDirectory) {
        String name = file.getFileName().toString().replaceFirst("\\.ya?ml$", "");
        return workingDirectory.resolve("runs").resolve(name).toAbsolutePath().normalize();
    }

    private static ModelSource model(SettingValues values, Path file) {
        Path path = values.find("model.path", Path.class)
                .orElseThrow(() ->
                        new InvalidInputException(file + ": model: is missing; name a Hugging Face model directory"));
        return new ModelSource(
                path, values.get("model.init", ModelSource.Init.class), values.get("model.seed", Long.class));
    }

    @SuppressWarnings("unchecked") // the reader of tasks.list makes nothing else
    private static TaskSource tasks(SettingValues values, Path file) {
        Optional<Path> single = values.find("tasks.file", Path.class);
        Optional<List<TaskSource.TaskFiles>> list =
                values.find("tasks.list", List.class).map(tasks -> (List<TaskSource.TaskFiles>) tasks);
        if (single.isPresent() == list.isPresent()) {
            throw new InvalidInputException(file + ": tasks: "
                    + (single.isPresent()
                            ? "has both file and list; leave one"
                            : "is missing; give tasks.file or a list of {name, train, test}"));
        }
        String question = values.get("tasks.question_field", String.class);
        String testQuestion =
                values.find("tasks.test_question_field", String.class).orElse(question);
        String answer = values.get("tasks.answer_field", String.class);
        Optional<Path> validation = values.find("tasks.validation_file", Path.class);
        boolean rows = single.isPresent() && format(values, single.get()) == Settings.TaskFormat.JSONL;
        if (validation.isPresent() && !rows) {
            throw new InvalidInputException(
                    file + ": tasks.validation_file: goes with a tasks.file of JSON Lines; entries of"
                            + " tasks.list name a file of their own by validation, the incremental-learning JSON has none");
        }
        if (list.isPresent()) {
            return new TaskSource.PerTask(list.get(), question, testQuestion, answer);
        }
        if (!rows) {
            return new TaskSource.IncrementalJson(single.get());
        }
        return new TaskSource.SingleFile(
                single.get(), values.get("tasks.task_field", String.class), question, testQuestion, answer, validation);
    }

    private static Settings.TaskFormat format(SettingValues values, Path file) {
        boolean json = file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".json");
        return values.find("tasks.format", Settings.TaskFormat.class)
                .orElse(json ? Settings.TaskFormat.INCREMENTAL : Settings.TaskFormat.JSONL);
    }
}
