// ewc_fisher_accumulate_linear against a double[] oracle: shapes about the tiles of host and device, ragged examples, strides,
// rows of zeros, both dtypes, at every place.
#include "contract.h"

namespace ewc::test {
namespace {

using Offsets = std::vector<int64_t>;

// What one call works on. Columns of zero for `right_columns` stand for a bias.
struct Linear {
    int64_t rows, columns;
    Offsets offsets;
    int64_t left_stride, right_stride;
    Values left, right, fisher;
    bool bias = false;

    Linear(int64_t r, int64_t c, const Offsets& given, int64_t offset = 0, ewc_dtype dtype = EWC_F32, int64_t gap = 0)
        : rows(r), columns(c), offsets(given), left_stride(r + gap), right_stride(c + 2 * gap),
          left({given.back() * left_stride}, 1, -1, 1, offset, dtype),
          right({given.back() * right_stride}, 2, -1, 1, offset, dtype), fisher({r * c}, 3, 0, 1, offset) {}

    int64_t examples() const { return static_cast<int64_t>(offsets.size()) - 1; }

    void zero_row(int64_t position) {
        for (int64_t r = 0; r < rows; ++r) {
            left.set(0, position * left_stride + r, r % 2 == 0 ? 0.0f : -0.0f);
        }
    }

    ewc_status run(double weight, int32_t threads = 2) {
        const ewc_exec exec = exec_here(threads);
        const ewc_matrix a = {left.list()->data[0], rows, left_stride, left.dtype()};
        const ewc_matrix b = {right.list()->data[0], columns, right_stride, right.dtype()};
        size_t bytes = 0;
        EXPECT_EQ(EWC_OK, ewc_fisher_accumulate_linear_workspace(&exec, &a, bias ? nullptr : &b, offsets.data(),
                                                                 examples(), &bytes))
            << ewc_last_error();
        const Memory workspace(bytes);
        return ewc_fisher_accumulate_linear(&exec, static_cast<float*>(fisher.list()->data[0]), &a,
                                            bias ? nullptr : &b, offsets.data(), examples(), weight,
                                            workspace.there(), bytes);
    }
};

// fisher after the call, and the size of the terms that were added up for each element.
void oracle(const Linear& linear, double weight, std::vector<double>& expected, std::vector<double>& terms) {
    const auto a = linear.left.read(), b = linear.right.read();
    expected = linear.fisher.read();
    terms = expected; // drawn from 0 to 1
    std::vector<double> sum(expected.size()), size(expected.size());
    for (int64_t n = 0; n < linear.examples(); ++n) {
        std::fill(sum.begin(), sum.end(), 0.0);
        std::fill(size.begin(), size.end(), 0.0);
        for (int64_t p = linear.offsets[static_cast<size_t>(n)]; p < linear.offsets[static_cast<size_t>(n) + 1]; ++p) {
            for (int64_t r = 0; r < linear.rows; ++r) {
                const double left = a[static_cast<size_t>(p * linear.left_stride + r)];
                if (left == 0.0) {
                    continue;
                }
                for (int64_t c = 0; c < linear.columns; ++c) {
                    const double term = linear.bias ? left : left * b[static_cast<size_t>(p * linear.right_stride + c)];
                    sum[static_cast<size_t>(r * linear.columns + c)] += term;
                    size[static_cast<size_t>(r * linear.columns + c)] += std::fabs(term);
                }
            }
        }
        for (size_t i = 0; i < sum.size(); ++i) {
            expected[i] += weight * sum[i] * sum[i];
            terms[i] += std::fabs(weight) * size[i] * size[i];
        }
    }
}

// Each element within a few roundings of f32 at the size of its terms, and the tensor within 1e-5 in the 2-norm.
void expect_linear(Linear& linear, double weight) {
    std::vector<double> expected, terms;
    oracle(linear, weight, expected, terms);
    const std::string left = linear.left.bits(), right = linear.right.bits();
    ASSERT_EQ(EWC_OK, linear.run(weight)) << ewc_last_error();
    const auto came = linear.fisher.read();
    double wrong = 0, all = 0;
    for (size_t i = 0; i < came.size(); ++i) {
        const double error = came[i] - expected[i];
        wrong += error * error;
        all += expected[i] * expected[i];
        if (!(std::fabs(error) <= 1e-6 * terms[i])) {
            FAIL() << linear.rows << " x " << linear.columns << ", element " << i << ": expected " << expected[i]
                   << " within " << 1e-6 * terms[i] << ", came " << came[i];
        }
    }
    EXPECT_LE(std::sqrt(wrong), 1e-5 * std::sqrt(all));
    EXPECT_TRUE(linear.fisher.guards_hold());
    EXPECT_EQ(left, linear.left.bits());
    EXPECT_EQ(right, linear.right.bits());
}

Offsets offsets_of(const std::vector<int64_t>& lengths, int64_t first = 0) {
    Offsets offsets = {first};
    for (const int64_t length : lengths) {
        offsets.push_back(offsets.back() + length);
    }
    return offsets;
}

// No example, one, a long one beside an empty one, sixteen ragged ones behind positions that belong to none.
std::vector<Offsets> layouts() {
    return {offsets_of({}), offsets_of({5}), offsets_of({7, 0, 300}),
            offsets_of({1, 2, 3, 0, 8, 17, 31, 32, 33, 0, 4, 7, 16, 5, 1, 9}, 3)};
}

struct Shape {
    int64_t rows, columns;
};
constexpr Shape kShapes[] = {{1, 1}, {3, 5}, {31, 33}, {64, 64}, {513, 129}};

TEST_P(Contract, FisherAccumulateLinear) {
    for (const Shape& shape : kShapes) {
        for (const Offsets& offsets : layouts()) {
            for (const ewc_dtype dtype : {EWC_F32, EWC_BF16}) {
                Linear linear(shape.rows, shape.columns, offsets, offset(), dtype, offset() * 3);
                expect_linear(linear, 0.3);
            }
        }
    }
}

TEST_P(Contract, FisherAccumulateLinearOfABias) {
    for (const int64_t rows : {1, 5, 33, 64, 513, 2049}) {
        for (const Offsets& offsets : layouts()) {
            for (const ewc_dtype dtype : {EWC_F32, EWC_BF16}) {
                Linear linear(rows, 1, offsets, offset(), dtype, offset() * 3);
                linear.bias = true;
                expect_linear(linear, 0.3);
            }
        }
    }
}

// More examples than the parameters of one launch hold; and a weight that is negative.
TEST_P(Contract, FisherAccumulateLinearOfManyExamples) {
    std::vector<int64_t> lengths;
    for (int64_t n = 0; n < 1000; ++n) {
        lengths.push_back(n % 3);
    }
    for (const bool bias : {false, true}) {
        Linear linear(17, bias ? 1 : 9, offsets_of(lengths), offset());
        linear.bias = bias;
        expect_linear(linear, -0.01);
    }
}

// Where the row of left is zero, right is not looked at: NaN there does not show; a NaN in left does.
TEST_P(Contract, FisherAccumulateLinearSkipsRowsOfZeros) {
    Linear linear(40, 35, offsets_of({4, 3, 2, 9}), offset());
    Linear without(40, 35, offsets_of({4, 3, 2, 9}), offset());
    for (const int64_t position : {0, 5, 7, 8, 17}) { // the third example has no other
        for (Linear* each : {&linear, &without}) {
            each->zero_row(position);
        }
        linear.right.set(0, position * linear.right_stride + 3, NAN);
        without.right.set(0, position * without.right_stride + 3, 0.0f);
    }
    ASSERT_EQ(EWC_OK, linear.run(0.5)) << ewc_last_error();
    expect_linear(without, 0.5);
    EXPECT_TRUE(linear.fisher.bits() == without.fisher.bits());
}

TEST_P(Contract, FisherAccumulateLinearPropagatesNanAndInf) {
    for (const float bad : {NAN, INFINITY}) {
        Linear linear(20, 50, offsets_of({3, 2}), offset());
        linear.left.set(0, 1 * linear.left_stride + 7, bad); // row 7 of fisher
        linear.right.set(0, 4 * linear.right_stride + 11, bad); // column 11
        ASSERT_EQ(EWC_OK, linear.run(0.5)) << ewc_last_error();
        const auto came = linear.fisher.read();
        for (int64_t r = 0; r < linear.rows; ++r) {
            for (int64_t c = 0; c < linear.columns; ++c) {
                ASSERT_EQ(r != 7 && c != 11, std::isfinite(came[static_cast<size_t>(r * linear.columns + c)]))
                    << r << ", " << c;
            }
        }
    }
}

TEST_P(Contract, FisherAccumulateLinearGivesTheSameBits) {
    for (const bool bias : {false, true}) {
        std::string first;
        for (const int32_t threads : {1, 1, 2, 3, 7}) {
            Linear linear(203, bias ? 1 : 301, layouts().back(), offset());
            linear.bias = bias;
            ASSERT_EQ(EWC_OK, linear.run(0.3, threads)) << ewc_last_error();
            first = first.empty() ? linear.fisher.bits() : first;
            EXPECT_TRUE(first == linear.fisher.bits()) << threads << " threads";
        }
    }
}

} // namespace
} // namespace ewc::test
