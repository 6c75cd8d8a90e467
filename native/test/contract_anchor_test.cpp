// How Fishers and anchors of several tasks become one, against a double[] oracle, at every place.
#include <limits>

#include "contract.h"

namespace ewc::test {
namespace {

using Consolidation = Contract;

constexpr ewc_dtype kFishers[] = {EWC_F32, EWC_BF16};
constexpr ewc_dtype kAnchors[] = {EWC_F32, EWC_F16, EWC_BF16, EWC_I16_BLOCK256};

using AnchorVerb = ewc_status (*)(const ewc_exec*, const ewc_list*, const ewc_list*, const ewc_list*, double*, void*,
                                  size_t);

size_t workspace_bytes(const ewc_exec& exec, const Values& theta) {
    size_t bytes = 0;
    EXPECT_EQ(EWC_OK, ewc_anchor_workspace(&exec, theta.list(), &bytes)) << ewc_last_error();
    return bytes;
}

double change(AnchorVerb verb, const Values& anchor, const Values& theta, const Values& fisher, int32_t threads = 2) {
    const ewc_exec exec = exec_here(threads);
    const size_t bytes = workspace_bytes(exec, theta);
    const Memory workspace(bytes);
    const Placed<double> energy(-1.0);
    EXPECT_EQ(EWC_OK, verb(&exec, anchor.list(), theta.list(), fisher.list(), &energy, workspace.there(), bytes))
        << ewc_last_error();
    return energy.get();
}

double merge(const Values& anchor, const Values& theta, const Values& fisher, const Values& new_fisher,
             int32_t threads = 2) {
    const ewc_exec exec = exec_here(threads);
    const size_t bytes = workspace_bytes(exec, theta);
    const Memory workspace(bytes);
    const Placed<double> energy(-1.0);
    EXPECT_EQ(EWC_OK, ewc_anchor_merge(&exec, anchor.list(), theta.list(), fisher.list(), new_fisher.list(), &energy,
                                       workspace.there(), bytes))
        << ewc_last_error();
    return energy.get();
}

// A Fisher as learning leaves it: over many orders of magnitude, and zeros among them.
void sparsify(Values& fisher, const std::vector<int64_t>& sizes, unsigned seed) {
    std::minstd_rand random(seed);
    for (size_t segment = 0; segment < sizes.size(); ++segment) {
        for (int64_t i = 0; i < sizes[segment]; ++i) {
            const unsigned draw = static_cast<unsigned>(random() % 7);
            const double value = draw == 0 ? 0.0 : fisher.get(segment, i) * std::pow(10.0, -2.0 * draw);
            fisher.set(segment, i, static_cast<float>(value));
        }
    }
}

// The anchor may stay in the host's memory: every verb that reads or writes it gives the same bits there.
TEST_P(Consolidation, AnchorInTheHostsMemory) {
    for (const ewc_dtype dtype : kAnchors) {
        for (const auto& sizes : few_cuts()) {
            Step there(sizes, offset(), {EWC_F32, EWC_F32, dtype});
            Step host(sizes, offset(), {EWC_F32, EWC_F32, dtype}, EWC_BF16, Where::kPinned);
            for (const uint32_t flags : {0u, static_cast<uint32_t>(EWC_PROXIMAL)}) {
                ASSERT_EQ(EWC_OK, there.run(true, flags)) << ewc_last_error();
                ASSERT_EQ(EWC_OK, host.run(true, flags)) << ewc_last_error();
            }
            EXPECT_EQ(there.theta.bits(), host.theta.bits());
            EXPECT_EQ(there.statistics.penalty, host.statistics.penalty);
            EXPECT_EQ(penalty(there.theta, there.anchor, there.fisher), penalty(host.theta, host.anchor, host.fisher));

            const ewc_exec exec = exec_here();
            ASSERT_EQ(EWC_OK, ewc_convert(&exec, there.anchor.list(), there.first.list())) << ewc_last_error();
            ASSERT_EQ(EWC_OK, ewc_convert(&exec, host.anchor.list(), host.first.list())) << ewc_last_error();
            EXPECT_EQ(there.anchor.bits(), host.anchor.bits());
            if (dtype == EWC_F32) {
                for (const AnchorVerb verb : {ewc_anchor_displace, ewc_anchor_restore}) {
                    EXPECT_EQ(change(verb, there.anchor, there.theta, there.fisher),
                              change(verb, host.anchor, host.theta, host.fisher));
                    EXPECT_EQ(there.anchor.bits(), host.anchor.bits());
                }
            }
            EXPECT_TRUE(host.anchor.guards_hold());
        }
    }
}

TEST_P(Consolidation, FisherMax) {
    const ewc_exec exec = exec_here();
    for (const ewc_dtype kept : kFishers) {
        for (const ewc_dtype added : kFishers) {
            for (const auto& sizes : kept == EWC_F32 && added == EWC_F32 ? cuts() : few_cuts()) {
                const Values fisher(sizes, 1, 0, 1, offset(), kept), new_fisher(sizes, 2, 0, 1, offset(), added);
                std::vector<double> expected = fisher.read();
                const std::vector<double> f = new_fisher.read();
                for (size_t i = 0; i < f.size(); ++i) {
                    expected[i] = std::max(expected[i], f[i]);
                }
                ASSERT_EQ(EWC_OK, ewc_fisher_max(&exec, fisher.list(), new_fisher.list())) << ewc_last_error();
                expect_close(expected, fisher, kept == added ? 0 : 1);
                EXPECT_EQ(f, new_fisher.read());
                EXPECT_TRUE(new_fisher.guards_hold());
            }
        }
    }
}

TEST_P(Consolidation, FisherMaxKeepsNan) {
    const ewc_exec exec = exec_here();
    Values fisher({64}, 1, 0, 1, offset()), new_fisher({64}, 2, 0, 1, offset());
    fisher.set(0, 3, std::numeric_limits<float>::quiet_NaN());
    new_fisher.set(0, 40, std::numeric_limits<float>::quiet_NaN());
    new_fisher.set(0, 41, std::numeric_limits<float>::infinity());
    ASSERT_EQ(EWC_OK, ewc_fisher_max(&exec, fisher.list(), new_fisher.list())) << ewc_last_error();
    EXPECT_TRUE(std::isnan(fisher.get(0, 3)));
    EXPECT_TRUE(std::isnan(fisher.get(0, 40)));
    EXPECT_TRUE(std::isinf(fisher.get(0, 41)));
    EXPECT_FALSE(std::isnan(fisher.get(0, 4)));
}

TEST_P(Consolidation, DisplaceAndRestore) {
    for (const auto& sizes : cuts()) {
        const Values anchor(sizes, 1, -1, 1, offset()), theta(sizes, 2, -1, 1, offset());
        Values fisher(sizes, 3, 0, 1, offset());
        sparsify(fisher, sizes, 9);
        const auto a = anchor.read(), t = theta.read(), f = fisher.read();
        std::vector<double> displaced = a, restored = a;
        double energy = 0.0;
        for (size_t i = 0; i < a.size(); ++i) {
            displaced[i] = f[i] * (a[i] - t[i]);
            restored[i] = f[i] == 0 ? t[i] : a[i];
            energy += 0.5 * f[i] * (a[i] - t[i]) * (a[i] - t[i]);
        }
        EXPECT_NEAR(energy, change(ewc_anchor_displace, anchor, theta, fisher), 1e-6 * energy);
        expect_close(displaced, anchor, 2);
        EXPECT_NEAR(energy, change(ewc_anchor_restore, anchor, theta, fisher), 1e-6 * energy);
        expect_close(restored, anchor, 2);
        EXPECT_EQ(f, fisher.read());
        EXPECT_EQ(t, theta.read());
        EXPECT_TRUE(fisher.guards_hold() && theta.guards_hold());
    }
}

TEST_P(Consolidation, AnchorMerge) {
    for (const ewc_dtype kept : kFishers) {
        for (const ewc_dtype held : kAnchors) {
            for (const auto& sizes : kept == EWC_F32 && held == EWC_F32 ? cuts() : few_cuts()) {
                const Values anchor(sizes, 1, -1, 1, offset(), held), theta(sizes, 2, -1, 1, offset());
                Values fisher(sizes, 3, 0, 1, offset(), kept), new_fisher(sizes, 4, 0, 1, offset());
                sparsify(fisher, sizes, 9);
                sparsify(new_fisher, sizes, 10);
                const auto a = anchor.read(), t = theta.read(), f = fisher.read(), n = new_fisher.read();
                std::vector<double> total = f, merged = a;
                double energy = 0.0;
                for (size_t i = 0; i < a.size(); ++i) {
                    total[i] = f[i] + n[i];
                    merged[i] = total[i] == 0 ? t[i] : (f[i] * a[i] + n[i] * t[i]) / total[i];
                    energy += total[i] == 0 ? 0 : 0.5 * f[i] * n[i] / total[i] * (a[i] - t[i]) * (a[i] - t[i]);
                }
                EXPECT_NEAR(energy, merge(anchor, theta, fisher, new_fisher), 1e-6 * energy);
                expect_close(total, fisher, 2);
                expect_close(merged, new_fisher, 2);
                EXPECT_EQ(a, anchor.read());
                EXPECT_EQ(t, theta.read());
                EXPECT_TRUE(anchor.guards_hold() && theta.guards_hold());
            }
        }
    }
}

// The collapsed form against the explicit sum over five tasks, where the anchors lie far apart and where they differ by
// 1e-5 only; in place and in one pass.
void expect_collapsed_sum(double apart, bool in_place, int64_t offset) {
    const std::vector<int64_t> sizes = {33, 3 * 16384 + 7};
    const ewc_exec exec = exec_here();
    const Values base(sizes, 50, -0.1, 0.1), probe(sizes, 51, -apart, apart);
    const std::vector<double> center = base.read();
    Values anchor(sizes, 1, 0, 0, offset), fisher(sizes, 1, 0, 0, offset);
    double constant = 0.0;
    std::vector<std::vector<double>> anchors, fishers;
    for (unsigned task = 0; task < 5; ++task) {
        Values theta(sizes, 10 + task, -apart, apart, offset), added(sizes, 20 + task, 0, 1, offset);
        sparsify(added, sizes, 30 + task);
        size_t k = 0;
        for (size_t segment = 0; segment < sizes.size(); ++segment) {
            for (int64_t i = 0; i < sizes[segment]; ++i, ++k) {
                theta.set(segment, i, static_cast<float>(center[k] + theta.get(segment, i)));
            }
        }
        anchors.push_back(theta.read());
        fishers.push_back(added.read());
        if (in_place) {
            constant += change(ewc_anchor_displace, anchor, theta, fisher);
            ASSERT_EQ(EWC_OK, ewc_fisher_merge(&exec, fisher.list(), added.list(), 1.0, 1.0)) << ewc_last_error();
            constant -= change(ewc_anchor_restore, anchor, theta, fisher);
        } else {
            constant += merge(anchor, theta, fisher, added);
            ASSERT_EQ(EWC_OK, ewc_convert(&exec, anchor.list(), added.list())) << ewc_last_error();
        }
    }
    Values theta(sizes, 1, 0, 0, offset);
    const std::vector<double> moved = probe.read();
    double expected = 0.0;
    size_t k = 0;
    for (size_t segment = 0; segment < sizes.size(); ++segment) {
        for (int64_t i = 0; i < sizes[segment]; ++i, ++k) {
            theta.set(segment, i, static_cast<float>(center[k] + moved[k]));
            for (size_t task = 0; task < 5; ++task) {
                const double away = theta.get(segment, i) - anchors[task][k];
                expected += 0.5 * fishers[task][k] * away * away;
            }
        }
    }
    EXPECT_NEAR(expected, penalty(theta, anchor, fisher) + constant, 1e-4 * expected)
        << "anchors apart by " << apart << (in_place ? ", in place" : ", in one pass");
    EXPECT_GT(constant, 0.05 * expected) << "the case does not see the constant";
}

TEST_P(Consolidation, FiveTasksCollapseToTheExplicitSum) {
    for (const double apart : {0.1, 1e-3, 1e-5}) {
        expect_collapsed_sum(apart, true, offset());
        expect_collapsed_sum(apart, false, offset());
    }
}

TEST_P(Consolidation, SameBitsForAnyThreadCount) {
    const std::vector<int64_t> sizes = {5, 3 * 65536 + 7, 3 * 16384};
    std::string once;
    for (const int32_t threads : {1, 2, 3, 0}) {
        const Values anchor(sizes, 1, -1, 1, offset()), theta(sizes, 2, -1, 1, offset());
        const Values fisher(sizes, 3, 0, 1, offset()), added(sizes, 4, 0, 1, offset());
        const double sums[] = {change(ewc_anchor_displace, anchor, theta, fisher, threads),
                               change(ewc_anchor_restore, anchor, theta, fisher, threads),
                               merge(anchor, theta, fisher, added, threads)};
        const std::string bits = std::string(reinterpret_cast<const char*>(sums), sizeof(sums)) + anchor.bits() +
                                 fisher.bits() + added.bits();
        if (once.empty()) {
            once = bits;
        }
        EXPECT_TRUE(once == bits) << threads << " threads";
    }
}

TEST_P(Consolidation, NanStays) {
    const std::vector<int64_t> sizes = {40};
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Values theta(sizes, 2, -1, 1, offset());
    Values anchor(sizes, 1, -1, 1, offset()), fisher(sizes, 3, 0, 1, offset()), added(sizes, 4, 0, 1, offset());
    fisher.set(0, 7, nan);
    EXPECT_TRUE(std::isnan(change(ewc_anchor_displace, anchor, theta, fisher)));
    EXPECT_TRUE(std::isnan(change(ewc_anchor_restore, anchor, theta, fisher)));
    EXPECT_TRUE(std::isnan(anchor.get(0, 7)));
    EXPECT_FALSE(std::isnan(anchor.get(0, 8)));
    EXPECT_TRUE(std::isnan(merge(anchor, theta, fisher, added)));
    EXPECT_TRUE(std::isnan(added.get(0, 7)));
}

INSTANTIATE_TEST_SUITE_P(At, Consolidation, testing::Combine(testing::ValuesIn(places()), testing::Values(0, 1)),
                         name_of);

} // namespace
} // namespace ewc::test
