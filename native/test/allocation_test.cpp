// A verb that has nothing to refuse takes no memory, as the header says; nor do the checks of its arguments.
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "contract.h"

static thread_local int64_t allocations = 0;

// AddressSanitizer has operators of its own, which see what is freed as it was not allocated: they stay.
#if !defined(__SANITIZE_ADDRESS__)
void* operator new(size_t bytes) {
    ++allocations;
    if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) {
        return memory;
    }
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace ewc::test {
namespace {

TEST(Allocation, AStepAndAMergeTakeNone) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "AddressSanitizer's operators count nothing";
#endif
    go_to(places().front());
    const ewc_exec exec = {-1, 1, nullptr};
    Step step({40, 7});
    const double factors[] = {1, 2};
    step.options.segment_learning_rate = step.options.segment_weight_decay = step.options.segment_lambda = factors;
    step.options.theta_copy = step.copy.list();
    double workspace[8], sum = 0;
    ewc_adamw_statistics statistics{};
    const auto run = [&] {
        return ewc_adamw_step(&exec, step.theta.list(), step.first.list(), step.second.list(), step.gradient.list(),
                              step.fisher.list(), step.anchor.list(), &step.options, &step.values, 0, &statistics,
                              workspace, sizeof(workspace)) == EWC_OK &&
               ewc_anchor_merge(&exec, step.anchor.list(), step.theta.list(), step.fisher.list(), step.first.list(), &sum,
                                workspace, sizeof(workspace)) == EWC_OK;
    };
    ASSERT_TRUE(run()) << ewc_last_error();
    const int64_t before = allocations;
    ASSERT_TRUE(run());
    EXPECT_EQ(before, allocations);
}

} // namespace
} // namespace ewc::test
