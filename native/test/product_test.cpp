// ewc_linear and ewc_linear_backward against a double[] oracle: shapes about the tiles and blocks, at every instruction set.
#include "contract.h"

namespace ewc::test {
namespace {

// f32 that begins `offset` elements behind the start of a line of the cache, with guards before and behind.
class Matrix {
public:
    Matrix(int64_t elements, unsigned seed, int64_t offset)
        : elements_(elements), memory_(static_cast<size_t>(elements + 3 * kGap), kGuard) {
        const auto misaligned = static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory_.data()) % 64 / sizeof(float));
        first_ = kGap + (kGap - misaligned) % kGap + offset;
        std::minstd_rand random(seed);
        for (int64_t i = 0; i < elements; ++i) {
            data()[i] = static_cast<float>(random()) / static_cast<float>(std::minstd_rand::max()) - 0.5f;
        }
    }
    Matrix(const Matrix&) = delete;

    float* data() { return memory_.data() + first_; }
    float at(int64_t i) const { return memory_[static_cast<size_t>(first_ + i)]; }
    int64_t elements() const { return elements_; }
    std::vector<float> values() const {
        const auto begin = memory_.begin() + first_;
        return {begin, begin + elements_};
    }
    bool guards_hold() const {
        const auto begin = memory_.begin(), end = begin + first_ + elements_;
        const auto guard = [](float value) { return value == kGuard; };
        return std::all_of(begin, begin + first_, guard) && std::all_of(end, memory_.end(), guard);
    }

private:
    static constexpr int64_t kGap = 16;
    static constexpr float kGuard = 12345.0f;

    int64_t elements_;
    int64_t first_;
    std::vector<float> memory_;
};

struct Layer {
    int64_t rows, out, in;
    Matrix x, weight, y, gradient, x_gradient, weight_gradient;

    Layer(int64_t r, int64_t o, int64_t i, int64_t offset)
        : rows(r), out(o), in(i), x(r * i, 1, offset), weight(o * i, 2, offset), y(r * o, 3, offset),
          gradient(r * o, 4, offset), x_gradient(r * i, 5, offset), weight_gradient(o * i, 6, offset) {}

    void forward(int32_t threads = 2) {
        const ewc_exec exec = exec_here(threads);
        ASSERT_EQ(EWC_OK, ewc_linear(&exec, x.data(), weight.data(), rows, out, in, y.data())) << ewc_last_error();
    }

    void backward(uint32_t flags = 0, bool of_weight = true, int32_t threads = 2) {
        const ewc_exec exec = exec_here(threads);
        size_t bytes = 0;
        ASSERT_EQ(EWC_OK, ewc_linear_backward_workspace(&exec, rows, out, in, &bytes)) << ewc_last_error();
        const Memory workspace(bytes);
        ASSERT_EQ(EWC_OK, ewc_linear_backward(&exec, gradient.data(), x.data(), weight.data(), rows, out, in, flags,
                                              x_gradient.data(), of_weight ? weight_gradient.data() : nullptr,
                                              workspace.there(), bytes))
            << ewc_last_error();
    }

    bool guards_hold() const {
        return y.guards_hold() && x_gradient.guards_hold() && weight_gradient.guards_hold();
    }
};

// came[i] is sum over k of left(i, k) right(i, k), within a few roundings of f32 at the size of the terms.
template <typename Term>
void expect_sums(const char* name, const Layer& layer, const Matrix& came, int64_t columns, int64_t terms, Term&& term,
                 const std::vector<float>* before = nullptr) {
    for (int64_t i = 0; i < came.elements(); ++i) {
        double sum = before == nullptr ? 0.0 : (*before)[static_cast<size_t>(i)], size = std::fabs(sum);
        for (int64_t k = 0; k < terms; ++k) {
            const double product = term(i / columns, i % columns, k);
            sum += product;
            size += std::fabs(product);
        }
        if (!(std::fabs(came.at(i) - sum) <= 1e-6 * size)) {
            FAIL() << name << " of " << layer.rows << " x " << layer.out << " x " << layer.in << ", element " << i
                   << ": expected " << sum << " within " << 1e-6 * size << ", came " << came.at(i);
        }
    }
}

void expect_forward(const Layer& layer) {
    expect_sums("y", layer, layer.y, layer.out, layer.in, [&](int64_t r, int64_t c, int64_t k) {
        return static_cast<double>(layer.x.at(r * layer.in + k)) * layer.weight.at(c * layer.in + k);
    });
}

void expect_x_gradient(const Layer& layer) {
    expect_sums("x_gradient", layer, layer.x_gradient, layer.in, layer.out, [&](int64_t r, int64_t c, int64_t k) {
        return static_cast<double>(layer.gradient.at(r * layer.out + k)) * layer.weight.at(k * layer.in + c);
    });
}

void expect_weight_gradient(const Layer& layer, const std::vector<float>* before = nullptr) {
    expect_sums("weight_gradient", layer, layer.weight_gradient, layer.in, layer.rows,
                [&](int64_t r, int64_t c, int64_t k) {
                    return static_cast<double>(layer.gradient.at(k * layer.out + r)) * layer.x.at(k * layer.in + c);
                },
                before);
}

struct Shape {
    int64_t rows, out, in;
};
constexpr Shape kShapes[] = {{0, 5, 7},    {1, 1, 1},    {1, 3, 8},     {2, 4, 16},    {3, 5, 17},   {4, 47, 33},
                             {5, 48, 32},  {6, 49, 64},  {7, 97, 15},   {12, 100, 96}, {13, 53, 80}, {25, 1055, 16},
                             {2, 1056, 7}, {3, 1057, 9}, {12, 2200, 48}};

class Products : public Contract {};

TEST_P(Products, Forward) {
    for (const Shape& shape : kShapes) {
        Layer layer(shape.rows, shape.out, shape.in, offset());
        layer.forward();
        expect_forward(layer);
        EXPECT_TRUE(layer.guards_hold());
    }
}

TEST_P(Products, Backward) {
    for (const Shape& shape : kShapes) {
        Layer layer(shape.rows, shape.out, shape.in, offset());
        layer.backward();
        expect_x_gradient(layer);
        expect_weight_gradient(layer);
        EXPECT_TRUE(layer.guards_hold());
    }
}

TEST_P(Products, BackwardAddsToTheWeightsGradient) {
    for (const Shape& shape : kShapes) {
        Layer layer(shape.rows, shape.out, shape.in, offset());
        const std::vector<float> before = layer.weight_gradient.values();
        layer.backward(EWC_ADD_WEIGHT_GRADIENT);
        expect_x_gradient(layer);
        expect_weight_gradient(layer, &before);
        EXPECT_TRUE(layer.guards_hold());
    }
}

TEST_P(Products, BackwardWithoutTheWeightsGradient) {
    Layer layer(5, 100, 32, offset()), with(5, 100, 32, offset());
    const auto before = layer.weight_gradient.values();
    layer.backward(0, false);
    with.backward();
    EXPECT_EQ(with.x_gradient.values(), layer.x_gradient.values());
    EXPECT_EQ(before, layer.weight_gradient.values());
}

TEST_P(Products, SameBitsForAnyThreadCount) {
    std::vector<std::vector<float>> first;
    for (const int32_t threads : {1, 1, 2, 3, 7}) {
        Layer layer(7, 3300, 40, offset());
        layer.forward(threads);
        layer.backward(0, true, threads);
        const std::vector<std::vector<float>> values = {layer.y.values(), layer.x_gradient.values(),
                                                      layer.weight_gradient.values()};
        first = first.empty() ? values : first;
        EXPECT_TRUE(first == values) << threads << " threads";
    }
}

TEST_P(Products, NanAndInfPropagate) {
    for (const float bad : {NAN, INFINITY}) {
        Layer layer(6, 60, 20, offset());
        layer.x.data()[2 * 20 + 3] = bad;         // row 2 of y, column 3 of the weight's gradient
        layer.gradient.data()[4 * 60 + 51] = bad; // row 4 of x's gradient, row 51 of the weight's
        layer.forward();
        layer.backward();
        for (int64_t i = 0; i < layer.y.elements(); ++i) {
            ASSERT_EQ(i / 60 != 2, std::isfinite(layer.y.at(i))) << i;
        }
        for (int64_t i = 0; i < layer.x_gradient.elements(); ++i) {
            ASSERT_EQ(i / 20 != 4, std::isfinite(layer.x_gradient.at(i))) << i;
        }
        for (int64_t i = 0; i < layer.weight_gradient.elements(); ++i) {
            ASSERT_EQ(i / 20 != 51 && i % 20 != 3, std::isfinite(layer.weight_gradient.at(i))) << i;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Of, Products, testing::Combine(testing::ValuesIn(places()), testing::Values(0, 1)), name_of);

} // namespace
} // namespace ewc::test
