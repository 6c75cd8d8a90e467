// The fixture of the contract's cases: one place and one misalignment, in elements, a case.
#pragma once

#include <gtest/gtest.h>

#include "lists.h"

namespace ewc::test {

class Contract : public testing::TestWithParam<std::tuple<Place*, int64_t>> {
protected:
    void SetUp() override {
        Place* place = std::get<0>(GetParam());
        go_to(place);
        if (!place->missing().empty()) {
            GTEST_SKIP() << place->missing();
        }
        place->enter();
        entered_ = true;
    }
    void TearDown() override {
        if (entered_) {
            here().finish();
            here().leave();
        }
    }
    static int64_t offset() { return std::get<1>(GetParam()); }

private:
    bool entered_ = false;
};

// The case's place, by which filters choose (bench/gpu/contract_tests.sh), and whether it is misaligned.
inline std::string name_of(const testing::TestParamInfo<Contract::ParamType>& info) {
    return std::get<0>(info.param)->name() + (std::get<1>(info.param) == 0 ? "" : "_misaligned");
}

// Half a step of the dtype at that value: what one rounding may cost.
inline double rounding(ewc_dtype dtype, double value) {
    switch (dtype) {
    case EWC_F16:
        return std::fabs(value) / 2048 + 3e-8;
    case EWC_BF16:
        return std::fabs(value) / 256;
    default:
        return 0.0;
    }
}

// Close to within a few roundings of f32 at the size of the terms, and one of the dtype that holds the result.
inline void expect_close(const std::vector<double>& expected, const Values& values, double terms) {
    const std::vector<double> came = values.read();
    ASSERT_EQ(expected.size(), came.size());
    for (size_t i = 0; i < expected.size(); ++i) {
        const double allowed = 4e-7 * terms + 1.001 * rounding(values.dtype(), expected[i]);
        if (!(std::fabs(expected[i] - came[i]) <= allowed)) { // an ASSERT an element would take most of the test's time
            FAIL() << "element " << i << " of dtype " << values.dtype() << ": expected " << expected[i] << " within "
                   << allowed << ", came " << came[i];
        }
    }
    EXPECT_TRUE(values.guards_hold());
}

inline double norm_squared(const Values& gradient, int32_t threads = 2, const Values* theta = nullptr,
                           const Values* anchor = nullptr, const Values* fisher = nullptr, double lambda = 0.0,
                           const double* segment_lambda = nullptr) {
    const ewc_exec exec = exec_here(threads);
    size_t bytes = 0;
    EXPECT_EQ(EWC_OK, ewc_norm_workspace(&exec, gradient.list(), &bytes)) << ewc_last_error();
    const Memory workspace(bytes);
    const Placed<double> strength(lambda), sum(-1.0);
    const bool total = theta != nullptr;
    EXPECT_EQ(EWC_OK, ewc_norm(&exec, gradient.list(), total ? theta->list() : nullptr,
                               total ? anchor->list() : nullptr, total ? fisher->list() : nullptr,
                               total ? &strength : nullptr, segment_lambda, &sum, workspace.there(), bytes))
        << ewc_last_error();
    return sum.get();
}

inline double penalty(const Values& theta, const Values& anchor, const Values& fisher, int32_t threads = 2,
                      const Values* gradient = nullptr, double lambda = 0.0, const double* segment_lambda = nullptr) {
    const ewc_exec exec = exec_here(threads);
    size_t bytes = 0;
    EXPECT_EQ(EWC_OK, ewc_penalty_workspace(&exec, theta.list(), &bytes)) << ewc_last_error();
    const Memory workspace(bytes);
    const Placed<double> strength(lambda), sum(-1.0);
    EXPECT_EQ(EWC_OK, ewc_penalty(&exec, theta.list(), anchor.list(), fisher.list(),
                                  gradient == nullptr ? nullptr : gradient->list(),
                                  gradient == nullptr ? nullptr : &strength, segment_lambda, &sum, workspace.there(),
                                  bytes))
        << ewc_last_error();
    return sum.get();
}

// What AdamW with EWC works on, and one step of it.
struct Dtypes {
    ewc_dtype gradient = EWC_F32;
    ewc_dtype fisher = EWC_F32;
    ewc_dtype anchor = EWC_F32;
};

// How many elements each list of a step lies behind an aligned address.
struct Offsets {
    int64_t theta = 0, first = 0, second = 0, gradient = 0, fisher = 0, anchor = 0, copy = 0;
};

struct Step {
    Values theta, first, second, gradient, fisher, anchor, copy;
    ewc_adamw_options options = {sizeof(ewc_adamw_options), 0.9, 0.999, 1e-8, 0.1, nullptr, nullptr, nullptr, nullptr};
    ewc_adamw_values values = {3, 1e-2, 2.0, 0.5, 0.25};
    ewc_adamw_statistics statistics{};

    explicit Step(const std::vector<int64_t>& sizes, int64_t offset = 0, Dtypes dtypes = {},
                  ewc_dtype copied = EWC_BF16, Where anchor_at = Where::kPlace)
        : Step(sizes, Offsets{offset, offset, offset, offset, offset, offset, offset}, dtypes, copied, anchor_at) {}

    Step(const std::vector<int64_t>& sizes, const Offsets& at, Dtypes dtypes, ewc_dtype copied = EWC_BF16,
         Where anchor_at = Where::kPlace)
        : theta(sizes, 1, -1, 1, at.theta), first(sizes, 2, -0.1, 0.1, at.first), second(sizes, 3, 0, 0.1, at.second),
          gradient(sizes, 4, -1, 1, at.gradient, dtypes.gradient), fisher(sizes, 5, 0, 1, at.fisher, dtypes.fisher),
          anchor(sizes, 6, -1, 1, at.anchor, dtypes.anchor, anchor_at), copy(sizes, 7, 0, 1, at.copy, copied) {}

    ewc_status run(bool ewc, uint32_t flags = 0, int32_t threads = 2) {
        const ewc_exec exec = exec_here(threads);
        size_t bytes = 0;
        EXPECT_EQ(EWC_OK, ewc_adamw_step_workspace(&exec, theta.list(), &bytes)) << ewc_last_error();
        const Memory workspace(bytes);
        const Placed<ewc_adamw_values> placed(values);
        const Placed<ewc_adamw_statistics> reduced(statistics);
        const ewc_status status = ewc_adamw_step(&exec, theta.list(), first.list(), second.list(), gradient.list(),
                                                 ewc ? fisher.list() : nullptr, ewc ? anchor.list() : nullptr,
                                                 &options, &placed, flags, &reduced, workspace.there(), bytes);
        statistics = reduced.get();
        return status;
    }
};

} // namespace ewc::test
