// Every verb against a double[] oracle: all sizes, two alignments, every instruction set of this CPU; bits for bits over
// repeats and thread counts; the penalty gradient against finite differences; NaN and Inf.
#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "host_kernels.h"
#include "lists.h"

namespace ewc::test {
namespace {

using Case = std::tuple<const char*, int64_t>; // instruction set, elements of misalignment

class Verbs : public testing::TestWithParam<Case> {
protected:
    void SetUp() override {
        const HostKernels* kernels = host_kernels_named(std::get<0>(GetParam()));
        if (kernels == nullptr) {
            GTEST_SKIP() << "this CPU or build has no " << std::get<0>(GetParam());
        }
        force_host_kernels(kernels);
    }
    void TearDown() override { force_host_kernels(nullptr); }

    static int64_t offset() { return std::get<1>(GetParam()); }
};

// Close to within a few roundings of f32 at the size of the terms.
void expect_close(const std::vector<double>& expected, const std::vector<double>& came, double terms) {
    ASSERT_EQ(expected.size(), came.size());
    for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(expected[i], came[i], 4e-7 * terms) << "element " << i;
    }
}

double norm_squared(const ewc_exec& exec, const ewc_list* gradient) {
    size_t bytes = 0;
    EXPECT_EQ(EWC_OK, ewc_norm_workspace(&exec, gradient, &bytes)) << ewc_last_error();
    Workspace workspace(bytes);
    double sum = -1.0;
    EXPECT_EQ(EWC_OK, ewc_norm(&exec, gradient, nullptr, nullptr, nullptr, nullptr, &sum, workspace.data(), bytes))
        << ewc_last_error();
    return sum;
}

double total_norm_squared(const ewc_exec& exec, const Values& g, const Values& t, const Values& a, const Values& f,
                          double lambda) {
    size_t bytes = 0;
    EXPECT_EQ(EWC_OK, ewc_norm_workspace(&exec, g.list(), &bytes));
    Workspace workspace(bytes);
    double sum = -1.0;
    EXPECT_EQ(EWC_OK,
              ewc_norm(&exec, g.list(), t.list(), a.list(), f.list(), &lambda, &sum, workspace.data(), bytes))
        << ewc_last_error();
    return sum;
}

double penalty(const ewc_exec& exec, const Values& t, const Values& a, const Values& f, const ewc_list* g = nullptr,
               const double* lambda = nullptr) {
    size_t bytes = 0;
    EXPECT_EQ(EWC_OK, ewc_penalty_workspace(&exec, t.list(), &bytes));
    Workspace workspace(bytes);
    double sum = -1.0;
    EXPECT_EQ(EWC_OK, ewc_penalty(&exec, t.list(), a.list(), f.list(), g, lambda, &sum, workspace.data(), bytes))
        << ewc_last_error();
    return sum;
}

TEST_P(Verbs, FisherAccumulate) {
    const ewc_exec exec = host(2);
    for (const auto& sizes : cuts()) {
        for (const uint32_t flags : {0u, EWC_ZERO_GRADIENT}) {
            Values fisher(sizes, 1, 0, 1, offset());
            Values gradient(sizes, 2, -2, 2, offset());
            std::vector<double> expected = fisher.read();
            const std::vector<double> g = gradient.read();
            for (size_t i = 0; i < g.size(); ++i) {
                expected[i] += 0.3 * g[i] * g[i];
            }
            ASSERT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, fisher.list(), gradient.list(), 0.3, flags));
            expect_close(expected, fisher.read(), 2.2);
            EXPECT_EQ(flags == 0 ? g : std::vector<double>(g.size(), 0.0), gradient.read());
            EXPECT_TRUE(fisher.guards_hold() && gradient.guards_hold());
        }
    }
}

TEST_P(Verbs, FisherMerge) {
    const ewc_exec exec = host(2);
    for (const auto& sizes : cuts()) {
        for (const auto& [retain, weight] :
             {std::pair{0.25, 0.75}, std::pair{0.0, 2.0}, std::pair{1.5, 0.0}, std::pair{0.0, 0.0}}) {
            for (const bool given : {true, false}) {
                Values fisher(sizes, 1, 0, 1, offset());
                Values added(sizes, 2, 0, 1, offset());
                std::vector<double> expected = fisher.read();
                const std::vector<double> f = added.read();
                for (size_t i = 0; i < f.size(); ++i) {
                    expected[i] = retain * expected[i] + (given ? weight * f[i] : 0.0);
                }
                ASSERT_EQ(EWC_OK,
                          ewc_fisher_merge(&exec, fisher.list(), given ? added.list() : nullptr, retain, weight));
                expect_close(expected, fisher.read(), 2);
                EXPECT_EQ(f, added.read());
                EXPECT_TRUE(fisher.guards_hold());
            }
        }
    }
}

TEST_P(Verbs, PenaltyAndNorms) {
    const ewc_exec exec = host(3);
    const double lambda = 3.0;
    for (const auto& sizes : cuts()) {
        Values theta(sizes, 1, -1, 1, offset()), anchor(sizes, 2, -1, 1, offset()), fisher(sizes, 3, 0, 1, offset());
        Values gradient(sizes, 4, -1, 1, offset());
        const auto t = theta.read(), a = anchor.read(), f = fisher.read(), g = gradient.read();
        double terms = 0, squares = 0, total = 0;
        std::vector<double> expected = g;
        for (size_t i = 0; i < t.size(); ++i) {
            terms += 0.5 * f[i] * (a[i] - t[i]) * (a[i] - t[i]);
            squares += g[i] * g[i];
            expected[i] += lambda * f[i] * (t[i] - a[i]);
            total += expected[i] * expected[i];
        }
        EXPECT_NEAR(terms, penalty(exec, theta, anchor, fisher), 1e-7 * terms);
        EXPECT_NEAR(squares, norm_squared(exec, gradient.list()), 1e-12 * squares);
        EXPECT_NEAR(total, total_norm_squared(exec, gradient, theta, anchor, fisher, lambda), 3e-7 * total);
        EXPECT_EQ(g, gradient.read());
        EXPECT_NEAR(terms, penalty(exec, theta, anchor, fisher, gradient.list(), &lambda), 1e-7 * terms);
        expect_close(expected, gradient.read(), 8);
        EXPECT_TRUE(gradient.guards_hold());
    }
}

struct Step {
    Values theta, first, second, gradient, fisher, anchor;
    ewc_adamw_statistics statistics{};

    explicit Step(const std::vector<int64_t>& sizes, int64_t offset = 0)
        : theta(sizes, 1, -1, 1, offset), first(sizes, 2, -0.1, 0.1, offset), second(sizes, 3, 0, 0.1, offset),
          gradient(sizes, 4, -1, 1, offset), fisher(sizes, 5, 0, 1, offset), anchor(sizes, 6, -1, 1, offset) {}

    ewc_status run(const ewc_exec& exec, const ewc_adamw_options& options, const ewc_adamw_values& values, bool ewc,
                   uint32_t flags = 0) {
        size_t bytes = 0;
        EXPECT_EQ(EWC_OK, ewc_adamw_step_workspace(&exec, theta.list(), &bytes));
        Workspace workspace(bytes);
        return ewc_adamw_step(&exec, theta.list(), first.list(), second.list(), gradient.list(),
                              ewc ? fisher.list() : nullptr, ewc ? anchor.list() : nullptr, &options, &values, flags,
                              &statistics, workspace.data(), bytes);
    }
};

const ewc_adamw_options kOptions = {sizeof(ewc_adamw_options), 0.9, 0.999, 1e-8, 0.1};
const ewc_adamw_values kValues = {3, 1e-2, 2.0, 0.5, 0.25};

void expect_step(Step& step, bool ewc, uint32_t flags) {
    const auto g = step.gradient.read(), f = step.fisher.read(), a = step.anchor.read();
    auto t = step.theta.read(), m = step.first.read(), v = step.second.read();
    double terms = 0, squares = 0, pulls = 0;
    for (size_t i = 0; i < t.size(); ++i) {
        const double pull = ewc ? 2.0 * f[i] * (t[i] - a[i]) : 0.0;
        terms += ewc ? 0.5 * f[i] * (a[i] - t[i]) * (a[i] - t[i]) : 0.0;
        squares += g[i] * g[i];
        pulls += pull * pull;
        const double scaled = 0.5 * g[i] + 0.25 * pull;
        m[i] = 0.9 * m[i] + 0.1 * scaled;
        v[i] = 0.999 * v[i] + 0.001 * scaled * scaled;
        t[i] = t[i] * (1 - 1e-2 * 0.1) -
               1e-2 * m[i] / (1 - std::pow(0.9, 3)) / (std::sqrt(v[i] / (1 - std::pow(0.999, 3))) + 1e-8);
    }
    const ewc_status status = step.run(host(2), kOptions, kValues, ewc, flags);
    ASSERT_EQ(EWC_OK, status) << ewc_last_error();
    expect_close(m, step.first.read(), 1);
    expect_close(v, step.second.read(), 1);
    expect_close(t, step.theta.read(), 2);
    EXPECT_NEAR(terms, step.statistics.penalty, 1e-7 * terms);
    EXPECT_NEAR(squares, step.statistics.gradient_norm_squared, 1e-12 * squares);
    EXPECT_NEAR(pulls, step.statistics.penalty_gradient_norm_squared, 1e-7 * pulls);
    EXPECT_EQ(flags == 0 ? g : std::vector<double>(g.size(), 0.0), step.gradient.read());
    EXPECT_EQ(f, step.fisher.read());
    EXPECT_EQ(a, step.anchor.read());
    EXPECT_TRUE(step.theta.guards_hold() && step.first.guards_hold() && step.second.guards_hold() &&
                step.gradient.guards_hold());
}

TEST_P(Verbs, AdamWStep) {
    for (const auto& sizes : cuts()) {
        for (const bool ewc : {true, false}) {
            for (const uint32_t flags : {0u, EWC_ZERO_GRADIENT}) {
                Step step(sizes, offset());
                expect_step(step, ewc, flags);
            }
        }
    }
}

// Everything that a verb leaves, bit for bit, on repeats and for 1, 2 and 3 threads.
TEST_P(Verbs, SameBitsForAnyThreadCount) {
    const std::vector<int64_t> sizes = {5, 0, 7 * kChunk + 7, 1, 33, 3 * kChunk};
    const auto everything = [&](int32_t threads) {
        Step step(sizes, offset());
        std::vector<double> all;
        EXPECT_EQ(EWC_OK, step.run(host(threads), kOptions, kValues, true));
        const ewc_exec exec = host(threads);
        const double lambda = 2.0;
        all.push_back(penalty(exec, step.theta, step.anchor, step.fisher, step.gradient.list(), &lambda));
        all.push_back(norm_squared(exec, step.gradient.list()));
        all.push_back(total_norm_squared(exec, step.gradient, step.theta, step.anchor, step.fisher, 2.0));
        EXPECT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, step.fisher.list(), step.gradient.list(), 0.3, 0));
        EXPECT_EQ(EWC_OK, ewc_fisher_merge(&exec, step.fisher.list(), step.gradient.list(), 0.3, 0.7));
        all.insert(all.end(), {step.statistics.penalty, step.statistics.gradient_norm_squared,
                               step.statistics.penalty_gradient_norm_squared});
        for (const Values* values : {&step.theta, &step.first, &step.second, &step.gradient, &step.fisher}) {
            const auto read = values->read();
            all.insert(all.end(), read.begin(), read.end());
        }
        return all;
    };
    const std::vector<double> once = everything(1);
    for (const int32_t threads : {1, 2, 3, 0}) {
        EXPECT_TRUE(once == everything(threads)) << threads << " threads";
    }
}

TEST_P(Verbs, PenaltyGradientAgainstFiniteDifferences) {
    const ewc_exec exec = host(1);
    const std::vector<int64_t> sizes = {19};
    Values theta(sizes, 1, -1, 1), anchor(sizes, 2, -1, 1), fisher(sizes, 3, 0, 1), gradient(sizes, 4, 0, 0);
    const double lambda = 1.0;
    penalty(exec, theta, anchor, fisher, gradient.list(), &lambda);
    for (int64_t i = 0; i < sizes[0]; ++i) {
        const float there = theta.at(0, i);
        const float above = there + 0.015625f, below = there - 0.015625f;
        theta.at(0, i) = above;
        const double up = penalty(exec, theta, anchor, fisher);
        theta.at(0, i) = below;
        const double down = penalty(exec, theta, anchor, fisher);
        theta.at(0, i) = there;
        EXPECT_NEAR((up - down) / (static_cast<double>(above) - below), gradient.at(0, i), 2e-5);
    }
}

TEST_P(Verbs, NanAndInfPropagate) {
    const ewc_exec exec = host(2);
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
    const std::vector<int64_t> sizes = {40, kChunk + 3};
    for (const float value : bad) {
        for (const int64_t index : {int64_t{0}, kChunk, kChunk + 2}) {
            Step step(sizes, offset());
            step.gradient.at(1, index) = value;
            EXPECT_FALSE(std::isfinite(norm_squared(exec, step.gradient.list())));
            EXPECT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, step.fisher.list(), step.gradient.list(), 0.5, 0));
            EXPECT_FALSE(std::isfinite(step.fisher.at(1, index)));
            EXPECT_FALSE(std::isfinite(penalty(exec, step.theta, step.anchor, step.fisher)));
            EXPECT_EQ(EWC_OK, step.run(exec, kOptions, kValues, true));
            EXPECT_TRUE(std::isnan(step.theta.at(1, index)));
            EXPECT_TRUE(std::isfinite(step.theta.at(1, index == 0 ? 1 : index - 1)));
            EXPECT_FALSE(std::isfinite(step.statistics.gradient_norm_squared));
            // A merge that retains nothing is the way out of a spoiled Fisher.
            EXPECT_EQ(EWC_OK, ewc_fisher_merge(&exec, step.fisher.list(), nullptr, 0.0, 0.0));
            EXPECT_EQ(0.0f, step.fisher.at(1, index));
        }
    }
}

TEST_P(Verbs, NormsBeyondTheRangeOfFloat) {
    Values gradient({3}, 1, 0, 0, offset());
    gradient.at(0, 0) = 3e30f;
    gradient.at(0, 1) = 4e30f;
    EXPECT_NEAR(5e30, std::sqrt(norm_squared(host(1), gradient.list())), 1e24);
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
    return std::string(std::get<0>(info.param)) + (std::get<1>(info.param) == 0 ? "" : "_misaligned");
}

INSTANTIATE_TEST_SUITE_P(Host, Verbs,
                         testing::Combine(testing::Values("portable", "avx2", "avx512"), testing::Values(0, 1)), name_of);

} // namespace
} // namespace ewc::test
