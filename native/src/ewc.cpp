// The C entry points: check, then run on the host or hand to the device library.
#include "ewc/ewc.h"

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include "adamw.h"
#include "arguments.h"
#include "cuda_library.h"
#include "elements.h"
#include "host.h"
#include "host_kernels.h"
#include "status.h"

namespace ewc {
namespace {

// A plain array, not a std::string: nothing to construct where memory ran out, nothing to destroy at a thread's end.
thread_local char last_error[512] = "";

void raise(ewc_status status, const char* verb, const ewc_cuda_message& message) {
    if (status != EWC_OK) {
        throw Failure(status, std::string(verb) + ": " + message.text);
    }
}

// Calls a function of the device library's table, whose last argument is the message.
template <typename Function, typename... Arguments>
void on_device(const char* verb, Function ewc_cuda_table::*function, Arguments... arguments) {
    ewc_cuda_message message{};
    raise((cuda_library(verb).*function)(arguments..., &message), verb, message);
}

bool on_host(const ewc_exec* exec) { return exec->device < 0; }

size_t sum_workspace(const char* verb, const ewc_exec* exec, const ewc_list& list) {
    return on_host(exec) ? host::sum_workspace(list) : cuda_library(verb).sum_workspace(&list);
}

size_t adamw_workspace(const char* verb, const ewc_exec* exec, const ewc_list& list) {
    return on_host(exec) ? host::adamw_workspace(list) : cuda_library(verb).adamw_workspace(&list);
}

void device_count(int32_t* count) {
    const char* verb = "ewc_cuda_device_count";
    if (count == nullptr) {
        throw Failure(EWC_INVALID_ARGUMENT, std::string(verb) + ": count: expected an address, came NULL");
    }
    *count = 0;
    on_device(verb, &ewc_cuda_table::device_count, count);
}

void convert(const ewc_exec* exec, const ewc_list* destination, const ewc_list* source) {
    const char* verb = "ewc_convert";
    const Arguments check(verb, exec);
    check.lists({{"destination", destination, kAny}, {"source", source, kAny}});
    check.disjoint({{"destination", destination, kAny, Access::write}, {"source", source}});
    if (on_host(exec)) {
        host::convert(*exec, *destination, *source);
    } else {
        on_device(verb, &ewc_cuda_table::convert, exec, destination, source);
    }
}

void fisher_accumulate(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* gradient, double weight,
                       uint32_t flags) {
    const char* verb = "ewc_fisher_accumulate";
    const Arguments check(verb, exec);
    check.lists({{"fisher", fisher}, {"gradient", gradient, kGradient}});
    check.finite("weight", weight);
    check.flags(flags, EWC_ZERO_GRADIENT);
    const bool zero_gradient = (flags & EWC_ZERO_GRADIENT) != 0;
    check.disjoint({{"fisher", fisher, kF32, Access::write},
                    {"gradient", gradient, kGradient, zero_gradient ? Access::write : Access::read}});
    if (on_host(exec)) {
        host::fisher_accumulate(*exec, *fisher, *gradient, weight, zero_gradient);
    } else {
        on_device(verb, &ewc_cuda_table::fisher_accumulate, exec, fisher, gradient, weight, zero_gradient);
    }
}

// So that no size made of them overflows, and far more than any memory holds.
constexpr int64_t kMostPositions = int64_t{1} << 40;

// What both the verb and its workspace query check. The number of elements of fisher is checked too.
LinearFisher checked_linear(const Arguments& check, float* fisher, const ewc_matrix* left, const ewc_matrix* right,
                            const int64_t* offsets, int64_t examples) {
    check.offsets(offsets, examples);
    if (offsets[examples] > kMostPositions) {
        check.invalid("offsets: expected at most " + std::to_string(kMostPositions) + " positions, came " +
                      std::to_string(offsets[examples]));
    }
    check.matrix("left", left, offsets[examples], kFactor);
    if (right != nullptr) {
        check.matrix("right", right, offsets[examples], kFactor);
        if (right->dtype != left->dtype) {
            check.invalid("right->dtype: expected that of left (" + std::to_string(left->dtype) + "), came " +
                          std::to_string(right->dtype));
        }
        if (right->columns > 0 && left->columns > INT64_MAX / 8 / right->columns) {
            check.invalid("left, right: expected a fisher of at most " + std::to_string(INT64_MAX / 8) +
                          " elements, came more");
        }
    }
    return {fisher, *left, right, offsets, examples};
}

Region region_of_matrix(const char* name, const ewc_matrix* matrix, int64_t rows) {
    if (matrix == nullptr || rows == 0 || matrix->columns == 0) {
        return {name, nullptr, 0};
    }
    const int64_t elements = (rows - 1) * matrix->stride + matrix->columns;
    return {name, matrix->data, static_cast<uint64_t>(elements * element_bytes(matrix->dtype))};
}

size_t linear_workspace(const char* verb, const ewc_exec* exec, const LinearFisher& linear) {
    return on_host(exec) ? host::linear_workspace(*exec, linear) : cuda_library(verb).linear_workspace(&linear);
}

void fisher_accumulate_linear_workspace(const ewc_exec* exec, const ewc_matrix* left, const ewc_matrix* right,
                                        const int64_t* offsets, int64_t examples, size_t* bytes) {
    const char* verb = "ewc_fisher_accumulate_linear_workspace";
    const Arguments check(verb, exec);
    const LinearFisher linear = checked_linear(check, nullptr, left, right, offsets, examples);
    check.require("bytes", bytes);
    *bytes = linear_workspace(verb, exec, linear);
}

void fisher_accumulate_linear(const ewc_exec* exec, float* fisher, const ewc_matrix* left, const ewc_matrix* right,
                              const int64_t* offsets, int64_t examples, double weight, void* workspace,
                              size_t workspace_bytes) {
    const char* verb = "ewc_fisher_accumulate_linear";
    const Arguments check(verb, exec);
    const LinearFisher linear = checked_linear(check, fisher, left, right, offsets, examples);
    if (linear.rows() > 0 && linear.columns() > 0) {
        check.require("fisher", fisher);
    }
    check.finite("weight", weight);
    const size_t needed = linear_workspace(verb, exec, linear);
    check.workspace(workspace, workspace_bytes, needed);
    const uint64_t fisher_bytes = static_cast<uint64_t>(linear.rows() * linear.columns()) * sizeof(float);
    check.disjoint({}, {{"fisher", fisher, fisher_bytes, Access::write},
                        region_of_matrix("left", left, offsets[examples]),
                        region_of_matrix("right", right, offsets[examples]),
                        {"offsets", offsets, static_cast<uint64_t>(examples + 1) * sizeof(int64_t)},
                        {"workspace", workspace, needed, Access::write}});
    if (on_host(exec)) {
        host::fisher_accumulate_linear(*exec, linear, weight, workspace);
    } else {
        on_device(verb, &ewc_cuda_table::fisher_accumulate_linear, exec, &linear, weight, workspace);
    }
}

void fisher_merge(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* new_fisher, double retain,
                  double weight) {
    const char* verb = "ewc_fisher_merge";
    const Arguments check(verb, exec);
    check.lists({{"fisher", fisher, kFisher}, {"new_fisher", new_fisher == nullptr ? fisher : new_fisher, kReadFisher}});
    check.finite("retain", retain);
    check.finite("weight", weight);
    check.disjoint({{"fisher", fisher, kFisher, Access::write}, {"new_fisher", new_fisher}});
    if (on_host(exec)) {
        host::fisher_merge(*exec, *fisher, new_fisher, retain, weight);
    } else {
        on_device(verb, &ewc_cuda_table::fisher_merge, exec, fisher, new_fisher, retain, weight);
    }
}

void fisher_max(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* new_fisher) {
    const char* verb = "ewc_fisher_max";
    const Arguments check(verb, exec);
    check.lists({{"fisher", fisher, kFisher}, {"new_fisher", new_fisher, kReadFisher}});
    check.disjoint({{"fisher", fisher, kFisher, Access::write}, {"new_fisher", new_fisher}});
    if (on_host(exec)) {
        host::fisher_max(*exec, *fisher, *new_fisher);
    } else {
        on_device(verb, &ewc_cuda_table::fisher_max, exec, fisher, new_fisher);
    }
}

void anchor(const char* verb, AnchorChange change, const ewc_exec* exec, const AnchorLists& lists, double* energy,
            void* workspace, size_t workspace_bytes) {
    const Arguments check(verb, exec);
    const bool merge = change == AnchorChange::merge;
    check.lists({{"theta", lists.theta},
                 {"anchor", lists.anchor, merge ? kAnchor : kF32},
                 {"fisher", lists.fisher, merge ? kFisher : kF32},
                 {"new_fisher", merge ? lists.new_fisher : lists.theta}});
    check.require("energy", energy);
    const size_t needed = sum_workspace(verb, exec, *lists.theta);
    check.workspace(workspace, workspace_bytes, needed);
    const Access merged = merge ? Access::write : Access::read;
    check.disjoint({{"theta", lists.theta},
                    {"anchor", lists.anchor, kAnchor, merge ? Access::read : Access::write},
                    {"fisher", lists.fisher, kFisher, merged},
                    {"new_fisher", merge ? lists.new_fisher : nullptr, kF32, merged}},
                   {region_of("energy", energy, Access::write), {"workspace", workspace, needed, Access::write}});
    if (on_host(exec)) {
        host::anchor(*exec, change, lists, energy, workspace);
    } else {
        on_device(verb, &ewc_cuda_table::anchor, exec, change, &lists, energy, workspace);
    }
}

void workspace(const char* verb, const ewc_exec* exec, const NamedList& list, size_t* bytes,
               size_t (*needed)(const char* verb, const ewc_exec*, const ewc_list&)) {
    const Arguments check(verb, exec);
    check.lists({list});
    check.require("bytes", bytes);
    *bytes = needed(verb, exec, *list.list);
}

void check_number(const Arguments& check, const char* name, double value, double below) {
    if (!(value >= 0.0 && value < below)) {
        check.invalid(std::string(name) + ": expected a number from 0, below " + std::to_string(below) + ", came " +
                      std::to_string(value));
    }
}

void check_numbers(const Arguments& check, const char* name, const double* values, int64_t count) {
    check.optional(name, values);
    for (int64_t i = 0; values != nullptr && i < count; ++i) {
        if (!(values[i] >= 0.0 && values[i] < INFINITY)) {
            check_number(check, (std::string(name) + "[" + std::to_string(i) + "]").c_str(), values[i], INFINITY);
        }
    }
}

// What check_numbers took.
Region region_of_numbers(const char* name, const double* values, int64_t count) {
    return {name, values, values == nullptr ? 0 : static_cast<uint64_t>(count) * sizeof(double)};
}

void penalty(const ewc_exec* exec, const PenaltyLists& lists, const double* lambda, double* penalty, void* workspace,
             size_t workspace_bytes) {
    const char* verb = "ewc_penalty";
    const Arguments check(verb, exec);
    check.lists({{"theta", lists.theta}, {"anchor", lists.anchor, kAnchor}, {"fisher", lists.fisher, kReadFisher}});
    check_numbers(check, "segment_lambda", lists.segment_lambda, lists.theta->count);
    if (lists.gradient != nullptr) {
        check.lists({{"theta", lists.theta}, {"gradient", lists.gradient, kGradient}});
        check.require("lambda", lambda);
    } else {
        check.require("penalty", penalty);
    }
    check.optional("lambda", lambda);
    check.optional("penalty", penalty);
    const size_t needed = sum_workspace(verb, exec, *lists.theta);
    check.workspace(workspace, workspace_bytes, needed);
    check.disjoint({{"theta", lists.theta},
                    {"anchor", lists.anchor},
                    {"fisher", lists.fisher},
                    {"gradient", lists.gradient, kGradient, Access::write}},
                   {region_of("lambda", lambda), region_of("penalty", penalty, Access::write),
                    region_of_numbers("segment_lambda", lists.segment_lambda, lists.theta->count),
                    {"workspace", workspace, needed, Access::write}});
    const double* strength = lists.gradient == nullptr ? nullptr : lambda;
    if (on_host(exec)) {
        host::penalty(*exec, lists, strength, penalty, workspace);
    } else {
        on_device(verb, &ewc_cuda_table::penalty, exec, &lists, strength, penalty, workspace);
    }
}

void norm(const ewc_exec* exec, const PenaltyLists& lists, const double* lambda, double* norm_squared, void* workspace,
          size_t workspace_bytes) {
    const char* verb = "ewc_norm";
    const Arguments check(verb, exec);
    check.lists({{"gradient", lists.gradient, kGradient}});
    const int given = (lists.theta != nullptr) + (lists.anchor != nullptr) + (lists.fisher != nullptr) +
                      (lambda != nullptr);
    if (given == 4) {
        check.lists({{"gradient", lists.gradient, kGradient},
                     {"theta", lists.theta},
                     {"anchor", lists.anchor, kAnchor},
                     {"fisher", lists.fisher, kReadFisher}});
    } else if (given != 0) {
        check.invalid("theta, anchor, fisher, lambda: expected all four or none, came " + std::to_string(given));
    }
    check_numbers(check, "segment_lambda", lists.segment_lambda, lists.gradient->count);
    check.optional("lambda", lambda);
    check.require("norm_squared", norm_squared);
    const size_t needed = sum_workspace(verb, exec, *lists.gradient);
    check.workspace(workspace, workspace_bytes, needed);
    check.disjoint({{"gradient", lists.gradient},
                    {"theta", lists.theta},
                    {"anchor", lists.anchor},
                    {"fisher", lists.fisher}},
                   {region_of("lambda", lambda), region_of("norm_squared", norm_squared, Access::write),
                    region_of_numbers("segment_lambda", lists.segment_lambda, lists.gradient->count),
                    {"workspace", workspace, needed, Access::write}});
    if (on_host(exec)) {
        host::norm(*exec, lists, lambda, norm_squared, workspace);
    } else {
        on_device(verb, &ewc_cuda_table::norm, exec, &lists, lambda, norm_squared, workspace);
    }
}

// Options of this version's size, whatever the caller compiled, checked.
ewc_adamw_options checked_options(const Arguments& check, const ewc_adamw_options* given, int64_t segments) {
    check.require("options", given);
    const size_t first_size = offsetof(ewc_adamw_options, segment_learning_rate);
    const size_t second_size = offsetof(ewc_adamw_options, segment_lambda);
    if (given->struct_size != sizeof(ewc_adamw_options) && given->struct_size != second_size &&
        given->struct_size != first_size) {
        check.unsupported("options->struct_size: expected " + std::to_string(first_size) + ", " +
                          std::to_string(second_size) + " or " + std::to_string(sizeof(ewc_adamw_options)) + ", came " +
                          std::to_string(given->struct_size));
    }
    ewc_adamw_options options{};
    std::memcpy(&options, given, given->struct_size);
    check_number(check, "options->beta1", options.beta1, 1.0);
    check_number(check, "options->beta2", options.beta2, 1.0);
    check_number(check, "options->epsilon", options.epsilon, INFINITY);
    check_number(check, "options->weight_decay", options.weight_decay, INFINITY);
    check_numbers(check, "options->segment_learning_rate", options.segment_learning_rate, segments);
    check_numbers(check, "options->segment_weight_decay", options.segment_weight_decay, segments);
    check_numbers(check, "options->segment_lambda", options.segment_lambda, segments);
    return options;
}

void adamw_step(const ewc_exec* exec, AdamWLists lists, const ewc_adamw_options* given,
                const ewc_adamw_values* values, uint32_t flags, ewc_adamw_statistics* statistics, void* workspace,
                size_t workspace_bytes) {
    const char* verb = "ewc_adamw_step";
    const Arguments check(verb, exec);
    if ((lists.fisher == nullptr) != (lists.anchor == nullptr)) {
        check.invalid("fisher, anchor: expected both or neither, came one");
    }
    check.lists({{"theta", lists.theta},
                 {"first_moment", lists.first_moment},
                 {"second_moment", lists.second_moment},
                 {"gradient", lists.gradient, kGradient}});
    if (lists.fisher != nullptr) {
        check.lists({{"theta", lists.theta}, {"fisher", lists.fisher, kReadFisher}, {"anchor", lists.anchor, kAnchor}});
    }
    const ewc_adamw_options options = checked_options(check, given, lists.theta->count);
    lists.theta_copy = options.theta_copy;
    if (lists.theta_copy != nullptr) {
        check.lists({{"theta", lists.theta}, {"options->theta_copy", lists.theta_copy, kCopy}});
    }
    check.require("values", values);
    check.flags(flags, EWC_ZERO_GRADIENT | EWC_PROXIMAL);
    if (on_host(exec) && values->step < 0) { // a device's values are read there, later
        check.invalid("values->step: expected 0 or more, came " + std::to_string(values->step));
    }
    check.optional("statistics", statistics);
    const size_t needed = adamw_workspace(verb, exec, *lists.theta);
    check.workspace(workspace, workspace_bytes, needed);
    const AdamWMode mode{(flags & EWC_ZERO_GRADIENT) != 0, (flags & EWC_PROXIMAL) != 0};
    check.disjoint({{"theta", lists.theta, kF32, Access::write},
                    {"first_moment", lists.first_moment, kF32, Access::write},
                    {"second_moment", lists.second_moment, kF32, Access::write},
                    {"gradient", lists.gradient, kGradient, mode.zero_gradient ? Access::write : Access::read},
                    {"fisher", lists.fisher},
                    {"anchor", lists.anchor},
                    {"options->theta_copy", lists.theta_copy, kCopy, Access::write}},
                   {region_of("values", values), region_of("statistics", statistics, Access::write),
                    region_of_numbers("options->segment_learning_rate", options.segment_learning_rate, lists.theta->count),
                    region_of_numbers("options->segment_weight_decay", options.segment_weight_decay, lists.theta->count),
                    region_of_numbers("options->segment_lambda", options.segment_lambda, lists.theta->count),
                    {"workspace", workspace, needed, Access::write}});
    if (on_host(exec)) {
        host::adamw_step(*exec, lists, options, *values, mode, statistics, workspace);
    } else {
        on_device(verb, &ewc_cuda_table::adamw_step, exec, &lists, &options, values, mode, statistics, workspace);
    }
}

size_t cross_entropy_workspace(const Arguments& check, int64_t rows) {
    check.rows(rows);
    return static_cast<size_t>(rows) * sizeof(double); // a loss for each, on host and device alike
}

void cross_entropy(const ewc_exec* exec, CrossEntropy matrix, uint32_t flags, double* loss, void* workspace,
                   size_t workspace_bytes) {
    const char* verb = "ewc_cross_entropy";
    const Arguments check(verb, exec);
    const size_t needed = cross_entropy_workspace(check, matrix.rows);
    check.logits(matrix.logits, matrix.dtype, matrix.rows, matrix.columns);
    check.targets(matrix.targets, matrix.rows, matrix.columns, on_host(exec));
    check.flags(flags, EWC_LOGITS_TO_GRADIENT | EWC_ADD_LOSS);
    const bool to_gradient = (flags & EWC_LOGITS_TO_GRADIENT) != 0;
    if (to_gradient) {
        check.require("scale", matrix.scale);
    } else {
        matrix.scale = nullptr;
    }
    check.require("loss", loss);
    check.workspace(workspace, workspace_bytes, needed);
    const int64_t logits = matrix.rows * matrix.columns;
    check.disjoint({}, {{"logits", matrix.logits, static_cast<uint64_t>(logits * element_bytes(matrix.dtype)),
                         to_gradient ? Access::write : Access::read},
                        {"targets", matrix.targets, static_cast<uint64_t>(matrix.rows) * sizeof(int64_t)},
                        region_of("scale", matrix.scale),
                        region_of("loss", loss, Access::write),
                        {"workspace", workspace, needed, Access::write}});
    matrix.add_loss = (flags & EWC_ADD_LOSS) != 0;
    if (on_host(exec)) {
        host::cross_entropy(*exec, matrix, loss, workspace);
    } else {
        on_device(verb, &ewc_cuda_table::cross_entropy, exec, &matrix, loss, workspace);
    }
}

void adamw_prepare(const ewc_exec* exec, const double* norm_squared, double clip_norm, uint32_t flags,
                   int64_t* skipped, ewc_adamw_values* values) {
    const char* verb = "ewc_adamw_prepare";
    const Arguments check(verb, exec);
    check.require("norm_squared", norm_squared);
    check.require("values", values);
    check.flags(flags, EWC_CLIP_TOTAL | EWC_SKIP_NONFINITE);
    if (!(clip_norm > 0.0)) {
        check.invalid("clip_norm: expected a number above 0, came " + std::to_string(clip_norm));
    }
    if ((flags & EWC_SKIP_NONFINITE) != 0) {
        check.require("skipped", skipped);
    }
    check.optional("skipped", skipped);
    check.disjoint({}, {region_of("norm_squared", norm_squared), region_of("values", values, Access::write),
                        region_of("skipped", skipped, Access::write)});
    if (on_host(exec)) {
        prepare_adamw(*norm_squared, clip_norm, flags, skipped, *values);
    } else {
        on_device(verb, &ewc_cuda_table::adamw_prepare, exec, norm_squared, clip_norm, flags, skipped, values);
    }
}

} // namespace

ewc_status fail(ewc_status status, const char* message) noexcept {
    std::snprintf(last_error, sizeof(last_error), "%s", message);
    return status;
}

} // namespace ewc

using ewc::translate_exceptions;

const char* ewc_last_error(void) { return ewc::last_error; }

int32_t ewc_abi_version(void) { return EWC_ABI_VERSION; }

const char* ewc_host_instruction_set(void) { return ewc::host_kernels().name; }

void ewc_range_push(const char* name) {
    const ewc_cuda_table* table = ewc::cuda_library_or_null();
    if (table != nullptr && name != nullptr) {
        table->range_push(name);
    }
}

void ewc_range_pop(void) {
    const ewc_cuda_table* table = ewc::cuda_library_or_null();
    if (table != nullptr) {
        table->range_pop();
    }
}

ewc_status ewc_profiler_start(int32_t device) {
    return translate_exceptions(
        [&] { ewc::on_device("ewc_profiler_start", &ewc_cuda_table::profiler_start, device); });
}

ewc_status ewc_profiler_stop(int32_t device) {
    return translate_exceptions([&] { ewc::on_device("ewc_profiler_stop", &ewc_cuda_table::profiler_stop, device); });
}

ewc_status ewc_cuda_device_count(int32_t* count) {
    return translate_exceptions([&] { ewc::device_count(count); });
}

int64_t ewc_segment_bytes(ewc_dtype dtype, int64_t numel) {
    const bool known = dtype >= EWC_F32 && dtype <= EWC_U8_BLOCK256 && numel >= 0 && numel <= INT64_MAX / 8;
    return known ? ewc::segment_bytes(dtype, numel) : -1;
}

ewc_status ewc_convert(const ewc_exec* exec, const ewc_list* destination, const ewc_list* source) {
    return translate_exceptions([&] { ewc::convert(exec, destination, source); });
}

ewc_status ewc_fisher_accumulate(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* gradient, double weight,
                                 uint32_t flags) {
    return translate_exceptions([&] { ewc::fisher_accumulate(exec, fisher, gradient, weight, flags); });
}

ewc_status ewc_fisher_accumulate_linear_workspace(const ewc_exec* exec, const ewc_matrix* left, const ewc_matrix* right,
                                                  const int64_t* offsets, int64_t examples, size_t* bytes) {
    return translate_exceptions(
        [&] { ewc::fisher_accumulate_linear_workspace(exec, left, right, offsets, examples, bytes); });
}

ewc_status ewc_fisher_accumulate_linear(const ewc_exec* exec, float* fisher, const ewc_matrix* left,
                                        const ewc_matrix* right, const int64_t* offsets, int64_t examples,
                                        double weight, void* workspace, size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::fisher_accumulate_linear(exec, fisher, left, right, offsets, examples, weight, workspace, workspace_bytes);
    });
}

ewc_status ewc_fisher_merge(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* new_fisher, double retain,
                            double weight) {
    return translate_exceptions([&] { ewc::fisher_merge(exec, fisher, new_fisher, retain, weight); });
}

ewc_status ewc_fisher_max(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* new_fisher) {
    return translate_exceptions([&] { ewc::fisher_max(exec, fisher, new_fisher); });
}

ewc_status ewc_anchor_workspace(const ewc_exec* exec, const ewc_list* theta, size_t* bytes) {
    return translate_exceptions(
        [&] { ewc::workspace("ewc_anchor_workspace", exec, {"theta", theta}, bytes, ewc::sum_workspace); });
}

ewc_status ewc_anchor_displace(const ewc_exec* exec, const ewc_list* anchor, const ewc_list* theta,
                               const ewc_list* fisher, double* energy, void* workspace, size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::anchor("ewc_anchor_displace", ewc::AnchorChange::displace, exec, {anchor, theta, fisher, nullptr}, energy,
                    workspace, workspace_bytes);
    });
}

ewc_status ewc_anchor_restore(const ewc_exec* exec, const ewc_list* anchor, const ewc_list* theta,
                              const ewc_list* fisher, double* energy, void* workspace, size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::anchor("ewc_anchor_restore", ewc::AnchorChange::restore, exec, {anchor, theta, fisher, nullptr}, energy,
                    workspace, workspace_bytes);
    });
}

ewc_status ewc_anchor_merge(const ewc_exec* exec, const ewc_list* anchor, const ewc_list* theta,
                            const ewc_list* fisher, const ewc_list* new_fisher, double* energy, void* workspace,
                            size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::anchor("ewc_anchor_merge", ewc::AnchorChange::merge, exec, {anchor, theta, fisher, new_fisher}, energy,
                    workspace, workspace_bytes);
    });
}

ewc_status ewc_penalty_workspace(const ewc_exec* exec, const ewc_list* theta, size_t* bytes) {
    return translate_exceptions(
        [&] { ewc::workspace("ewc_penalty_workspace", exec, {"theta", theta}, bytes, ewc::sum_workspace); });
}

ewc_status ewc_penalty(const ewc_exec* exec, const ewc_list* theta, const ewc_list* anchor, const ewc_list* fisher,
                       const ewc_list* gradient, const double* lambda, const double* segment_lambda,
                       double* penalty, void* workspace, size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::penalty(exec, {theta, anchor, fisher, gradient, segment_lambda}, lambda, penalty, workspace,
                     workspace_bytes);
    });
}

ewc_status ewc_norm_workspace(const ewc_exec* exec, const ewc_list* gradient, size_t* bytes) {
    return translate_exceptions(
        [&] { ewc::workspace("ewc_norm_workspace", exec, {"gradient", gradient, ewc::kGradient}, bytes,
                             ewc::sum_workspace); });
}

ewc_status ewc_norm(const ewc_exec* exec, const ewc_list* gradient, const ewc_list* theta, const ewc_list* anchor,
                    const ewc_list* fisher, const double* lambda, const double* segment_lambda,
                    double* norm_squared, void* workspace, size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::norm(exec, {theta, anchor, fisher, gradient, segment_lambda}, lambda, norm_squared, workspace,
                  workspace_bytes);
    });
}

ewc_status ewc_adamw_step_workspace(const ewc_exec* exec, const ewc_list* theta, size_t* bytes) {
    return translate_exceptions(
        [&] { ewc::workspace("ewc_adamw_step_workspace", exec, {"theta", theta}, bytes, ewc::adamw_workspace); });
}

ewc_status ewc_adamw_step(const ewc_exec* exec, const ewc_list* theta, const ewc_list* first_moment,
                          const ewc_list* second_moment, const ewc_list* gradient, const ewc_list* fisher,
                          const ewc_list* anchor, const ewc_adamw_options* options, const ewc_adamw_values* values,
                          uint32_t flags, ewc_adamw_statistics* statistics, void* workspace, size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::adamw_step(exec, {theta, first_moment, second_moment, gradient, fisher, anchor, nullptr}, options, values,
                        flags, statistics, workspace, workspace_bytes);
    });
}

ewc_status ewc_cross_entropy_workspace(const ewc_exec* exec, int64_t rows, size_t* bytes) {
    return translate_exceptions([&] {
        const ewc::Arguments check("ewc_cross_entropy_workspace", exec);
        check.require("bytes", bytes);
        *bytes = ewc::cross_entropy_workspace(check, rows);
    });
}

ewc_status ewc_cross_entropy(const ewc_exec* exec, void* logits, ewc_dtype dtype, int64_t rows, int64_t columns,
                             const int64_t* targets, const double* scale, uint32_t flags, double* loss,
                             void* workspace, size_t workspace_bytes) {
    return translate_exceptions([&] {
        ewc::cross_entropy(exec, {logits, dtype, rows, columns, targets, scale, false}, flags, loss, workspace,
                           workspace_bytes);
    });
}

ewc_status ewc_adamw_prepare(const ewc_exec* exec, const double* norm_squared, double clip_norm, uint32_t flags,
                             int64_t* skipped, ewc_adamw_values* values) {
    return translate_exceptions([&] { ewc::adamw_prepare(exec, norm_squared, clip_norm, flags, skipped, values); });
}
