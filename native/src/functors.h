// The arithmetic of every verb on one element, written once for host and device, so that host tests cover both.
//
// Everything here is forced inline: the host kernels are compiled once per instruction set, and a function that stayed
// out of line would be merged by the linker across them, so that AVX-512 code could run on a CPU without it.
#pragma once

#if defined(__CUDACC__)
#define EWC_FUNCTION __host__ __device__ __forceinline__
#else
#define EWC_FUNCTION inline __attribute__((always_inline))
#endif

namespace ewc {

// A restrict pointer in every loop: the ABI forbids overlap, and without it no loop vectorises.
#define EWC_RESTRICT __restrict__

EWC_FUNCTION double square(float value) { return static_cast<double>(value) * static_cast<double>(value); }

// fisher + weight * gradient^2
struct FisherAccumulate {
    float weight;

    EWC_FUNCTION float operator()(float fisher, float gradient) const {
        return fisher + weight * (gradient * gradient);
    }
};

// retain * fisher + weight * new_fisher. A coefficient of 0 drops its term, NaN included.
struct FisherMerge {
    float retain;
    float weight;

    EWC_FUNCTION float operator()(float fisher, float new_fisher) const { return retain * fisher + weight * new_fisher; }
};

// The larger one; NaN stays, where fmax would drop it.
struct FisherMax {
    EWC_FUNCTION float operator()(float fisher, float new_fisher) const {
        return new_fisher > fisher || new_fisher != new_fisher ? new_fisher : fisher;
    }
};

// fisher * (anchor - theta), from which restored_anchor finds the mean of the anchors once the new Fisher was added.
EWC_FUNCTION float displaced_anchor(float anchor, float theta, float fisher) { return fisher * (anchor - theta); }

EWC_FUNCTION float restored_anchor(float displaced, float theta, float fisher) {
    return fisher == 0.0f ? theta : theta + displaced / fisher;
}

// displaced^2 / fisher in double: c is a small difference of two such sums.
EWC_FUNCTION double displacement_term(float displaced, float fisher) {
    const double value = static_cast<double>(displaced);
    return fisher == 0.0f ? 0.0 : value * value / static_cast<double>(fisher);
}

// The mean of anchor and theta by their Fishers, total = fisher + new_fisher.
EWC_FUNCTION float merged_anchor(float anchor, float theta, float fisher, float total) {
    return total == 0.0f ? theta : theta + (anchor - theta) * (fisher / total);
}

// fisher new_fisher / total * (anchor - theta)^2 in double.
EWC_FUNCTION double merge_term(float anchor, float theta, float fisher, float new_fisher, float total) {
    const double share = static_cast<double>(fisher) / static_cast<double>(total);
    return total == 0.0f ? 0.0 : share * static_cast<double>(new_fisher) * square(anchor - theta);
}

// fisher * (theta - anchor): the gradient of the penalty for lambda 1.
EWC_FUNCTION float weighted_displacement(float theta, float anchor, float fisher) { return fisher * (theta - anchor); }

// fisher * (anchor - theta)^2 in double: twice the penalty's term.
EWC_FUNCTION double penalty_term(float theta, float anchor, float weighted) {
    return static_cast<double>(weighted) * static_cast<double>(theta - anchor);
}

// Root and quotient of the update. A device takes its own instructions, right to 2 units in the last place over the whole
// range: the correctly rounded ones call a subroutine, whose registers would spill; the update is far smaller than theta.
EWC_FUNCTION float square_root(float value) {
#if defined(__CUDA_ARCH__)
    float root;
    asm("sqrt.approx.f32 %0, %1;" : "=f"(root) : "f"(value));
    return root;
#else
    return __builtin_sqrtf(value);
#endif
}

EWC_FUNCTION float quotient(float numerator, float denominator) {
#if defined(__CUDA_ARCH__)
    float value;
    asm("div.full.f32 %0, %1, %2;" : "=f"(value) : "f"(numerator), "f"(denominator));
    return value;
#else
    return numerator / denominator;
#endif
}

// What lambda F eta is cut off at: above it the proximal weight is 1 to f32 anyway, and nothing overflows.
constexpr float kLargestPull = 1e30f;

// One AdamW update of one element; the coefficients are made in double by adamw_coefficients (adamw.h).
struct AdamW {
    float decay;              // 1 - learning_rate * weight_decay
    float one_minus_beta1;    // 1 - beta1
    float beta2;              // beta2
    float one_minus_beta2;    // 1 - beta2
    float step_size;          // learning_rate / (1 - beta1^step)
    float inverse_correction; // 1 / sqrt(1 - beta2^step)
    float epsilon;
    float gradient_scale;
    float penalty_scale; // penalty_scale * lambda, of the segment
    float pull;          // learning_rate * lambda, of the segment, for the proximal step
    bool skipped;        // nothing is updated, only reduced

    EWC_FUNCTION float scaled(float gradient) const { return gradient_scale * gradient; }

    EWC_FUNCTION float scaled(float gradient, float weighted) const {
        return gradient_scale * gradient + penalty_scale * weighted;
    }

    // Returns sqrt(v / (1 - beta2^step)) + epsilon: what the preconditioner divides by.
    EWC_FUNCTION float operator()(float& theta, float& first_moment, float& second_moment, float gradient) const {
        first_moment += one_minus_beta1 * (gradient - first_moment);
        second_moment = beta2 * second_moment + one_minus_beta2 * (gradient * gradient);
        const float denominator = square_root(second_moment) * inverse_correction + epsilon;
        theta = theta * decay - step_size * quotient(first_moment, denominator);
        return denominator;
    }

    // theta + w (anchor - theta) with w = s lambda F / (1 + s lambda F), s = learning_rate / denominator: what minimises
    // lambda/2 F (x - anchor)^2 + (x - theta)^2 / (2 s) over x. An element whose fisher is 0 keeps its bits.
    EWC_FUNCTION float pulled(float theta, float anchor, float fisher, float denominator) const {
        const float strength = pull * fisher;
        const float bounded = strength > kLargestPull ? kLargestPull : strength; // NaN stays
        return theta + quotient(bounded, denominator + bounded) * (anchor - theta);
    }
};

} // namespace ewc
