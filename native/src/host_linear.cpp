#include <algorithm>

#include "elements.h"
#include "host.h"

namespace ewc::host {
namespace {

float element(const ewc_matrix& matrix, int64_t row, int64_t column) {
    const int64_t at = row * matrix.stride + column;
    return matrix.dtype == EWC_F32 ? static_cast<const float*>(matrix.data)[at]
                                   : bf16_to_f32(static_cast<const uint16_t*>(matrix.data)[at]);
}

bool is_zero(const ewc_matrix& matrix, int64_t row) {
    for (int64_t column = 0; column < matrix.columns; ++column) {
        if (element(matrix, row, column) != 0.0f) {
            return false;
        }
    }
    return true;
}

} // namespace

size_t linear_workspace(const ewc_exec&, const LinearFisher& linear) {
    return static_cast<size_t>(linear.positions());
}

void fisher_accumulate_linear(const ewc_exec&, const LinearFisher& linear, double weight, void* workspace) {
    const int64_t columns = linear.columns();
    unsigned char* zero = static_cast<unsigned char*>(workspace) - linear.offsets[0];
    for (int64_t p = linear.offsets[0]; p < linear.offsets[linear.examples]; ++p) {
        zero[p] = is_zero(linear.left, p);
    }
    for (int64_t row = 0; row < linear.rows(); ++row) {
        for (int64_t column = 0; column < columns; ++column) {
            float squares = 0.0f;
            for (int64_t n = 0; n < linear.examples; ++n) {
                float sum = 0.0f;
                for (int64_t p = linear.offsets[n]; p < linear.offsets[n + 1]; ++p) {
                    if (!zero[p]) {
                        const float right = linear.right == nullptr ? 1.0f : element(*linear.right, p, column);
                        sum += element(linear.left, p, row) * right;
                    }
                }
                squares += sum * sum;
            }
            linear.fisher[row * columns + column] += static_cast<float>(weight) * squares;
        }
    }
}

} // namespace ewc::host
