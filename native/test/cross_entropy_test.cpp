// The cross entropy of rows of logits and its gradient against a double[] oracle: sizes, dtypes, magnitudes, what is not
// finite, two alignments, at every place.
#include <limits>

#include "contract.h"
#include "softmax.h"

namespace ewc::test {
namespace {

using CrossEntropies = Contract;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr ewc_dtype kDtypes[] = {EWC_F32, EWC_F16, EWC_BF16};

// Rows of logits with a target each, the verb over them, and what it should leave.
struct Rows {
    int64_t rows, columns;
    Values logits;
    std::vector<int64_t> targets;
    double loss = 0.0;

    Rows(int64_t given_rows, int64_t given_columns, double magnitude, int64_t offset, ewc_dtype dtype = EWC_F32)
        : rows(given_rows), columns(given_columns),
          logits({given_rows * given_columns}, 9, -magnitude, magnitude, offset, dtype) {
        for (int64_t row = 0; row < rows; ++row) {
            targets.push_back((columns - 1) * (row % 3) / 2 % columns); // first, middle, last
        }
    }

    ewc_status run(double scale, uint32_t flags, int32_t threads = 2) {
        const ewc_exec exec = exec_here(threads);
        size_t bytes = 0;
        EXPECT_EQ(EWC_OK, ewc_cross_entropy_workspace(&exec, rows, &bytes)) << ewc_last_error();
        const Memory workspace(bytes);
        Memory ids(targets.size() * sizeof(int64_t));
        std::copy(targets.begin(), targets.end(), static_cast<int64_t*>(ids.write()));
        const Placed<double> factor(scale), sum(loss);
        const ewc_status status = ewc_cross_entropy(
            &exec, logits.list()->data[0], logits.dtype(), rows, columns, static_cast<const int64_t*>(ids.there()),
            (flags & EWC_LOGITS_TO_GRADIENT) == 0 ? nullptr : &factor, flags, &sum, workspace.there(), bytes);
        loss = sum.get();
        return status;
    }

    double oracle_loss(std::vector<double>* gradient = nullptr, double scale = 1.0) const {
        const std::vector<double> x = logits.read();
        double total = 0.0;
        for (int64_t row = 0; row < rows; ++row) {
            const double* z = x.data() + row * columns;
            double largest = -kInfinity, sum = 0.0;
            for (int64_t c = 0; c < columns; ++c) {
                largest = std::max(largest, z[c]);
            }
            for (int64_t c = 0; c < columns; ++c) {
                sum += std::exp(z[c] - largest);
            }
            const int64_t target = targets[static_cast<size_t>(row)];
            total += std::log(sum) + (largest - z[target]);
            for (int64_t c = 0; gradient != nullptr && c < columns; ++c) {
                gradient->push_back(scale * (std::exp(z[c] - largest) / sum - (c == target ? 1.0 : 0.0)));
            }
        }
        return total;
    }
};

// Some roundings of f32 relative to each element, and the rounding of the logit's distance from the largest, which is less
// than -log p; at the target, where a difference is taken, relative to the scale.
void expect_gradient(const std::vector<double>& expected, const Rows& rows, double scale) {
    const std::vector<double> came = rows.logits.read();
    ASSERT_EQ(expected.size(), came.size());
    for (size_t i = 0; i < came.size(); ++i) {
        const auto row = static_cast<int64_t>(i) / rows.columns;
        const bool target = static_cast<int64_t>(i) % rows.columns == rows.targets[static_cast<size_t>(row)];
        const double distance = -std::log(std::max(1e-300, std::fabs(expected[i]) / scale));
        const double relative = target ? 4e-7 * scale : (4e-7 + 6e-8 * distance) * std::fabs(expected[i]);
        const double allowed = relative + 2e-38 * scale + 1.001 * rounding(rows.logits.dtype(), expected[i]);
        if (!(std::fabs(expected[i] - came[i]) <= allowed)) {
            FAIL() << "row " << row << " of " << rows.columns << " columns, element " << i << " of dtype "
                   << rows.logits.dtype() << ": expected " << expected[i] << " within " << allowed << ", came "
                   << came[i];
        }
    }
    EXPECT_TRUE(rows.logits.guards_hold());
}

void expect_rows(int64_t count, int64_t columns, double magnitude, int64_t offset, ewc_dtype dtype) {
    const double scale = 3.0;
    Rows rows(count, columns, magnitude, offset, dtype);
    std::vector<double> gradient;
    const double expected = rows.oracle_loss(&gradient, scale);
    const double allowed = 2e-7 * (std::fabs(expected) + static_cast<double>(count));
    const std::string before = rows.logits.bits();
    ASSERT_EQ(EWC_OK, rows.run(scale, 0)) << ewc_last_error();
    EXPECT_NEAR(expected, rows.loss, allowed) << columns << " columns, dtype " << dtype;
    EXPECT_EQ(before, rows.logits.bits()) << "only read";
    rows.loss = 10.0;
    ASSERT_EQ(EWC_OK, rows.run(scale, EWC_LOGITS_TO_GRADIENT | EWC_ADD_LOSS)) << ewc_last_error();
    EXPECT_NEAR(10.0 + expected, rows.loss, allowed) << columns << " columns, dtype " << dtype;
    expect_gradient(gradient, rows, scale);
}

TEST_P(CrossEntropies, LossAndGradient) {
    for (const ewc_dtype dtype : kDtypes) {
        for (const int64_t rows : {0, 1, 3}) {
            for (const int64_t columns : {1, 2, 3, 4, 31, 32, 33, 511, 512, 513, 2047, 2049, 8193}) {
                expect_rows(rows, columns, 5.0, offset(), dtype);
            }
        }
        expect_rows(3, 50304, 5.0, offset(), dtype);
    }
    expect_rows(2, 50257, 20.0, offset(), EWC_F32); // the rows of an odd number of columns are aligned each in its own way
}

// Logits so large that exp overflows without the shift, and that f32 has few digits left of them.
TEST_P(CrossEntropies, LargeMagnitudes) {
    for (const ewc_dtype dtype : kDtypes) {
        for (const int64_t columns : {3, 33, 5000}) {
            expect_rows(3, columns, 1e4, offset(), dtype);
        }
    }
}

TEST_P(CrossEntropies, EqualLogits) {
    const double scale = 0.5;
    for (const double value : {0.0, -1e4, 1e4}) {
        Rows rows(2, 1000, 0.0, offset());
        for (int64_t i = 0; i < 2000; ++i) {
            rows.logits.set(0, i, static_cast<float>(value));
        }
        ASSERT_EQ(EWC_OK, rows.run(scale, EWC_LOGITS_TO_GRADIENT)) << ewc_last_error();
        EXPECT_NEAR(2 * std::log(1000.0), rows.loss, 1e-12);
        EXPECT_FLOAT_EQ(static_cast<float>(scale / 1000), static_cast<float>(rows.logits.get(0, 5)));
        EXPECT_FLOAT_EQ(static_cast<float>(scale * (1e-3 - 1)), static_cast<float>(rows.logits.get(0, 0)));
    }
}

// A target whose probability is 1 in f32 has a gradient that is the sum of the others', not 0.
TEST_P(CrossEntropies, CertainTarget) {
    Rows rows(1, 3, 0.0, offset());
    rows.logits.set(0, 0, 20.0f);
    ASSERT_EQ(EWC_OK, rows.run(1.0, EWC_LOGITS_TO_GRADIENT)) << ewc_last_error();
    const double other = std::exp(-20.0) / (1 + 2 * std::exp(-20.0));
    EXPECT_NEAR(2 * other, rows.loss, 1e-14);
    EXPECT_NEAR(-2 * other, rows.logits.get(0, 0), 2e-7 * other);
    EXPECT_NEAR(other, rows.logits.get(0, 1), 2e-7 * other);
}

TEST_P(CrossEntropies, GradientAgainstFiniteDifferences) {
    Rows rows(3, 13, 2.0, offset());
    std::vector<double> differences;
    const double h = 0.015625;
    for (int64_t i = 0; i < 39; ++i) {
        const float there = static_cast<float>(rows.logits.get(0, i));
        const float above = there + static_cast<float>(h), below = there - static_cast<float>(h);
        rows.logits.set(0, i, above);
        const double up = rows.oracle_loss();
        rows.logits.set(0, i, below);
        const double down = rows.oracle_loss();
        rows.logits.set(0, i, there);
        differences.push_back((up - down) / (static_cast<double>(above) - below));
    }
    ASSERT_EQ(EWC_OK, rows.run(1.0, EWC_LOGITS_TO_GRADIENT)) << ewc_last_error();
    for (int64_t i = 0; i < 39; ++i) {
        EXPECT_NEAR(differences[static_cast<size_t>(i)], rows.logits.get(0, i), 5e-5) << i;
    }
}

TEST_P(CrossEntropies, MinusInfinityIsAProbabilityOfZero) {
    for (const ewc_dtype dtype : kDtypes) {
        Rows rows(2, 600, 3.0, offset(), dtype);
        for (int64_t c = 0; c < 600; ++c) {
            if (c % 7 != 0) {
                rows.logits.set(0, c, -kInfinity);
            }
        }
        rows.targets = {0, 599};
        std::vector<double> gradient;
        const double expected = rows.oracle_loss(&gradient, 2.0);
        ASSERT_EQ(EWC_OK, rows.run(2.0, EWC_LOGITS_TO_GRADIENT)) << ewc_last_error();
        EXPECT_NEAR(expected, rows.loss, 1e-6 * expected);
        expect_gradient(gradient, rows, 2.0);
        EXPECT_EQ(0.0, rows.logits.get(0, 1));
    }
    Rows impossible(1, 40, 3.0, offset());
    impossible.targets = {3};
    impossible.logits.set(0, 3, -kInfinity);
    ASSERT_EQ(EWC_OK, impossible.run(1.0, EWC_LOGITS_TO_GRADIENT)) << ewc_last_error();
    EXPECT_EQ(kInfinity, impossible.loss);
    EXPECT_EQ(-1.0, impossible.logits.get(0, 3));
}

// The spoiled row alone is lost: its neighbour's gradient stays what it is.
TEST_P(CrossEntropies, NanAndInfPropagate) {
    for (const ewc_dtype dtype : kDtypes) {
        for (const float value : {kNan, kInfinity}) {
            for (const int64_t column : {int64_t{0}, int64_t{2}, int64_t{2500}, int64_t{2999}}) {
                Rows rows(2, 3000, 3.0, offset(), dtype);
                std::vector<double> gradient;
                rows.oracle_loss(&gradient, 1.0);
                rows.logits.set(0, 3000 + column, value);
                ASSERT_EQ(EWC_OK, rows.run(1.0, 0)) << ewc_last_error();
                EXPECT_TRUE(std::isnan(rows.loss));
                ASSERT_EQ(EWC_OK, rows.run(1.0, EWC_LOGITS_TO_GRADIENT)) << ewc_last_error();
                EXPECT_TRUE(std::isnan(rows.loss));
                for (int64_t c : {int64_t{0}, int64_t{2}, int64_t{1500}, column}) {
                    EXPECT_TRUE(std::isnan(rows.logits.get(0, 3000 + c))) << c;
                    const double expected = gradient[static_cast<size_t>(c)];
                    EXPECT_NEAR(expected, rows.logits.get(0, c), 1e-6 + rounding(dtype, expected));
                }
            }
        }
    }
    Rows nothing(1, 5, 0.0, offset());
    for (int64_t c = 0; c < 5; ++c) {
        nothing.logits.set(0, c, -kInfinity);
    }
    ASSERT_EQ(EWC_OK, nothing.run(1.0, EWC_LOGITS_TO_GRADIENT)) << ewc_last_error();
    EXPECT_TRUE(std::isnan(nothing.loss));
    EXPECT_TRUE(std::isnan(nothing.logits.get(0, 2)));
}

// The same bits on repeats and for any thread count; the gradient rides along without changing the loss.
TEST_P(CrossEntropies, SameBitsForAnyThreadCount) {
    for (const ewc_dtype dtype : kDtypes) {
        Rows once(7, 5003, 6.0, offset(), dtype);
        ASSERT_EQ(EWC_OK, once.run(0.25, EWC_LOGITS_TO_GRADIENT, 1)) << ewc_last_error();
        for (const int32_t threads : {1, 2, 3, 16, 0}) {
            Rows again(7, 5003, 6.0, offset(), dtype);
            ASSERT_EQ(EWC_OK, again.run(0.25, 0, threads)) << ewc_last_error();
            EXPECT_NEAR(once.loss, again.loss, 1e-12 * once.loss);
            ASSERT_EQ(EWC_OK, again.run(0.25, EWC_LOGITS_TO_GRADIENT, threads)) << ewc_last_error();
            EXPECT_EQ(once.loss, again.loss) << threads << " threads";
            EXPECT_TRUE(once.logits.bits() == again.logits.bits()) << threads << " threads";
        }
    }
}

// A device cannot refuse what it has not seen: the row says so.
TEST_P(CrossEntropies, TargetBeyondTheColumns) {
    for (const int64_t target : {int64_t{-1}, int64_t{40}, int64_t{1} << 40}) {
        Rows rows(2, 40, 3.0, offset());
        rows.targets[1] = target;
        const std::string before = rows.logits.bits();
        const ewc_status status = rows.run(1.0, EWC_LOGITS_TO_GRADIENT);
        if (here().device() < 0) {
            EXPECT_EQ(EWC_INVALID_ARGUMENT, status);
            EXPECT_EQ("ewc_cross_entropy: targets[1]: expected 0 or more, below the columns (40), came " +
                          std::to_string(target),
                      ewc_last_error());
            EXPECT_EQ(before, rows.logits.bits());
        } else {
            EXPECT_EQ(EWC_OK, status) << ewc_last_error();
            EXPECT_TRUE(std::isnan(rows.loss));
            EXPECT_TRUE(std::isnan(rows.logits.get(0, 41)));
            EXPECT_TRUE(std::isfinite(rows.logits.get(0, 1)));
        }
    }
}

// The exponential to 2 units in the last place over all of its range, as the host's compiler makes it here, and within the
// roundings of a sum and a factor as each place does: the gradient of a row that begins with 0 is e^x times a factor.
TEST_P(CrossEntropies, Exponential) {
    for (uint32_t bits = bits_of(-0.0f); bits <= bits_of(-87.33f); bits += 1009) {
        const double expected = std::exp(static_cast<double>(float_of(bits)));
        const double unit = std::ldexp(1.0, std::ilogb(expected) - 23);
        ASSERT_NEAR(expected, exponential(float_of(bits)), 2 * unit) << float_of(bits);
    }
    EXPECT_EQ(1.0f, exponential(0.0f));
    EXPECT_TRUE(std::isnan(exponential(kNan)));
    for (const float x : {-88.0f, -1e4f, -3e38f, -kInfinity}) {
        EXPECT_EQ(0.0f, exponential(x)) << x;
    }
    const int64_t columns = 100'000;
    Rows rows(1, columns, 0.0, offset());
    rows.targets = {0};
    std::vector<double> exponentials = {1.0};
    double sum = 1.0;
    for (int64_t c = 1; c < columns; ++c) {
        const float x = -87.0f * static_cast<float>(c) / static_cast<float>(columns);
        rows.logits.set(0, c, x);
        exponentials.push_back(std::exp(static_cast<double>(x)));
        sum += exponentials.back();
    }
    ASSERT_EQ(EWC_OK, rows.run(sum, EWC_LOGITS_TO_GRADIENT)) << ewc_last_error();
    for (int64_t c = 1; c < columns; ++c) {
        const double expected = exponentials[static_cast<size_t>(c)];
        ASSERT_NEAR(expected, rows.logits.get(0, c), 4 * std::ldexp(1.0, std::ilogb(expected) - 23)) << c;
    }
}

INSTANTIATE_TEST_SUITE_P(Of, CrossEntropies, testing::Combine(testing::ValuesIn(places()), testing::Values(0, 1)),
                         name_of);

} // namespace
} // namespace ewc::test
