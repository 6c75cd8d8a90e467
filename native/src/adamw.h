// The coefficients of one AdamW step, made in double and rounded once, as PyTorch does.
#pragma once

#include <cmath>

#include "ewc/ewc.h"
#include "functors.h"

namespace ewc {

// What of options and values is the same for all segments. The powers are costly on a device, so they are made once a
// step; learning rate and decay stay in double, because a segment's own are still to come.
struct AdamWStep {
    double learning_rate;
    double correction1; // 1 - beta1^step
    double lambda;
    double penalty_scale;
    AdamW shared; // decay, step_size, penalty_scale and pull are the segment's
};

EWC_FUNCTION AdamWStep make_adamw_step(double beta1, double beta2, double epsilon, const ewc_adamw_values& values) {
    const bool skipped = values.step < 1;
    const double step = skipped ? 1.0 : static_cast<double>(values.step); // a correction of 0 would divide by 0
    AdamWStep made;
    made.learning_rate = values.learning_rate;
    made.correction1 = 1.0 - pow(beta1, step);
    made.shared.decay = 1.0f;
    made.shared.step_size = 0.0f;
    made.shared.one_minus_beta1 = static_cast<float>(1.0 - beta1);
    made.shared.beta2 = static_cast<float>(beta2);
    made.shared.one_minus_beta2 = static_cast<float>(1.0 - beta2);
    made.shared.inverse_correction = static_cast<float>(1.0 / sqrt(1.0 - pow(beta2, step)));
    made.shared.epsilon = static_cast<float>(epsilon);
    made.shared.gradient_scale = static_cast<float>(values.gradient_scale);
    made.lambda = values.lambda;
    made.penalty_scale = values.penalty_scale;
    made.shared.penalty_scale = 0.0f;
    made.shared.pull = 0.0f;
    made.shared.skipped = skipped;
    return made;
}

// What of options is a segment's own.
struct SegmentOptions {
    double learning_rate; // a factor
    double weight_decay;
    double lambda; // a factor
};

// A number in double that would round to infinity becomes the largest of f32: infinity times a Fisher of 0 is NaN.
EWC_FUNCTION float to_finite(double value) {
    return static_cast<float>(value > 3.4028234663852886e38 ? 3.4028234663852886e38 : value);
}

EWC_FUNCTION AdamW adamw_of_segment(const AdamWStep& step, const SegmentOptions& segment) {
    AdamW adamw = step.shared;
    const double learning_rate = step.learning_rate * segment.learning_rate;
    const double weight_decay = segment.weight_decay;
    adamw.penalty_scale = static_cast<float>(step.penalty_scale * step.lambda * segment.lambda);
    adamw.pull = to_finite(learning_rate * step.lambda * segment.lambda);
    adamw.decay = static_cast<float>(1.0 - learning_rate * weight_decay);
    adamw.step_size = static_cast<float>(learning_rate / step.correction1);
    return adamw;
}

// What a norm makes of the step after it; ewc_adamw_prepare in ewc.h has the formulas.
EWC_FUNCTION void prepare_adamw(double norm_squared, double clip_norm, uint32_t flags, int64_t* skipped,
                                ewc_adamw_values& values) {
    if ((flags & EWC_SKIP_NONFINITE) != 0) {
        if (!(norm_squared - norm_squared == 0.0)) { // NaN and Inf less themselves are NaN
            values.step = 0;
            ++*skipped;
            return;
        }
        values.step -= *skipped;
    }
    if (clip_norm - clip_norm == 0.0) {
        const double scale = clip_norm / (sqrt(norm_squared) + 1e-6);
        const double least = scale >= 1.0 ? 1.0 : scale; // NaN stays NaN
        values.gradient_scale *= least;
        if ((flags & EWC_CLIP_TOTAL) != 0) {
            values.penalty_scale *= least;
        }
    }
}

// The factor of a segment, 1 where the caller gave none.
inline double segment_factor(const double* factors, int64_t segment) {
    return factors == nullptr ? 1.0 : factors[segment];
}

// What is a segment's own, out of the arrays of the options.
inline SegmentOptions segment_options(const ewc_adamw_options& options, int64_t segment) {
    return {segment_factor(options.segment_learning_rate, segment),
            options.segment_weight_decay == nullptr ? options.weight_decay : options.segment_weight_decay[segment],
            segment_factor(options.segment_lambda, segment)};
}

} // namespace ewc
