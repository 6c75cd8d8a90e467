// The exponential of a softmax and the arithmetic around it, written once for host and device like functors.h.
#pragma once

#include "elements.h"

namespace ewc {

// e^x for x not above 0, to 2 units in the last place where that is a normal number, down to x = -87.33; from
// -87.69 on 0. NaN for NaN.
//
// x = n ln 2 + r with |r| <= ln 2 / 2, and e^x = 2^n e^r. ln 2 is taken in two parts, the upper so short that its product
// with n is exact; e^r = 1 + r + r^2 q(r), where q is of degree 4 and minimises the largest relative error, 3e-9.
// A loop over it has no call, no table and no branch, so that the host vectorises it.
EWC_FUNCTION float exponential(float x) {
    const float shift = 12582912.0f + 127.0f; // 1.5 * 2^23 rounds to an integer; 127 makes of n the exponent's bits
    const float low = x < -88.0f ? -88.0f : x; // e^-88 has the exponent's bits 0, which makes it 0; NaN stays
    const float shifted = low * 1.44269504f + shift;
    const float n = shifted - shift;
    const float r = (low - n * 0.693145752f) - n * 1.42860677e-6f;
    float q = 0.00138145476f;
    q = q * r + 0.00836874731f;
    q = q * r + 0.0416683890f;
    q = q * r + 0.166665196f;
    q = q * r + 0.499999940f;
    const float power = float_of(bits_of(shifted) << 23); // 2^n
    return power * ((q * r) * r + r + 1.0f);
}

} // namespace ewc
