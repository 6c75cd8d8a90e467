package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.ewc4j.config.AnchorPlacement;
import org.ewc4j.config.AnchorPlacement.Memory;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a run and a learner put an anchor that is mapped; ResumeTest has that it changes no bit. */
class AnchorPlacementTest {
    private static final Path DISK = Path.of("target").toAbsolutePath();
    private static final EwcConfig MAPPED =
            EwcConfig.defaults().withAnchorPlacement(AnchorPlacement.defaults().withMemory(Memory.MAPPED));

    @TempDir
    Path folder;

    @BeforeEach
    void resolveLinks() throws IOException {
        folder = folder.toRealPath();
    }

    private static Optional<Path> folderOf(EwcConfig ewc, Path output) {
        return ContinualRun.placed(ewc, output).anchorPlacement().folder();
    }

    @Test
    void aRunPutsItOnTheDiskOfItsOutput() throws IOException {
        Path output = folder.resolve("runs/mine");
        assertThat(folderOf(MAPPED, output)).contains(folder);

        Files.createDirectories(output);
        assertThat(folderOf(MAPPED, output)).contains(output);
    }

    @Test
    void orWhereItsConfigurationSays() {
        EwcConfig elsewhere =
                MAPPED.withAnchorPlacement(MAPPED.anchorPlacement().withFolder(DISK));
        assertThat(folderOf(elsewhere, folder)).contains(DISK);
    }

    @Test
    void validateSaysWhereItLiesAndWhatItTakesThere() {
        Path file = TinyRun.configuration(folder, "gpt2");
        RunConfig config = RunConfigReader.read(
                file, List.of("ewc.anchor_memory=mapped", "ewc.anchor_folder=" + DISK), Optional.empty(), folder);

        Validation mapped = Validation.of(config);
        Validation device = Validation.of(RunConfigReader.read(file, List.of(), Optional.empty(), folder));

        assertThat(mapped.text()).contains("of anchor in a mapped file on the disk of " + DISK);
        assertThat(device.text()).doesNotContain("anchor");
        assertThat(device.stateBytes() - mapped.stateBytes()).isEqualTo(4 * mapped.parameters());
    }

    @Test
    void aLearnerThatCannotHaveItThereIsNotOpened() {
        Path model = TinyRun.model(folder.resolve("model"), "gpt2");
        Path none = folder.resolve("none");
        EwcConfig ewc = MAPPED.withAnchorPlacement(MAPPED.anchorPlacement().withFolder(none));

        assertThatThrownBy(() -> ContinualLearner.open(ModelSource.random(model, 1), TinyRun.training(), ewc))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("ewc.anchor_folder " + none + ": expected a folder that exists");
    }
}
