package org.ewc4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.TaskSource;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.Checksum;

/** The files and folders that a run reads. */
final class RunInputs {
    /** Of a model directory, what is learned depends on; the weights besides. */
    private static final List<String> MODEL_FILES =
            List.of("config.json", "generation_config.json", "tokenizer.json", "model.safetensors.index.json");

    private RunInputs() {}

    /** The files of the tasks, and of what is to be protected. */
    private static List<Path> data(RunConfig config) {
        List<Path> files = new ArrayList<>();
        if (config.tasks() instanceof TaskSource.SingleFile file) {
            files.add(file.path());
            file.validation().ifPresent(files::add);
        } else if (config.tasks() instanceof TaskSource.IncrementalJson file) {
            files.add(file.path());
        } else if (config.tasks() instanceof TaskSource.PerTask list) {
            list.tasks().forEach(task -> {
                files.add(task.train());
                task.test().ifPresent(files::add);
                task.validation().ifPresent(files::add);
            });
        }
        config.ewc().protect().ifPresent(protect -> {
            files.add(protect.data());
            protect.test().ifPresent(files::add);
        });
        return files;
    }

    /** With overwrite the output folder is emptied: nothing that the run reads may lie in it. */
    static void requireOutside(RunConfig config) {
        Path output = config.output().normalize();
        List<Path> inputs = data(config);
        inputs.add(config.model().path());
        config.ewc().from().ifPresent(inputs::add);
        for (Path input : inputs) {
            if (input.toAbsolutePath().normalize().startsWith(output)) {
                throw new InvalidInputException("output " + output + ": holds " + input
                        + ", which the run reads; choose another output folder");
            }
        }
    }

    /**
     * Checksums of every file that what is learned depends on, by absolute path.
     *
     * @throws InvalidInputException where one cannot be read
     */
    static Map<Path, Checksum> checksums(RunConfig config) {
        List<Path> files = data(config);
        Path model = config.model().path();
        MODEL_FILES.forEach(name -> files.add(model.resolve(name)));
        if (config.model().init() == ModelSource.Init.PRETRAINED) {
            files.addAll(weights(model));
        }
        // It has the fingerprints of the files beside it, which are checked when they are read.
        config.ewc().from().ifPresent(folder -> files.add(folder.resolve("consolidation.json")));
        Map<Path, Checksum> checksums = new TreeMap<>();
        for (Path file : files) {
            if (Files.isRegularFile(file)) {
                checksums.put(file.toAbsolutePath().normalize(), Checksum.of(file));
            }
        }
        return checksums;
    }

    private static List<Path> weights(Path model) {
        try (Stream<Path> files = Files.list(model)) {
            return files.filter(file -> file.toString().endsWith(".safetensors"))
                    .toList();
        } catch (IOException e) {
            throw new InvalidInputException(model + ": cannot be listed: " + e.getMessage(), e);
        }
    }
}
