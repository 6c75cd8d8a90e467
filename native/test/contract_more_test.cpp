// What holds beside the formulas: the same bits on repeats and for any thread count, finite differences, NaN and Inf,
// norms beyond the range of f32, the roundings at their edges.
#include <functional>
#include <limits>

#include "contract.h"

namespace ewc::test {
namespace {

using Properties = Contract;

// Everything that the verbs leave, as bits.
std::string everything(const Dtypes& dtypes, int64_t offset, int32_t threads, uint32_t flags) {
    const ewc_exec exec = exec_here(threads);
    const std::vector<int64_t> sizes = {5, 0, 3 * 65536 + 7, 1, 33, 3 * 16384};
    Step step(sizes, offset, dtypes);
    step.options.theta_copy = step.copy.list();
    EXPECT_EQ(EWC_OK, step.run(true, flags, threads)) << ewc_last_error();
    const double sums[] = {step.statistics.penalty,
                           step.statistics.gradient_norm_squared,
                           step.statistics.displacement_norm_squared,
                           penalty(step.theta, step.anchor, step.fisher, threads, &step.gradient, 2.0),
                           norm_squared(step.gradient, threads),
                           norm_squared(step.gradient, threads, &step.theta, &step.anchor, &step.fisher, 2.0)};
    std::string bits(reinterpret_cast<const char*>(sums), sizeof(sums));
    const Values quantised(sizes, 8, 0, 1, offset, EWC_I16_BLOCK256);
    EXPECT_EQ(EWC_OK, ewc_convert(&exec, quantised.list(), step.theta.list())) << ewc_last_error();
    EXPECT_EQ(EWC_OK, ewc_fisher_merge(&exec, step.fisher.list(), step.first.list(), 0.3, 0.7)) << ewc_last_error();
    EXPECT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, step.theta.list(), step.gradient.list(), 0.3, 0)) << ewc_last_error();
    for (const auto& values : {std::cref(step.theta), std::cref(step.first), std::cref(step.second),
                               std::cref(step.gradient), std::cref(step.fisher), std::cref(step.copy),
                               std::cref(quantised)}) {
        bits += values.get().bits();
    }
    return bits;
}

TEST_P(Properties, SameBitsForAnyThreadCount) {
    for (const Dtypes& dtypes : {Dtypes{}, Dtypes{EWC_F16, EWC_BF16, EWC_I16_BLOCK256}}) {
        for (const uint32_t flags : {0u, EWC_PROXIMAL}) {
            const std::string once = everything(dtypes, offset(), 1, flags);
            for (const int32_t threads : {1, 2, 3, 0}) {
                EXPECT_TRUE(once == everything(dtypes, offset(), threads, flags)) << threads << " threads";
            }
        }
    }
}

// What verbs that walk lists leave: their sums, and the values of all lists one behind the other.
struct Left {
    std::vector<double> sums, values;

    void keep(const Values& list) {
        const std::vector<double> read = list.read();
        values.insert(values.end(), read.begin(), read.end());
        EXPECT_TRUE(list.guards_hold());
    }
};

void leave_steps_and_penalties(const std::vector<int64_t>& sizes, const Offsets& at, const Dtypes& dtypes, Left& left) {
    for (const uint32_t flags : {0u, EWC_ZERO_GRADIENT, EWC_PROXIMAL}) {
        for (const bool ewc : {true, false}) {
            Step step(sizes, at, dtypes);
            step.options.theta_copy = step.copy.list();
            EXPECT_EQ(EWC_OK, step.run(ewc, flags)) << ewc_last_error();
            for (const Values* list : {&step.theta, &step.first, &step.second, &step.gradient, &step.copy}) {
                left.keep(*list);
            }
            left.sums.push_back(step.statistics.penalty);
            left.sums.push_back(step.statistics.gradient_norm_squared);
            left.sums.push_back(step.statistics.displacement_norm_squared);
        }
    }
    const Step lists(sizes, at, dtypes);
    left.sums.push_back(penalty(lists.theta, lists.anchor, lists.fisher));
    left.sums.push_back(norm_squared(lists.gradient, 2, &lists.theta, &lists.anchor, &lists.fisher, 2.0));
    left.sums.push_back(penalty(lists.theta, lists.anchor, lists.fisher, 2, &lists.gradient, 2.0));
    left.keep(lists.gradient);
    left.sums.push_back(norm_squared(lists.gradient));
}

void leave_fishers_and_anchors(const std::vector<int64_t>& sizes, const Offsets& at, const Dtypes& dtypes, Left& left) {
    const ewc_exec exec = exec_here();
    const Step lists(sizes, at, dtypes);
    EXPECT_EQ(EWC_OK, ewc_convert(&exec, lists.copy.list(), lists.anchor.list())) << ewc_last_error();
    left.keep(lists.copy);
    EXPECT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, lists.second.list(), lists.gradient.list(), 0.3, 0)) << ewc_last_error();
    left.keep(lists.second);
    EXPECT_EQ(EWC_OK, ewc_fisher_merge(&exec, lists.second.list(), lists.fisher.list(), 0.3, 0.7)) << ewc_last_error();
    left.keep(lists.second);
    EXPECT_EQ(EWC_OK, ewc_fisher_max(&exec, lists.second.list(), lists.fisher.list())) << ewc_last_error();
    left.keep(lists.second);
    size_t bytes = 0;
    EXPECT_EQ(EWC_OK, ewc_anchor_workspace(&exec, lists.theta.list(), &bytes)) << ewc_last_error();
    const Memory workspace(bytes);
    const Placed<double> energy(-1.0);
    for (const auto verb : {ewc_anchor_displace, ewc_anchor_restore}) {
        EXPECT_EQ(EWC_OK, verb(&exec, lists.first.list(), lists.theta.list(), lists.second.list(), &energy,
                               workspace.there(), bytes))
            << ewc_last_error();
        left.sums.push_back(energy.get());
        left.keep(lists.first);
    }
    const Values added(sizes, 8, 0, 1, at.gradient);
    EXPECT_EQ(EWC_OK, ewc_anchor_merge(&exec, lists.anchor.list(), lists.theta.list(), lists.second.list(), added.list(),
                                       &energy, workspace.there(), bytes))
        << ewc_last_error();
    left.sums.push_back(energy.get());
    left.keep(lists.second);
    left.keep(added);
}

Left left_by_all_verbs(const std::vector<int64_t>& sizes, const Offsets& at, const Dtypes& dtypes) {
    Left left;
    leave_steps_and_penalties(sizes, at, dtypes, left);
    leave_fishers_and_anchors(sizes, at, dtypes, left);
    return left;
}

// The order of each sum is fixed by the sizes alone, so where the lists lie changes no bit: all aligned, all not, one apart.
TEST_P(Properties, SameBitsWhereverTheListsLie) {
    const std::vector<int64_t> sizes = {5, 16384 + 4096 + 7, 1027};
    for (const Dtypes& dtypes : {Dtypes{}, Dtypes{EWC_F16, EWC_BF16, EWC_I16_BLOCK256}}) {
        const Left aligned = left_by_all_verbs(sizes, Offsets{}, dtypes);
        const int64_t all = offset();
        const Offsets same = {all, all, all, all, all, all, all};
        for (int64_t Offsets::*apart : {&Offsets::theta, &Offsets::first, &Offsets::second, &Offsets::gradient,
                                        &Offsets::fisher, &Offsets::anchor, &Offsets::copy}) {
            Offsets at = same;
            at.*apart = 1 - all;
            const Left left = left_by_all_verbs(sizes, at, dtypes);
            EXPECT_TRUE(aligned.sums == left.sums && aligned.values == left.values);
        }
        const Left left = left_by_all_verbs(sizes, same, dtypes);
        EXPECT_TRUE(aligned.sums == left.sums && aligned.values == left.values);
    }
}

// Lists of more segments than a launch takes leave what one segment of all their elements leaves. (Steps and penalties of as
// many are in contract_test.cpp, with factors for each segment.)
TEST_P(Properties, MoreSegmentsThanALaunchTakes) {
    if (offset() != 0) {
        GTEST_SKIP() << "many blocks: once at each place";
    }
    const std::vector<int64_t> sizes = many_segments();
    int64_t all = 0;
    for (const int64_t size : sizes) {
        all += size;
    }
    Left many, one;
    leave_fishers_and_anchors(sizes, {}, {}, many);
    leave_fishers_and_anchors({all}, {}, {}, one);
    ASSERT_EQ(one.sums.size(), many.sums.size());
    ASSERT_EQ(one.values.size(), many.values.size());
    for (size_t i = 0; i < one.sums.size(); ++i) {
        EXPECT_NEAR(one.sums[i], many.sums[i], 1e-9 * std::fabs(one.sums[i])) << i;
    }
    for (size_t i = 0; i < one.values.size(); ++i) {
        ASSERT_NEAR(one.values[i], many.values[i], 1e-6 * (1.0 + std::fabs(one.values[i]))) << i;
    }
}

// Zeroing and copying ride along; they must not change a bit of what else is computed.
TEST_P(Properties, ZeroingAndCopyingChangeNothingElse) {
    const std::vector<int64_t> sizes = {5, 65536 + 7};
    Step plain(sizes, offset()), both(sizes, offset());
    both.options.theta_copy = both.copy.list();
    EXPECT_EQ(EWC_OK, plain.run(true));
    EXPECT_EQ(EWC_OK, both.run(true, EWC_ZERO_GRADIENT));
    EXPECT_EQ(plain.theta.bits(), both.theta.bits());
    EXPECT_EQ(plain.second.bits(), both.second.bits());
    EXPECT_EQ(plain.statistics.penalty, both.statistics.penalty);
    EXPECT_EQ(plain.statistics.gradient_norm_squared, both.statistics.gradient_norm_squared);
    EXPECT_EQ(norm_squared(plain.gradient), plain.statistics.gradient_norm_squared);
}

// Stretches where Fisher, gradient and moments are 0 may be left out: what they end as is what they end as where one element
// in each is not 0, so that nothing is.
TEST_P(Properties, StretchesOfZerosAreAsAnyOther) {
    constexpr int64_t kTile = 2048, kSize = 4 * kTile + 40;
    const auto spare = [](int64_t i) { return i % kTile == kTile - 1 || i == kSize - 1; };
    for (const Dtypes& dtypes : {Dtypes{}, Dtypes{EWC_BF16, EWC_BF16, EWC_F16}}) {
        for (const uint32_t flags : {0u, EWC_ZERO_GRADIENT, EWC_PROXIMAL}) {
            for (const double decay : {0.0, 0.1}) {
                Step zeros({kSize}, offset(), dtypes), others({kSize}, offset(), dtypes);
                for (Step* step : {&zeros, &others}) {
                    step->options.weight_decay = decay;
                    step->options.theta_copy = step->copy.list();
                    for (int64_t i = 0; i < kSize; ++i) {
                        const int64_t tile = i / kTile; // 0: no Fisher; 1: no gradient and moments; 2 and 4: none of both
                        const bool held = tile == 1 || tile == 3, moves = tile == 0 || tile == 3;
                        const float value = step == &others && spare(i) ? 1.0f : 0.0f;
                        if (!held) {
                            step->fisher.set(0, i, value);
                        }
                        if (!moves) {
                            step->gradient.set(0, i, value);
                            step->first.set(0, i, value);
                            step->second.set(0, i, value);
                        }
                    }
                    ASSERT_EQ(EWC_OK, step->run(true, flags)) << ewc_last_error();
                }
                for (int64_t i = 0; i < kSize; ++i) {
                    if (!spare(i)) {
                        ASSERT_EQ(others.theta.get(0, i), zeros.theta.get(0, i)) << i;
                        ASSERT_EQ(others.first.get(0, i), zeros.first.get(0, i)) << i;
                        ASSERT_EQ(others.second.get(0, i), zeros.second.get(0, i)) << i;
                        ASSERT_EQ(others.gradient.get(0, i), zeros.gradient.get(0, i)) << i;
                        ASSERT_EQ(others.copy.get(0, i), zeros.copy.get(0, i)) << i;
                    }
                }
                EXPECT_TRUE(zeros.theta.guards_hold());
                const ewc_exec exec = exec_here(2);
                const Values sum({kSize}, 9, 0, 1, offset()), same({kSize}, 9, 0, 1, offset());
                const Values gradient({kSize}, 4, 0, 0, offset(), dtypes.gradient);
                ASSERT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, sum.list(), gradient.list(), 0.5, EWC_ZERO_GRADIENT));
                EXPECT_TRUE(sum.bits() == same.bits());
            }
        }
    }
}

// A step of 0 reduces and zeroes as any other, and leaves every bit of what it would update.
TEST_P(Properties, SkippedStep) {
    const std::vector<int64_t> sizes = {5, 0, 65536 + 7};
    for (const Dtypes& dtypes : {Dtypes{}, Dtypes{EWC_BF16, EWC_BF16, EWC_I16_BLOCK256}}) {
        for (const bool ewc : {true, false}) {
            for (const uint32_t flags : {0u, EWC_ZERO_GRADIENT, EWC_PROXIMAL}) {
                for (const bool spoiled : {false, true}) {
                    Step taken(sizes, offset(), dtypes), skipped(sizes, offset(), dtypes);
                    skipped.options.theta_copy = skipped.copy.list();
                    skipped.values.step = 0;
                    for (Step* step : {&taken, &skipped}) {
                        if (spoiled) {
                            step->gradient.set(2, 17, std::numeric_limits<float>::quiet_NaN());
                        }
                    }
                    const std::string kept = skipped.theta.bits() + skipped.first.bits() + skipped.second.bits() +
                                             skipped.copy.bits();
                    ASSERT_EQ(EWC_OK, taken.run(ewc, flags)) << ewc_last_error();
                    ASSERT_EQ(EWC_OK, skipped.run(ewc, flags)) << ewc_last_error();
                    EXPECT_TRUE(kept == skipped.theta.bits() + skipped.first.bits() + skipped.second.bits() +
                                            skipped.copy.bits());
                    EXPECT_TRUE(taken.gradient.bits() == skipped.gradient.bits());
                    EXPECT_NEAR(taken.statistics.penalty, skipped.statistics.penalty, 1e-13 * taken.statistics.penalty);
                    EXPECT_NEAR(taken.statistics.displacement_norm_squared,
                                skipped.statistics.displacement_norm_squared,
                                1e-13 * taken.statistics.displacement_norm_squared);
                    if (spoiled) {
                        EXPECT_TRUE(std::isnan(skipped.statistics.gradient_norm_squared));
                    } else {
                        EXPECT_NEAR(taken.statistics.gradient_norm_squared, skipped.statistics.gradient_norm_squared,
                                    1e-13 * taken.statistics.gradient_norm_squared);
                    }
                }
            }
        }
    }
}

TEST_P(Properties, PenaltyGradientAgainstFiniteDifferences) {
    const std::vector<int64_t> sizes = {19};
    for (const Dtypes& dtypes : {Dtypes{}, Dtypes{EWC_F32, EWC_BF16, EWC_I16_BLOCK256}}) {
        Values theta(sizes, 1, -1, 1), gradient(sizes, 4, 0, 0);
        const Values anchor(sizes, 2, -1, 1, 0, dtypes.anchor), fisher(sizes, 3, 0, 1, 0, dtypes.fisher);
        penalty(theta, anchor, fisher, 1, &gradient, 1.0);
        for (int64_t i = 0; i < sizes[0]; ++i) {
            const float there = static_cast<float>(theta.get(0, i));
            const float above = there + 0.015625f, below = there - 0.015625f;
            theta.set(0, i, above);
            const double up = penalty(theta, anchor, fisher);
            theta.set(0, i, below);
            const double down = penalty(theta, anchor, fisher);
            theta.set(0, i, there);
            EXPECT_NEAR((up - down) / (static_cast<double>(above) - below), gradient.get(0, i), 2e-5);
        }
    }
}

TEST_P(Properties, NanAndInfPropagate) {
    const ewc_exec exec = exec_here();
    const std::vector<int64_t> sizes = {40, 16384 + 3};
    for (const ewc_dtype dtype : {EWC_F32, EWC_F16, EWC_BF16}) {
        for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            for (const int64_t index : {int64_t{0}, int64_t{16384}, int64_t{16386}}) {
                Step step(sizes, offset(), {dtype, EWC_F32, EWC_F32});
                step.options.theta_copy = step.copy.list();
                step.gradient.set(1, index, value);
                EXPECT_FALSE(std::isfinite(norm_squared(step.gradient)));
                EXPECT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, step.fisher.list(), step.gradient.list(), 0.5, 0));
                EXPECT_FALSE(std::isfinite(step.fisher.get(1, index)));
                EXPECT_FALSE(std::isfinite(penalty(step.theta, step.anchor, step.fisher)));
                EXPECT_EQ(EWC_OK, step.run(true));
                EXPECT_TRUE(std::isnan(step.theta.get(1, index)));
                EXPECT_TRUE(std::isnan(step.copy.get(1, index)));
                EXPECT_TRUE(std::isfinite(step.theta.get(1, index == 0 ? 1 : index - 1)));
                EXPECT_FALSE(std::isfinite(step.statistics.gradient_norm_squared));
                // A merge that retains nothing is the way out of a spoiled Fisher.
                EXPECT_EQ(EWC_OK, ewc_fisher_merge(&exec, step.fisher.list(), nullptr, 0.0, 0.0));
                EXPECT_EQ(0.0, step.fisher.get(1, index));
            }
        }
    }
}

// What ewc.h has for one element, in double, in that order: so NaN and Inf come out where the formulas have them.
struct Element {
    double theta, first, second, gradient, fisher, anchor;
    double terms = 0, squares = 0, pulls = 0;

    void step(const ewc_adamw_values& values, double decay, bool ewc, bool proximal) {
        const double weighted = ewc ? fisher * (theta - anchor) : 0.0;
        terms = ewc ? 0.5 * weighted * (theta - anchor) : 0.0;
        squares = gradient * gradient;
        pulls = weighted * weighted;
        const bool added = ewc && !proximal;
        const double g = values.gradient_scale * gradient + (added ? values.penalty_scale * values.lambda * weighted : 0.0);
        first += 0.1 * (g - first);
        second = 0.999 * second + 0.001 * g * g;
        const double correction = 1 - std::pow(0.999, static_cast<double>(values.step));
        const double s = values.learning_rate / (std::sqrt(second / correction) + 1e-8);
        theta = theta * (1 - values.learning_rate * decay) -
                s * first / (1 - std::pow(0.9, static_cast<double>(values.step)));
        if (ewc && proximal) {
            const double strength = s * values.lambda * fisher;
            theta += (std::isinf(strength) ? 1.0 : strength / (1 + strength)) * (anchor - theta);
        }
    }
};

// 0 of a finite number.
int kind_of(double value) { return std::isnan(value) ? 2 : std::isinf(value) ? 1 : 0; }

// NaN and Inf in each list, in stretches where the host has nothing to compute and where it has: they come out as the
// formulas have them, but that the host may pass over a stretch of a Fisher of 0, where the formulas have a product with 0.
TEST_P(Properties, NanAndInfOfEachListComeOutAsTheFormulasHaveThem) {
    constexpr int64_t kTile = 2048, kSize = 3 * kTile + 40;
    constexpr Values Step::*kSpoiled[] = {&Step::theta,    &Step::first,  &Step::second,
                                          &Step::gradient, &Step::fisher, &Step::anchor};
    const bool may_pass_over = here().device() < 0;
    const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    int64_t passed_over = 0;
    const auto expect = [&](const Dtypes& dtypes, Values Step::*list, float value, int64_t at, uint32_t flags, double decay) {
        Step step({kSize}, offset(), dtypes);
        step.options.weight_decay = decay;
        step.options.theta_copy = step.copy.list();
        for (int64_t i = 0; i < kSize; ++i) {
            const int64_t tile = i / kTile; // 0: no Fisher; 1: no gradient and moments; 2: none of both; 3: all
            if (tile == 0 || tile == 2) {
                step.fisher.set(0, i, 0);
            }
            if (tile == 1 || tile == 2) {
                step.gradient.set(0, i, 0);
                step.first.set(0, i, 0);
                step.second.set(0, i, 0);
            }
        }
        (step.*list).set(0, at, value);
        const bool proximal = (flags & EWC_PROXIMAL) != 0;
        Element sums{}, plain{}, spoiled{};
        for (int64_t i = 0; i < kSize; ++i) {
            Element element{step.theta.get(0, i),    step.first.get(0, i),  step.second.get(0, i),
                            step.gradient.get(0, i), step.fisher.get(0, i), step.anchor.get(0, i)};
            if (i == at) {
                plain = element;
                plain.step(step.values, decay, false, false);
            }
            element.step(step.values, decay, true, proximal);
            if (i == at) {
                spoiled = element;
            } else {
                ASSERT_EQ(0, kind_of(element.theta)) << i;
            }
            sums.terms += element.terms;
            sums.squares += element.squares;
            sums.pulls += element.pulls;
        }
        const bool distance = list == &Step::anchor || list == &Step::theta;
        const bool may_be_plain = may_pass_over && distance && step.fisher.get(0, at) == 0;
        ASSERT_EQ(EWC_OK, step.run(true, flags)) << ewc_last_error();
        const auto came = [&](const Element& element, double terms, double pulls) {
            return kind_of(step.theta.get(0, at)) == kind_of(element.theta) &&
                   kind_of(step.first.get(0, at)) == kind_of(element.first) &&
                   kind_of(step.second.get(0, at)) == kind_of(element.second) &&
                   kind_of(step.statistics.penalty) == kind_of(terms) &&
                   kind_of(step.statistics.displacement_norm_squared) == kind_of(pulls);
        };
        const bool as_formulas = came(spoiled, sums.terms, sums.pulls);
        const bool as_plain = may_be_plain && came(plain, 0, 0);
        passed_over += as_plain && !as_formulas ? 1 : 0;
        EXPECT_TRUE(as_formulas || as_plain)
            << "element " << at << ", " << value << ", flags " << flags << ", decay " << decay << ": theta "
            << step.theta.get(0, at) << " for " << spoiled.theta << ", m " << step.first.get(0, at) << " for " << spoiled.first
            << ", v " << step.second.get(0, at) << " for " << spoiled.second << ", penalty " << step.statistics.penalty
            << " for " << sums.terms;
        EXPECT_EQ(kind_of(sums.squares), kind_of(step.statistics.gradient_norm_squared));
        EXPECT_EQ(kind_of(step.theta.get(0, at)), kind_of(step.copy.get(0, at)));
        for (int64_t i = 0; i < kSize; ++i) {
            if (i != at && (kind_of(step.theta.get(0, i)) != 0 || kind_of(step.first.get(0, i)) != 0 ||
                            kind_of(step.second.get(0, i)) != 0)) {
                FAIL() << "element " << i << " is spoiled by " << at;
            }
        }
    };
    for (const Dtypes& dtypes : {Dtypes{}, Dtypes{EWC_BF16, EWC_BF16, EWC_F16}}) {
        for (Values Step::*list : kSpoiled) {
            for (const float value : {nan, infinity}) {
                for (const int64_t at : {int64_t{5}, kTile + 6, 2 * kTile + 7, 3 * kTile + 39}) {
                    for (const uint32_t flags : {0u, EWC_PROXIMAL}) {
                        for (const double decay : {0.0, 0.1}) {
                            expect(dtypes, list, value, at, flags, decay);
                        }
                    }
                }
            }
        }
    }
    EXPECT_EQ(may_pass_over, passed_over > 0) << "the case does not see a stretch that is passed over";
}

TEST_P(Properties, NormsBeyondTheRangeOfFloat) {
    Values gradient({3}, 1, 0, 0, offset());
    gradient.set(0, 0, 3e30f);
    gradient.set(0, 1, 4e30f);
    EXPECT_NEAR(5e30, std::sqrt(norm_squared(gradient)), 1e24);
}

// A block with NaN or Inf reads as NaN and its neighbours as themselves; a block of next to nothing as 0.
TEST_P(Properties, BlocksOf256) {
    const ewc_exec exec = exec_here();
    const std::vector<int64_t> sizes = {4 * 256 + 10};
    Values source(sizes, 1, -1, 1, offset());
    source.set(0, 256 + 17, std::numeric_limits<float>::quiet_NaN());
    source.set(0, 3 * 256, -std::numeric_limits<float>::infinity());
    for (int64_t i = 4 * 256; i < sizes[0]; ++i) {
        source.set(0, i, i % 2 == 0 ? 9e-31f : -0.0f);
    }
    const Values blocks(sizes, 2, 0, 1, offset(), EWC_I16_BLOCK256), back(sizes, 3, 0, 1, offset());
    ASSERT_EQ(EWC_OK, ewc_convert(&exec, blocks.list(), source.list())) << ewc_last_error();
    ASSERT_EQ(EWC_OK, ewc_convert(&exec, back.list(), blocks.list())) << ewc_last_error();
    const auto from = source.read(), to = back.read();
    for (size_t i = 0; i < from.size(); ++i) {
        const size_t block = i / 256;
        if (block == 1 || block == 3) {
            EXPECT_TRUE(std::isnan(to[i])) << i;
        } else {
            EXPECT_NEAR(block == 4 ? 0.0 : from[i], to[i], block == 4 ? 0.0 : 0.5001 / 32767) << i;
        }
    }
    EXPECT_TRUE(blocks.guards_hold() && back.guards_hold());
}

// As above; and what is below 0 reads as 0.
TEST_P(Properties, BlocksOf256Roots) {
    const ewc_exec exec = exec_here();
    const std::vector<int64_t> sizes = {3 * 256 + 10};
    Values source(sizes, 1, 0, 1, offset());
    source.set(0, 17, -1e-3f);
    source.set(0, 256 + 17, std::numeric_limits<float>::quiet_NaN());
    source.set(0, 2 * 256, std::numeric_limits<float>::infinity());
    for (int64_t i = 3 * 256; i < sizes[0]; ++i) {
        source.set(0, i, 9e-31f);
    }
    const Values blocks(sizes, 2, 0, 1, offset(), EWC_U8_BLOCK256), back(sizes, 3, 0, 1, offset());
    ASSERT_EQ(EWC_OK, ewc_convert(&exec, blocks.list(), source.list())) << ewc_last_error();
    ASSERT_EQ(EWC_OK, ewc_convert(&exec, back.list(), blocks.list())) << ewc_last_error();
    const auto from = source.read(), to = back.read();
    for (size_t i = 0; i < from.size(); ++i) {
        const size_t block = i / 256;
        if (block == 1 || block == 2) {
            EXPECT_TRUE(std::isnan(to[i])) << i;
        } else if (block == 3) {
            EXPECT_EQ(0.0, to[i]) << i;
        } else {
            EXPECT_NEAR(std::sqrt(std::max(0.0, from[i])), std::sqrt(to[i]), 0.5001 / 255) << i;
        }
    }
    EXPECT_EQ(0.0, to[17]);
    EXPECT_TRUE(blocks.guards_hold() && back.guards_hold());
}

// The nearest of the dtype's values, ties to even, found by looking on both sides in double.
uint16_t nearest(double value, ewc_dtype dtype) {
    const auto decode = [&](int bits) {
        const uint16_t half = static_cast<uint16_t>(bits);
        return static_cast<double>(dtype == EWC_F16 ? f16_to_f32(half) : bf16_to_f32(half));
    };
    const int infinity = dtype == EWC_F16 ? 0x7c00 : 0x7f80;
    int low = 0, high = infinity; // decode grows with the bits
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        (decode(middle) <= std::fabs(value) ? low : high) = middle;
    }
    const double ulp = decode(low) - decode(low == 0 ? 0 : low - 1);
    const double above = high == infinity ? decode(low) + ulp : decode(high);
    const double middle = 0.5 * (decode(low) + above);
    const bool up = std::fabs(value) > middle || (std::fabs(value) == middle && low % 2 == 1);
    return static_cast<uint16_t>((up ? high : low) | (std::signbit(value) ? 0x8000 : 0));
}

// All 65,536 values to f32 and back are themselves; f32 values between them, ties and the ends of the range round right.
TEST_P(Properties, RoundsToNearestEven) {
    const ewc_exec exec = exec_here();
    const std::vector<int64_t> sizes = {65536};
    for (const ewc_dtype dtype : {EWC_F16, EWC_BF16}) {
        Values halves(sizes, 1, 0, 0, offset(), dtype);
        const Values again(sizes, 1, 0, 0, offset(), dtype);
        Values floats(sizes, 2, 0, 0, offset());
        auto* bits = static_cast<uint16_t*>(halves.segment_to_write(0));
        for (int i = 0; i < 65536; ++i) {
            bits[i] = static_cast<uint16_t>(i);
        }
        ASSERT_EQ(EWC_OK, ewc_convert(&exec, floats.list(), halves.list())) << ewc_last_error();
        ASSERT_EQ(EWC_OK, ewc_convert(&exec, again.list(), floats.list())) << ewc_last_error();
        const auto* back = static_cast<const uint16_t*>(again.segment(0));
        const int infinity = dtype == EWC_F16 ? 0x7c00 : 0x7f80;
        for (int i = 0; i < 65536; ++i) {
            if ((i & 0x7fff) <= infinity) {
                ASSERT_EQ(i, back[i]);
            } else {
                ASSERT_TRUE(std::isnan(floats.get(0, i)) && std::isnan(again.get(0, i))) << i;
            }
        }
        std::mt19937 random(3);
        std::vector<uint16_t> expected;
        const std::vector<double> all = floats.read();
        for (int64_t i = 0; i < sizes[0]; ++i) {
            // A value of the dtype, moved to a tie, or to a neighbour of the tie.
            const double value = all[random() % 65536];
            const float tie = static_cast<float>(value * (1 + std::ldexp(1.0, dtype == EWC_F16 ? -11 : -8)));
            const float towards = random() % 3 == 0 ? tie : random() % 2 == 0 ? 2 * tie : 0.0f;
            const float moved = std::isnan(tie) ? 0.0f : std::nextafter(tie, towards);
            floats.set(0, i, moved);
            expected.push_back(nearest(moved, dtype));
        }
        ASSERT_EQ(EWC_OK, ewc_convert(&exec, again.list(), floats.list())) << ewc_last_error();
        again.segment(0); // copied back anew
        for (int64_t i = 0; i < sizes[0]; ++i) {
            ASSERT_EQ(expected[static_cast<size_t>(i)], back[i]) << floats.get(0, i);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Of, Properties, testing::Combine(testing::ValuesIn(places()), testing::Values(0, 1)), name_of);

} // namespace
} // namespace ewc::test
