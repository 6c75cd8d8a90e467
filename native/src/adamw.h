// The coefficients of one AdamW step, made in double and rounded once, as PyTorch does.
#pragma once

#include <cmath>

#include "ewc/ewc.h"
#include "functors.h"

namespace ewc {

EWC_FUNCTION AdamW adamw_coefficients(const ewc_adamw_options& options, const ewc_adamw_values& values) {
    const double step = static_cast<double>(values.step);
    const double correction1 = 1.0 - pow(options.beta1, step);
    const double correction2 = 1.0 - pow(options.beta2, step);
    AdamW adamw;
    adamw.decay = static_cast<float>(1.0 - values.learning_rate * options.weight_decay);
    adamw.one_minus_beta1 = static_cast<float>(1.0 - options.beta1);
    adamw.beta2 = static_cast<float>(options.beta2);
    adamw.one_minus_beta2 = static_cast<float>(1.0 - options.beta2);
    adamw.step_size = static_cast<float>(values.learning_rate / correction1);
    adamw.inverse_correction = static_cast<float>(1.0 / sqrt(correction2));
    adamw.epsilon = static_cast<float>(options.epsilon);
    adamw.gradient_scale = static_cast<float>(values.gradient_scale);
    adamw.penalty_scale = static_cast<float>(values.penalty_scale * values.lambda);
    return adamw;
}

} // namespace ewc
