// The proximal step: the minimum it settles in, its steadiness at any strength, and what it leaves alone.
#include <limits>

#include "contract.h"

namespace ewc::test {
namespace {

using Proximal = Contract;

// The loss 1/2 sum a (theta - c)^2 under the penalty, whose minimum is (a c + lambda F anchor) / (a + lambda F).
struct Quadratic {
    static constexpr int64_t kSize = 24;
    Step step{{kSize}};
    std::vector<double> curvature, centre;

    explicit Quadratic(double lambda) {
        step.options.weight_decay = 0;
        step.values.lambda = lambda;
        step.values.gradient_scale = step.values.penalty_scale = 1;
        for (int64_t i = 0; i < kSize; ++i) {
            curvature.push_back(0.5 + 0.1 * static_cast<double>(i));
            centre.push_back(i % 2 == 0 ? 0.7 : -0.3);
            step.first.set(0, i, 0);
            step.second.set(0, i, 0);
        }
    }

    void descend(int64_t steps, double learning_rate, uint32_t flags) {
        for (int64_t t = 1; t <= steps; ++t) {
            const double gone = static_cast<double>(t - 1) / static_cast<double>(steps);
            descend_once(t, learning_rate * (1.0 - gone), flags);
        }
    }

    void descend_once(int64_t t, double learning_rate, uint32_t flags) {
        for (int64_t i = 0; i < kSize; ++i) {
            const size_t at = static_cast<size_t>(i);
            step.gradient.set(0, i, static_cast<float>(curvature[at] * (step.theta.get(0, i) - centre[at])));
        }
        step.values.step = t;
        step.values.learning_rate = learning_rate;
        ASSERT_EQ(EWC_OK, step.run(true, flags)) << ewc_last_error();
    }

    double minimum(int64_t i) const {
        const size_t at = static_cast<size_t>(i);
        const double pull = step.values.lambda * step.fisher.get(0, i);
        return (curvature[at] * centre[at] + pull * step.anchor.get(0, i)) / (curvature[at] + pull);
    }
};

TEST_P(Proximal, SettlesInTheMinimumOfTheGradientPenalty) {
    if (offset() != 0) {
        GTEST_SKIP() << "many steps: once at each place";
    }
    for (const double lambda : {0.3, 30.0}) {
        for (const uint32_t flags : {0u, EWC_PROXIMAL}) {
            Quadratic quadratic(lambda);
            quadratic.descend(1500, 0.02, flags);
            for (int64_t i = 0; i < Quadratic::kSize; ++i) {
                EXPECT_NEAR(quadratic.minimum(i), quadratic.step.theta.get(0, i), 2e-3)
                    << "lambda " << lambda << ", flags " << flags << ", element " << i;
            }
        }
    }
}

// As a task begins: theta at its anchor, moments small. The gradient's penalty swings about it by the learning rate, the
// proximal one stays at the minimum, which lies beside the anchor.
TEST_P(Proximal, IsSteadyWhereTheGradientSwings) {
    if (offset() != 0) {
        GTEST_SKIP() << "many steps: once at each place";
    }
    double furthest[2] = {0, 0};
    for (const uint32_t flags : {0u, EWC_PROXIMAL}) {
        Quadratic quadratic(1e8);
        for (int64_t i = 0; i < Quadratic::kSize; ++i) {
            quadratic.step.theta.set(0, i, static_cast<float>(quadratic.step.anchor.get(0, i)));
        }
        double& far = furthest[flags == 0 ? 0 : 1];
        for (int64_t t = 1; t <= 20; ++t) {
            quadratic.descend_once(t, 0.05, flags);
            for (int64_t i = 0; i < Quadratic::kSize; ++i) {
                far = std::fmax(far, std::fabs(quadratic.step.theta.get(0, i) - quadratic.minimum(i)));
            }
        }
    }
    EXPECT_GT(furthest[0], 0.04);
    EXPECT_LT(furthest[1], 1e-6);
}

TEST_P(Proximal, NoStrengthMakesNan) {
    constexpr float largest = std::numeric_limits<float>::max();
    const float fishers[] = {0.0f, 1e-45f, 1e-30f, 1.0f, 1e30f, largest};
    for (const double lambda : {0.0, 1e-300, 1.0, 1e38, 1e39, 1e308}) {
        for (const double rate : {0.0, 1e-8, 1.0}) {
            Step step({6, 6}, offset());
            step.options.weight_decay = 0;
            step.values.lambda = lambda;
            step.values.learning_rate = rate;
            for (int64_t i = 0; i < 6; ++i) {
                step.fisher.set(0, i, fishers[i]);
                step.fisher.set(1, i, fishers[i]);
                step.anchor.set(1, i, static_cast<float>(step.theta.get(1, i))); // where it stood at the task's start
                step.gradient.set(1, i, 0.0f);
                step.first.set(1, i, 0.0f);
                step.second.set(1, i, 0.0f);
            }
            const auto before = step.theta.read();
            ASSERT_EQ(EWC_OK, step.run(true, EWC_PROXIMAL)) << ewc_last_error();
            for (int64_t i = 0; i < 6; ++i) {
                const double theta = step.theta.get(0, i), anchor = step.anchor.get(0, i);
                EXPECT_TRUE(std::isfinite(theta)) << lambda << " " << fishers[i];
                const double pull = static_cast<double>(fishers[i]) * std::fmin(lambda * rate, largest);
                if (pull > 1e9) { // a product beyond f32 counts as its largest number
                    EXPECT_NEAR(anchor, theta, 1e-6);
                }
                EXPECT_EQ(before[static_cast<size_t>(6 + i)], step.theta.get(1, i)); // at its anchor nothing moves
            }
            EXPECT_FALSE(std::isnan(step.statistics.displacement_norm_squared));
            EXPECT_FALSE(std::isnan(step.statistics.penalty));
        }
    }
}

// Elements without importance, and all of them where lambda is 0, are those of plain AdamW to the bit.
TEST_P(Proximal, WhereNothingPullsItIsPlainAdamW) {
    const std::vector<int64_t> sizes = {5, 65536 + 7};
    for (const bool no_lambda : {false, true}) {
        Step plain(sizes, offset()), proximal(sizes, offset());
        if (no_lambda) {
            proximal.values.lambda = 0;
        } else {
            for (int64_t i = 0; i < sizes[1]; ++i) {
                proximal.fisher.set(1, i, 0.0f);
            }
        }
        ASSERT_EQ(EWC_OK, plain.run(false)) << ewc_last_error();
        ASSERT_EQ(EWC_OK, proximal.run(true, EWC_PROXIMAL)) << ewc_last_error();
        EXPECT_EQ(plain.first.bits(), proximal.first.bits());
        EXPECT_EQ(plain.second.bits(), proximal.second.bits());
        const std::vector<double> expected = plain.theta.read(), came = proximal.theta.read();
        for (size_t i = no_lambda ? 0 : 5; i < expected.size(); ++i) {
            ASSERT_EQ(expected[i], came[i]) << i;
        }
    }
}

// The statistics are of theta before the step, and the same however the penalty acts.
TEST_P(Proximal, StatisticsAreThoseOfTheGradientPenalty) {
    const std::vector<int64_t> sizes = {5, 65536 + 7};
    Step gradient(sizes, offset()), proximal(sizes, offset());
    proximal.values.penalty_scale = 1e9; // clips the total's gradient, of which there is none here
    ASSERT_EQ(EWC_OK, gradient.run(true)) << ewc_last_error();
    ASSERT_EQ(EWC_OK, proximal.run(true, EWC_PROXIMAL)) << ewc_last_error();
    const double penalty = gradient.statistics.penalty;
    const double pull = gradient.statistics.displacement_norm_squared;
    EXPECT_NEAR(penalty, proximal.statistics.penalty, 1e-12 * penalty);
    EXPECT_NEAR(pull, proximal.statistics.displacement_norm_squared, 1e-12 * pull);
    EXPECT_EQ(gradient.statistics.gradient_norm_squared, proximal.statistics.gradient_norm_squared);
}

INSTANTIATE_TEST_SUITE_P(Of, Proximal, testing::Combine(testing::ValuesIn(places()), testing::Values(0, 1)), name_of);

} // namespace
} // namespace ewc::test
