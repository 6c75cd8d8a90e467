package org.ewc4j.consolidation;

import org.ewc4j.config.EwcConfig;

/**
 * How the Fisher F_new of a new task, and its anchor θ_new (the parameters after it), join what is kept of the tasks
 * before. Immutable.
 *
 * <p>t is how many tasks' Fishers F_old holds, n how many F_new holds: 1 for a task, more where a consolidation that was
 * kept joins another. Where t is 0, F becomes F_new under every schedule. A Fisher of weight w counts as w tasks: in a mean over
 * tasks t and n count it w times, under every other schedule F_new is w times the estimate.
 */
public sealed interface MergeSchedule {
    /** Under its name in the configuration, {@code ewc.merge}. */
    EwcConfig.Merge kind();

    /**
     * What an estimate of weight w is multiplied by before it is merged: w, but for a mean over tasks, where it counts w times
     * instead.
     */
    default double factor(double weight) {
        return weight;
    }

    /** The schedule that a configuration names. */
    static MergeSchedule of(EwcConfig ewc) {
        return switch (ewc.merge()) {
            case RUNNING_MEAN -> new RunningMean();
            case ONLINE -> new Online(ewc.gamma());
            case EMA -> new ExponentialMean(ewc.alpha());
            case SUM -> new Sum();
            case MAX -> new Maximum();
        };
    }

    /**
     * F ← retain · F_old + weight · F_new, and θ* ← θ_new. Both factors are known before the Fisher pass starts, so that the
     * merge needs no second buffer: F_old is scaled, then each batch is added.
     */
    sealed interface Weighted extends MergeSchedule {
        /** Factor of F_old, given t (above 0) and n, where F_new is what this schedule made of so many tasks' Fishers. */
        double retain(double held, double added, int tasks);

        /** Factor of F_new, given t (above 0) and n. */
        double weight(double held, double added);
    }

    /** F ← (t F_old + n F_new) ÷ (t + n): every task counts the same. */
    record RunningMean() implements Weighted {
        @Override
        public EwcConfig.Merge kind() {
            return EwcConfig.Merge.RUNNING_MEAN;
        }

        @Override
        public double factor(double weight) {
            return 1;
        }

        @Override
        public double retain(double held, double added, int tasks) {
            return held / (held + added);
        }

        @Override
        public double weight(double held, double added) {
            return added / (held + added);
        }
    }

    /**
     * F ← γ F_old + F_new. Schwarz et al. 2018, "Progress & Compress: A scalable framework for continual learning",
     * section 4 (online EWC).
     *
     * <p>With γ = 1 this is the sum over tasks about the last anchor: (t + 1) times the running mean, so that λ does here
     * what (t + 1)λ does there. With γ below 1 a task of k tasks ago counts γᵏ, all together at most 1 ÷ (1 − γ).
     *
     * @param gamma γ, 0 to 1
     */
    record Online(double gamma) implements Weighted {
        @Override
        public EwcConfig.Merge kind() {
            return EwcConfig.Merge.ONLINE;
        }

        /** Each of them fades what came before. */
        @Override
        public double retain(double held, double added, int tasks) {
            return Math.pow(gamma, tasks);
        }

        @Override
        public double weight(double held, double added) {
            return 1;
        }
    }

    /**
     * F ← (1 − α) F_old + α F_new, the exponential moving average; the first task's Fisher is taken whole. Chaudhry et al.
     * 2018, "Riemannian walk for incremental learning" (EWC++), there from step to step.
     *
     * @param alpha α, above 0, up to 1
     */
    record ExponentialMean(double alpha) implements Weighted {
        @Override
        public EwcConfig.Merge kind() {
            return EwcConfig.Merge.EMA;
        }

        @Override
        public double retain(double held, double added, int tasks) {
            return 1 - alpha;
        }

        @Override
        public double weight(double held, double added) {
            return alpha;
        }
    }

    /**
     * Every task's own penalty about its own anchor, summed: ½ Σ_k ΣF_k(θ−θ_k)². Kirkpatrick et al. 2017, "Overcoming
     * catastrophic forgetting in neural networks", eq. 3, for any number of tasks in the memory of one, since the sum
     * collapses to ½ ΣF(θ−θ̄)² + c with F = ΣF_k, θ̄ = ΣF_kθ_k ÷ F (θ_k where F = 0) and c the same for every θ (Huszár 2018,
     * "Note on the quadratic penalties in elastic weight consolidation", has the sum's gradient).
     */
    record Sum() implements MergeSchedule {
        @Override
        public EwcConfig.Merge kind() {
            return EwcConfig.Merge.SUM;
        }
    }

    /** F ← max(F_old, F_new), element by element, and θ* ← θ_new: what was ever important stays so. */
    record Maximum() implements MergeSchedule {
        @Override
        public EwcConfig.Merge kind() {
            return EwcConfig.Merge.MAX;
        }
    }
}
