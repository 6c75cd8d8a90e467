package org.ewc4j;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.ewc4j.checkpoint.KeptArena;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.ConsolidationState;
import org.ewc4j.model.CausalLm;
import org.ewc4j.train.Trainer;

/** The parts of a learner whose state changes while it learns, and that state in and out. */
record LearnerParts(CausalLm model, Trainer trainer, Consolidator consolidator) {

    LearnerState state(
            int tasksLearned, Optional<LearnerState.UnderWay> underWay, ContinualLearner.PhaseSeconds seconds) {
        return new LearnerState(
                model.directory().architectureName(),
                LearnerState.layoutFingerprint(model.layout()),
                tasksLearned,
                underWay,
                trainer.state(),
                model.randomState(),
                Optional.ofNullable(consolidator.current()).map(Consolidation::state),
                seconds);
    }

    /** θ, the moments where there are any, and what the consolidation holds. */
    List<KeptArena> arenas() {
        List<KeptArena> arenas = new ArrayList<>();
        arenas.add(KeptArena.changing("theta", model.theta()));
        if (!trainer.moments().isEmpty()) {
            arenas.add(KeptArena.changing("first_moment", trainer.moments().get(0)));
            arenas.add(KeptArena.changing("second_moment", trainer.moments().get(1)));
        }
        if (consolidator.current() != null) {
            arenas.addAll(consolidator.current().arenas());
        }
        return arenas;
    }

    /** Goes on from what a folder holds. */
    void restore(LearnerState state, StateFolder folder) {
        state.requireModel(model.directory().architectureName(), model.layout(), folder);
        Optional<ConsolidationState> consolidation = state.consolidation();
        consolidator.restore(consolidation);
        trainer.restore(state.trainer(), folder.has("first_moment"));
        folder.fill(arenas());
        model.restored(state.randomState());
    }
}
