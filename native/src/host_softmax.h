// One row of the softmax's cross entropy, tile by tile as host_kernels.cpp does it, and compiled with it.
//
// A row is walked three times and a tile at a time: its largest, the sum of the exponentials, the gradient. A row of a
// vocabulary, 200 KB of f32 or less, stays in the second-level cache between them, so memory sees it once.
#pragma once

#include "host_tiles.h"
#include "softmax.h"

namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE {
namespace {

// One logit; of f32, f16 and bf16 only.
float logit_at(const Elements& logits, int64_t i) {
    if (logits.dtype == EWC_F32) {
        return static_cast<const float*>(logits.data)[i];
    }
    const uint16_t half = static_cast<const uint16_t*>(logits.data)[i];
    return logits.dtype == EWC_F16 ? f16_to_f32(half) : bf16_to_f32(half);
}

float largest_tile(int64_t n, const float* EWC_RESTRICT logits, float largest) {
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < n; ++i) {
        largest = logits[i] > largest ? logits[i] : largest; // a NaN is passed over here, and met by the sum
    }
    return largest;
}

double exponentials_tile(int64_t n, const float* EWC_RESTRICT logits, float largest) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) {
        sum += static_cast<double>(exponential(logits[i] - largest));
    }
    return sum;
}

// The same, left in place of the logits.
double replace_by_exponentials_tile(int64_t n, float* EWC_RESTRICT logits, float largest) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) {
        logits[i] = exponential(logits[i] - largest);
        sum += static_cast<double>(logits[i]);
    }
    return sum;
}

void scaled_exponentials_tile(int64_t n, float* EWC_RESTRICT logits, float largest, float factor) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        logits[i] = factor * exponential(logits[i] - largest);
    }
}

void scale_in_place(float factor, int64_t n, float* EWC_RESTRICT values) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        values[i] = factor * values[i];
    }
}

float largest_of_row(Tile& logits, int64_t columns) {
    float largest = -__builtin_inff();
    for (int64_t first = 0; first < columns; first += kTile) {
        const int64_t n = least(kTile, columns - first);
        largest = largest_tile(n, logits.read(first, n), largest);
    }
    return largest;
}

double sum_of_row(Tile& logits, int64_t columns, float largest, bool replace) {
    double sum = 0.0;
    for (int64_t first = 0; first < columns; first += kTile) {
        const int64_t n = least(kTile, columns - first);
        float* tile = logits.read(first, n);
        sum += replace ? replace_by_exponentials_tile(n, tile, largest) : exponentials_tile(n, tile, largest);
    }
    return sum;
}

// scale * (softmax - onehot(target)), where the row holds the logits, or their exponentials if `replaced`. At the target
// the difference is taken in double: the more certain the model, the more digits it would lose.
void gradient_of_row(Tile& row, int64_t columns, int64_t target, float target_exponential, float largest, double sum,
                     double scale, bool replaced) {
    const float factor = static_cast<float>(scale / sum);
    for (int64_t first = 0; first < columns; first += kTile) {
        const int64_t n = least(kTile, columns - first);
        float* tile = row.read(first, n);
        if (replaced) {
            scale_in_place(factor, n, tile);
        } else {
            scaled_exponentials_tile(n, tile, largest, factor);
        }
        row.write_back(first, n);
    }
    const float at_target = static_cast<float>(scale * (static_cast<double>(target_exponential) / sum - 1.0));
    row.write(target, 1, &at_target);
}

// Exponentials of f32 logits wait in the row for their sum; in 16 bit they would be rounded twice, and are made anew.
double cross_entropy(const Elements& logits, int64_t columns, int64_t target, const double* scale) {
    Tile row(logits);
    const bool replace = scale != nullptr && logits.dtype == EWC_F32;
    const float target_logit = logit_at(logits, target);
    const float largest = largest_of_row(row, columns);
    const double sum = sum_of_row(row, columns, largest, replace);
    if (scale != nullptr) {
        gradient_of_row(row, columns, target, exponential(target_logit - largest), largest, sum, *scale, replace);
    }
    return __builtin_log(sum) + (static_cast<double>(largest) - static_cast<double>(target_logit));
}

} // namespace
} // namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE
