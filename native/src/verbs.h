// The lists of a verb, as host and device library take them: checked, cut alike, null where the caller gave none.
#pragma once

#include "elements.h"
#include "ewc/ewc.h"

namespace ewc {

struct PenaltyLists {
    const ewc_list* theta; // null, with anchor and fisher: the norm of the gradient alone
    const ewc_list* anchor;
    const ewc_list* fisher;
    const ewc_list* gradient; // null: the penalty's value alone
    const double* segment_lambda; // factors of lambda; null: 1 for all

    const ewc_list& any() const { return theta == nullptr ? *gradient : *theta; }
};

struct AnchorLists {
    const ewc_list* anchor;
    const ewc_list* theta;
    const ewc_list* fisher;
    const ewc_list* new_fisher; // null: only in displace and restore
};

// Which of the anchor's verbs.
enum class AnchorChange { displace, restore, merge };

struct AdamWLists {
    const ewc_list* theta;
    const ewc_list* first_moment;
    const ewc_list* second_moment;
    const ewc_list* gradient;
    const ewc_list* fisher; // null, with anchor: plain AdamW
    const ewc_list* anchor;
    const ewc_list* theta_copy; // null: none
};

// What an AdamW step does by its flags.
struct AdamWMode {
    bool zero_gradient;
    bool proximal;
};

// A matrix of logits, rows x columns, and what becomes of it.
struct CrossEntropy {
    void* logits;
    ewc_dtype dtype;
    int64_t rows;
    int64_t columns;
    const int64_t* targets;
    const double* scale; // null: the logits are only read
    bool add_loss;       // to what *loss holds

    EWC_FUNCTION Elements row(int64_t index) const {
        return elements_at(logits, rows * columns, dtype, index * columns);
    }
};

// A linear layer of few rows, y = x weight^T, or its gradients.
struct Linear {
    const float* x;      // rows x in
    const float* weight; // out x in
    int64_t rows;
    int64_t out;
    int64_t in;
    float* y;              // rows x out
    const float* gradient; // of y
    float* x_gradient;
    float* weight_gradient; // null: none
    bool add;               // to what weight_gradient holds
};

// The per-example Fisher of one linear layer.
struct LinearFisher {
    float* fisher;            // left.columns x columns(), contiguous
    ewc_matrix left;          // positions x rows of fisher
    const ewc_matrix* right;  // positions x columns of fisher; null: a column of ones
    const int64_t* offsets;   // [examples + 1]
    int64_t examples;

    int64_t rows() const { return left.columns; }
    int64_t columns() const { return right == nullptr ? 1 : right->columns; }
    int64_t positions() const { return offsets[examples] - offsets[0]; }
};

} // namespace ewc
