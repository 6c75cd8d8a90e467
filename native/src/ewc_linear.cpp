// The C entry points of the products with few rows: check, then run on the host. A device's own libraries are the right
// ones there.
#include <initializer_list>
#include <string>
#include <utility>

#include "arguments.h"
#include "host.h"
#include "status.h"

namespace ewc {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 38; // so that no size made of them overflows

Arguments checked_place(const char* verb, const ewc_exec* exec) {
    const Arguments check(verb, exec);
    if (exec->device >= 0) {
        check.unsupported("exec->device: expected -1, the host, came " + std::to_string(exec->device));
    }
    return check;
}

void check_sizes(const Arguments& check, const Linear& linear) {
    check.rows(linear.rows);
    for (const auto& [name, size] : {std::pair<const char*, int64_t>{"out", linear.out}, {"in", linear.in}}) {
        if (size < 1 || size > INT32_MAX) {
            check.invalid(std::string(name) + ": expected 1 to 2^31 - 1, came " + std::to_string(size));
        }
    }
    const int64_t longest = linear.out > linear.in ? linear.out : linear.in;
    if (linear.out > kMostElements / linear.in || linear.rows > kMostElements / longest) {
        check.invalid("rows, out, in: expected at most " + std::to_string(kMostElements) +
                      " elements of each matrix, came more");
    }
}

// A matrix of the call, f32; null where it has no elements.
Region checked_matrix(const Arguments& check, const char* name, const float* matrix, int64_t elements,
                      Access access = Access::read) {
    if (elements > 0) {
        check.present(name, matrix);
    }
    check.optional(name, matrix);
    return {name, matrix, elements > 0 ? static_cast<uint64_t>(elements) * sizeof(float) : 0, access};
}

void linear(const ewc_exec* exec, const Linear& linear) {
    const Arguments check = checked_place("ewc_linear", exec);
    check_sizes(check, linear);
    check.disjoint({}, {checked_matrix(check, "x", linear.x, linear.rows * linear.in),
                        checked_matrix(check, "weight", linear.weight, linear.out * linear.in),
                        checked_matrix(check, "y", linear.y, linear.rows * linear.out, Access::write)});
    host::linear(*exec, linear);
}

void linear_backward_workspace(const ewc_exec* exec, const Linear& linear, size_t* bytes) {
    const Arguments check = checked_place("ewc_linear_backward_workspace", exec);
    check_sizes(check, linear);
    check.require("bytes", bytes);
    *bytes = host::linear_backward_workspace(*exec, linear);
}

void linear_backward(const ewc_exec* exec, Linear linear, uint32_t flags, void* workspace, size_t workspace_bytes) {
    const Arguments check = checked_place("ewc_linear_backward", exec);
    check_sizes(check, linear);
    check.flags(flags, EWC_ADD_WEIGHT_GRADIENT);
    linear.add = (flags & EWC_ADD_WEIGHT_GRADIENT) != 0;
    const size_t needed = host::linear_backward_workspace(*exec, linear);
    check.workspace(workspace, workspace_bytes, needed);
    const int64_t inputs = linear.rows * linear.in, weights = linear.out * linear.in;
    check.disjoint(
        {}, {checked_matrix(check, "gradient", linear.gradient, linear.rows * linear.out),
             checked_matrix(check, "x", linear.x, inputs), checked_matrix(check, "weight", linear.weight, weights),
             checked_matrix(check, "x_gradient", linear.x_gradient, inputs, Access::write),
             checked_matrix(check, "weight_gradient", linear.weight_gradient,
                            linear.weight_gradient == nullptr ? 0 : weights, Access::write),
             {"workspace", workspace, needed, Access::write}});
    host::linear_backward(*exec, linear, workspace);
}

} // namespace
} // namespace ewc

using ewc::translate_exceptions;

ewc_status ewc_linear(const ewc_exec* exec, const float* x, const float* weight, int64_t rows, int64_t out, int64_t in,
                      float* y) {
    return translate_exceptions(
        [&] { ewc::linear(exec, {x, weight, rows, out, in, y, nullptr, nullptr, nullptr, false}); });
}

ewc_status ewc_linear_backward_workspace(const ewc_exec* exec, int64_t rows, int64_t out, int64_t in, size_t* bytes) {
    return translate_exceptions([&] {
        ewc::linear_backward_workspace(
            exec, {nullptr, nullptr, rows, out, in, nullptr, nullptr, nullptr, nullptr, false}, bytes);
    });
}

ewc_status ewc_linear_backward(const ewc_exec* exec, const float* gradient, const float* x, const float* weight,
                               int64_t rows, int64_t out, int64_t in, uint32_t flags, float* x_gradient,
                               float* weight_gradient, void* workspace, size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::linear_backward(exec, {x, weight, rows, out, in, nullptr, gradient, x_gradient, weight_gradient, false},
                             flags, workspace, workspace_bytes);
    });
}
