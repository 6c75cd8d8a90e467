package org.ewc4j.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ewc4j fisher}: what is done with consolidations that are kept. */
@Command(
        name = "fisher",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        header = "Look at, merge or make a consolidation: a Fisher with its anchor, kept in a folder.",
        description = {"", "The folders are those of task-NN/consolidation of a run (docs/consolidation.md).", ""},
        commandListHeading = "%nCommands:%n")
final class FisherCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "expected a command: inspect, merge or estimate");
    }
}
