package org.ewc4j;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.ConsolidationFolder;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.consolidation.StatePlaces;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.ewc4j.fisher.FisherSettings;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.report.Versions;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.Torch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Consolidations of one model that were kept, merged into one as if their tasks had come one after another; but under
 * {@code ema} each fades those before it once, however many tasks it holds. What the command {@code fisher
 * merge} does, for callers that embed it.
 */
public final class ConsolidationMerge {
    private static final Logger LOG = LoggerFactory.getLogger(ConsolidationMerge.class);

    private ConsolidationMerge() {}

    /**
     * Merges folders in the order given; takes 16 bytes a parameter of memory.
     *
     * @param folders at least two
     * @param ewc its {@code merge}, {@code gamma} and {@code alpha} are used
     * @param output a folder that does not exist or is empty
     * @param threads of libtorch and the kernels
     * @throws InvalidInputException where a folder is damaged, or one does not fit another; nothing was written
     */
    public static void execute(List<Path> folders, EwcConfig ewc, Path output, int threads) {
        if (folders.size() < 2) {
            throw new InvalidInputException(
                    "fisher merge: expected at least two consolidations, got " + folders.size());
        }
        ConsolidationFolder.requireNew(output);
        MergeSchedule schedule = MergeSchedule.of(ewc);
        List<ConsolidationFolder> kept =
                folders.stream().map(ConsolidationFolder::open).toList();
        ConsolidationFolder first = kept.get(0);
        FisherSettings like = first.record().fishers().get(0).estimate().settings();
        for (ConsolidationFolder folder : kept) {
            folder.requireModel("the model of " + first.path(), first.record().architecture(), first.layout());
            folder.requireMergeable(like, schedule);
        }
        warnOfDifferences(kept, schedule);
        Torch.start(threads);
        ParameterLayout layout = first.layout();
        StatePlaces here = StatePlaces.on(Device.CPU);
        try (Kernels kernels = Kernels.host(threads);
                Consolidation merged = first.read(kernels, layout, schedule, StateTypes.FULL, here)) {
            for (ConsolidationFolder folder : kept.subList(1, kept.size())) {
                try (Consolidation next = folder.read(kernels, layout, schedule, StateTypes.FULL, here)) {
                    merged.join(kernels, next);
                }
            }
            ConsolidationFolder.write(
                    output, merged, first.record().architecture(), Versions.ewc4j(), Optional.empty());
        }
    }

    /** What merges all the same: one line for each. */
    private static void warnOfDifferences(List<ConsolidationFolder> kept, MergeSchedule schedule) {
        ConsolidationFolder first = kept.get(0);
        HeldFisher like = first.record().fishers().get(0);
        String whose = "that of task " + Quoted.of(like.task()) + " in " + first.path();
        for (int i = 1; i < kept.size(); i++) {
            ConsolidationFolder folder = kept.get(i);
            folder.differences(like.estimate().settings(), whose).forEach(LOG::warn);
            // A sum keeps every task's own anchor.
            boolean knows = kept.subList(0, i).stream().anyMatch(folder::sharesParametersWith);
            if (!knows && !(schedule instanceof MergeSchedule.Sum)) {
                LOG.warn(
                        "{}: has neither anchor nor parameters in common with the folders before it: the Fishers merge, but only"
                                + " the last folder's anchor is kept; --schedule sum keeps each about its own",
                        folder.path());
            }
        }
    }
}
