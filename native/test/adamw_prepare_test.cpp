// What a norm makes of the step after it, at every place.
#include <cmath>
#include <limits>

#include "contract.h"

namespace ewc::test {
namespace {

using AdamWPrepare = Contract;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Prepared {
    ewc_adamw_values values;
    int64_t skipped;
};

Prepared prepare(double norm_squared, double clip_norm, uint32_t flags, int64_t skipped = 0) {
    const ewc_exec exec = exec_here(1);
    const Placed<double> norm(norm_squared);
    const Placed<int64_t> counter(skipped);
    const Placed<ewc_adamw_values> values(ewc_adamw_values{7, 1e-2, 2.0, 0.5, 0.25});
    EXPECT_EQ(EWC_OK, ewc_adamw_prepare(&exec, &norm, clip_norm, flags, &counter, &values)) << ewc_last_error();
    return {values.get(), counter.get()};
}

TEST_P(AdamWPrepare, ClipsAsPyTorch) {
    const Prepared above = prepare(16.0, 2.0, 0);
    EXPECT_DOUBLE_EQ(0.5 * 2.0 / (4.0 + 1e-6), above.values.gradient_scale);
    EXPECT_EQ(0.25, above.values.penalty_scale);
    EXPECT_EQ(7, above.values.step);
    const Prepared total = prepare(16.0, 2.0, EWC_CLIP_TOTAL);
    EXPECT_DOUBLE_EQ(0.5 * 2.0 / (4.0 + 1e-6), total.values.gradient_scale);
    EXPECT_DOUBLE_EQ(0.25 * 2.0 / (4.0 + 1e-6), total.values.penalty_scale);
    for (const double clip_norm : {4.1, kInfinity}) {
        const Prepared below = prepare(16.0, clip_norm, EWC_CLIP_TOTAL);
        EXPECT_EQ(0.5, below.values.gradient_scale);
        EXPECT_EQ(0.25, below.values.penalty_scale);
    }
    EXPECT_EQ(1e-2, above.values.learning_rate);
    EXPECT_EQ(2.0, above.values.lambda);
}

TEST_P(AdamWPrepare, ANormThatIsNotFiniteSkipsOnRequestAlone) {
    for (const double norm : {kNan, kInfinity}) {
        const Prepared skipped = prepare(norm, 1.0, EWC_SKIP_NONFINITE, 3);
        EXPECT_EQ(0, skipped.values.step);
        EXPECT_EQ(4, skipped.skipped);
        const Prepared kept = prepare(norm, kInfinity, 0, 3);
        EXPECT_EQ(7, kept.values.step);
        EXPECT_EQ(3, kept.skipped);
        EXPECT_EQ(0.5, kept.values.gradient_scale);
    }
    EXPECT_TRUE(std::isnan(prepare(kNan, 1.0, 0).values.gradient_scale)); // it stays to be seen
}

TEST_P(AdamWPrepare, SkippedStepsDoNotCount) {
    const Prepared after = prepare(1.0, kInfinity, EWC_SKIP_NONFINITE, 3);
    EXPECT_EQ(4, after.values.step);
    EXPECT_EQ(3, after.skipped);
}

INSTANTIATE_TEST_SUITE_P(Of, AdamWPrepare, testing::Combine(testing::ValuesIn(places()), testing::Values(0)),
                         name_of);

} // namespace
} // namespace ewc::test
