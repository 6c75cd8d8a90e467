// Every verb against a double[] oracle: all sizes, all mixes of dtypes, two alignments, at every place.
#include "contract.h"

namespace ewc::test {
namespace {

constexpr ewc_dtype kGradients[] = {EWC_F32, EWC_F16, EWC_BF16};
constexpr ewc_dtype kFishers[] = {EWC_F32, EWC_BF16}; // that are written
constexpr ewc_dtype kReadFishers[] = {EWC_F32, EWC_BF16, EWC_U8_BLOCK256};
constexpr ewc_dtype kAnchors[] = {EWC_F32, EWC_F16, EWC_BF16, EWC_I16_BLOCK256};

// All mixes of gradient, Fisher and anchor.
std::vector<Dtypes> mixes() {
    std::vector<Dtypes> all;
    for (const ewc_dtype gradient : kGradients) {
        for (const ewc_dtype fisher : kReadFishers) {
            for (const ewc_dtype anchor : kAnchors) {
                all.push_back({gradient, fisher, anchor});
            }
        }
    }
    return all;
}

// Every size in f32, a few in each mix.
template <typename Case>
void for_sizes_and_mixes(Case&& body) {
    for (const auto& sizes : cuts()) {
        body(sizes, Dtypes{});
    }
    for (const Dtypes& dtypes : mixes()) {
        for (const auto& sizes : few_cuts()) {
            body(sizes, dtypes);
        }
    }
}

TEST_P(Contract, Convert) {
    const ewc_exec exec = exec_here();
    for (const ewc_dtype to : kAnchors) {
        for (const ewc_dtype from : kAnchors) {
            for (const auto& sizes : to == EWC_F32 && from == EWC_BF16 ? cuts() : few_cuts()) {
                const Values source(sizes, 1, -3, 3, offset(), from);
                const Values destination(sizes, 2, 0, 1, offset(), to);
                const std::string before = source.bits();
                ASSERT_EQ(EWC_OK, ewc_convert(&exec, destination.list(), source.list())) << ewc_last_error();
                // Half a step of 3 / 32767, and the rounding of a block's values in f32.
                expect_close(source.read(), destination, to == EWC_I16_BLOCK256 ? 1.51 / 32767 / 4e-7 : 3);
                EXPECT_EQ(before, source.bits());
                if (to == from && to != EWC_I16_BLOCK256) {
                    EXPECT_EQ(source.read(), destination.read());
                }
            }
        }
    }
}

// What is never negative, in 8 bit: the root is off by at most half of a 255th of the block's largest root.
TEST_P(Contract, ConvertRoots) {
    const ewc_exec exec = exec_here();
    for (const ewc_dtype from : kAnchors) {
        for (const auto& sizes : cuts()) {
            const Values source(sizes, 1, 0, 3, offset(), from);
            const Values roots(sizes, 2, 0, 1, offset(), EWC_U8_BLOCK256), back(sizes, 3, 0, 1, offset());
            ASSERT_EQ(EWC_OK, ewc_convert(&exec, roots.list(), source.list())) << ewc_last_error();
            ASSERT_EQ(EWC_OK, ewc_convert(&exec, back.list(), roots.list())) << ewc_last_error();
            EXPECT_EQ(roots.read(), back.read());
            const auto expected = source.read(), came = back.read();
            for (size_t i = 0; i < came.size(); ++i) {
                if (!(std::abs(std::sqrt(came[i]) - std::sqrt(expected[i])) <= 0.501 / 255 * std::sqrt(3.0))) {
                    FAIL() << i << ": expected " << expected[i] << ", came " << came[i];
                }
            }
            EXPECT_TRUE(roots.guards_hold());
        }
    }
}

TEST_P(Contract, FisherAccumulate) {
    const ewc_exec exec = exec_here();
    for (const ewc_dtype dtype : kGradients) {
        for (const auto& sizes : dtype == EWC_F32 ? cuts() : few_cuts()) {
            for (const uint32_t flags : {0u, EWC_ZERO_GRADIENT}) {
                const Values fisher(sizes, 1, 0, 1, offset()), gradient(sizes, 2, -2, 2, offset(), dtype);
                std::vector<double> expected = fisher.read();
                const std::vector<double> g = gradient.read();
                for (size_t i = 0; i < g.size(); ++i) {
                    expected[i] += 0.3 * g[i] * g[i];
                }
                ASSERT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, fisher.list(), gradient.list(), 0.3, flags))
                    << ewc_last_error();
                expect_close(expected, fisher, 2.2);
                EXPECT_EQ(flags == 0 ? g : std::vector<double>(g.size(), 0.0), gradient.read());
                EXPECT_TRUE(gradient.guards_hold());
            }
        }
    }
}

void expect_merge(const std::vector<int64_t>& sizes, int64_t offset, ewc_dtype kept, ewc_dtype added, bool given,
                  double retain, double weight) {
    const ewc_exec exec = exec_here();
    const Values fisher(sizes, 1, 0, 1, offset, kept), new_fisher(sizes, 2, 0, 1, offset, added);
    std::vector<double> expected = fisher.read();
    const std::vector<double> f = new_fisher.read();
    for (size_t i = 0; i < f.size(); ++i) {
        expected[i] = retain * expected[i] + (given ? weight * f[i] : 0.0);
    }
    ASSERT_EQ(EWC_OK, ewc_fisher_merge(&exec, fisher.list(), given ? new_fisher.list() : nullptr, retain, weight))
        << ewc_last_error();
    expect_close(expected, fisher, 2);
    EXPECT_EQ(f, new_fisher.read());
}

TEST_P(Contract, FisherMerge) {
    for (const ewc_dtype kept : kFishers) {
        for (const ewc_dtype added : kReadFishers) {
            for (const auto& sizes : kept == EWC_F32 && added == EWC_F32 ? cuts() : few_cuts()) {
                for (const bool given : {true, false}) {
                    expect_merge(sizes, offset(), kept, added, given, 0.25, 0.75);
                    expect_merge(sizes, offset(), kept, added, given, 0.0, 2.0);
                    expect_merge(sizes, offset(), kept, added, given, 1.5, 0.0);
                    expect_merge(sizes, offset(), kept, added, given, 0.0, 0.0);
                }
            }
        }
    }
}

// A factor of lambda for each segment, 0 among them.
std::vector<double> factors_of(const std::vector<int64_t>& sizes) {
    std::vector<double> factors;
    for (size_t segment = 0; segment < sizes.size(); ++segment) {
        factors.push_back(0.5 * static_cast<double>((segment + 1) % 4));
    }
    return factors;
}

TEST_P(Contract, PenaltyAndNorms) {
    const double lambda = 3.0;
    const auto body = [&](const std::vector<int64_t>& sizes, const Dtypes& dtypes) {
        const Values theta(sizes, 1, -1, 1, offset()), anchor(sizes, 2, -1, 1, offset(), dtypes.anchor);
        const Values fisher(sizes, 3, 0, 1, offset(), dtypes.fisher);
        const Values gradient(sizes, 4, -1, 1, offset(), dtypes.gradient);
        const auto t = theta.read(), a = anchor.read(), f = fisher.read(), g = gradient.read();
        // Factors of lambda in every other case.
        const std::vector<double> factors = factors_of(sizes);
        const double* own = sizes.size() % 2 == 0 ? factors.data() : nullptr;
        double terms = 0, squares = 0, total = 0;
        std::vector<double> expected = g;
        size_t i = 0;
        for (size_t segment = 0; segment < sizes.size(); ++segment) {
            const double factor = own == nullptr ? 1.0 : own[segment];
            for (const size_t end = i + static_cast<size_t>(sizes[segment]); i < end; ++i) {
                terms += 0.5 * factor * f[i] * (a[i] - t[i]) * (a[i] - t[i]);
                squares += g[i] * g[i];
                expected[i] += lambda * factor * f[i] * (t[i] - a[i]);
                total += expected[i] * expected[i];
            }
        }
        EXPECT_NEAR(terms, penalty(theta, anchor, fisher, 2, nullptr, 0.0, own), 1e-6 * terms);
        EXPECT_NEAR(squares, norm_squared(gradient), 1e-12 * squares);
        EXPECT_NEAR(total, norm_squared(gradient, 2, &theta, &anchor, &fisher, lambda, own), 1e-6 * total);
        EXPECT_EQ(g, gradient.read());
        EXPECT_NEAR(terms, penalty(theta, anchor, fisher, 2, &gradient, lambda, own), 1e-6 * terms);
        expect_close(expected, gradient, 8);
    };
    for_sizes_and_mixes(body);
    if (offset() == 0) { // many blocks: once at each place
        body(many_segments(), Dtypes{}); // with factors, as their number is even
    }
}

// Segment s learns at 1 + s / 2 times the rate and decays by s / 10, where the step has rates of its own; then each has
// factors of lambda too.
void expect_step(Step& step, const std::vector<int64_t>& sizes, bool ewc, uint32_t flags, bool own_rates) {
    const auto g = step.gradient.read(), f = step.fisher.read(), a = step.anchor.read();
    auto t = step.theta.read(), m = step.first.read(), v = step.second.read();
    std::vector<double> rates, decays;
    const std::vector<double> factors = factors_of(sizes);
    const bool proximal = (flags & EWC_PROXIMAL) != 0;
    double terms = 0, squares = 0, pulls = 0;
    size_t i = 0;
    for (size_t segment = 0; segment < sizes.size(); ++segment) {
        rates.push_back(1.0 + 0.5 * static_cast<double>(segment % 7));
        decays.push_back(0.1 * static_cast<double>(segment % 5));
        const double rate = 1e-2 * (own_rates ? rates.back() : 1.0);
        const double decay = own_rates ? decays.back() : 0.1;
        const double factor = own_rates ? factors[segment] : 1.0;
        for (const size_t end = i + static_cast<size_t>(sizes[segment]); i < end; ++i) {
            const double strength = ewc ? 2.0 * factor * f[i] : 0.0;
            const double pull = strength * (t[i] - a[i]);
            terms += ewc ? 0.5 * factor * f[i] * (a[i] - t[i]) * (a[i] - t[i]) : 0.0;
            squares += g[i] * g[i];
            pulls += pull / 2.0 * pull / 2.0;
            const double scaled = 0.5 * g[i] + (proximal ? 0.0 : 0.25 * pull);
            m[i] = 0.9 * m[i] + 0.1 * scaled;
            v[i] = 0.999 * v[i] + 0.001 * scaled * scaled;
            const double s = rate / (std::sqrt(v[i] / (1 - std::pow(0.999, 3))) + 1e-8);
            t[i] = t[i] * (1 - rate * decay) - s * m[i] / (1 - std::pow(0.9, 3));
            if (proximal) {
                t[i] += s * strength / (1 + s * strength) * (a[i] - t[i]);
            }
        }
    }
    if (own_rates) {
        step.options.segment_learning_rate = rates.data();
        step.options.segment_weight_decay = decays.data();
        step.options.segment_lambda = factors.data();
        step.options.theta_copy = step.copy.list();
    }
    ASSERT_EQ(EWC_OK, step.run(ewc, flags)) << ewc_last_error();
    expect_close(m, step.first, 1);
    expect_close(v, step.second, 1);
    expect_close(t, step.theta, 2);
    EXPECT_NEAR(terms, step.statistics.penalty, 1e-6 * terms);
    EXPECT_NEAR(squares, step.statistics.gradient_norm_squared, 1e-12 * squares);
    EXPECT_NEAR(pulls, step.statistics.displacement_norm_squared, 1e-6 * pulls);
    EXPECT_EQ((flags & EWC_ZERO_GRADIENT) == 0 ? g : std::vector<double>(g.size(), 0.0), step.gradient.read());
    EXPECT_EQ(f, step.fisher.read());
    EXPECT_EQ(a, step.anchor.read());
    EXPECT_TRUE(step.gradient.guards_hold() && step.copy.guards_hold());
    if (own_rates) {
        const auto theta = step.theta.read(), copy = step.copy.read();
        for (size_t k = 0; k < theta.size(); ++k) {
            const float value = static_cast<float>(theta[k]);
            const float rounded =
                step.copy.dtype() == EWC_BF16 ? bf16_to_f32(f32_to_bf16(value)) : f16_to_f32(f32_to_f16(value));
            if (copy[k] != rounded) {
                FAIL() << "copy " << k << ": expected " << rounded << ", came " << copy[k];
            }
        }
    }
}

TEST_P(Contract, AdamWStep) {
    for_sizes_and_mixes([&](const std::vector<int64_t>& sizes, const Dtypes& dtypes) {
        for (const bool ewc : {true, false}) {
            for (const uint32_t flags : {0u, EWC_ZERO_GRADIENT, EWC_PROXIMAL, EWC_PROXIMAL | EWC_ZERO_GRADIENT}) {
                // Rates of their own and a copy in every other case, so that both are met with and without zeroing.
                const bool own_rates = (sizes.size() + (ewc ? 1 : 0) + flags) % 2 == 0;
                Step step(sizes, offset(), dtypes, flags % 2 == 0 ? EWC_BF16 : EWC_F16);
                expect_step(step, sizes, ewc, flags, own_rates);
            }
        }
    });
    if (offset() == 0) { // many blocks: once at each place
        Step many(many_segments());
        expect_step(many, many_segments(), true, 0, true);
    }
}

INSTANTIATE_TEST_SUITE_P(At, Contract, testing::Combine(testing::ValuesIn(places()), testing::Values(0, 1)), name_of);

} // namespace
} // namespace ewc::test
