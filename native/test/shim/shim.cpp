// The fibers of cuda_runtime.h, and the place where the contract's cases meet them.
#include <cuda_runtime.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <ucontext.h>

#include "cuda_library.h"
#include "place.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace shim {

dim3 thread;
dim3 block;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStack = 256 * 1024; // its frames are several times as large
#else
constexpr size_t kStack = 64 * 1024;
#endif

// Where a stack lies, for AddressSanitizer, which must be told of each change; without it nothing happens.
struct Stack {
    const void* bottom = nullptr;
    size_t size = 0;
    void* fake = nullptr; // what AddressSanitizer keeps of a stack that is left

    void leave_for([[maybe_unused]] const Stack& next) {
#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_start_switch_fiber(&fake, next.bottom, next.size);
#endif
    }
    // Back on this stack; `before` learns where the one that was left lies.
    void arrive([[maybe_unused]] Stack* before) {
#if defined(__SANITIZE_ADDRESS__)
        Stack unknown;
        Stack& left = before == nullptr ? unknown : *before;
        __sanitizer_finish_switch_fiber(fake, &left.bottom, &left.size);
#endif
    }
};

// One that was made goes round for ever: a turn runs a thread of a block to its next barrier, or to its end.
struct Fiber {
    void* jump[5]; // of __builtin_setjmp
    std::unique_ptr<char[]> stack;
    Stack place;
    bool done;
    bool odd; // of its exchanges in this block
};

std::vector<Fiber> fibers; // the fiber of thread i is always fibers[i]
std::vector<uint64_t> slots[2]; // in turn: nobody writes those of the exchange that others still read
void* scheduler[5];
Stack scheduler_place;
const std::function<void()>* running;

// The sanitizers' longjmp, and what GCC puts before one, look through all of the stack that is left, with two system calls:
// more than most kernels take. It is not needed, as AddressSanitizer is told of each change. Hence the builtins, where the
// sanitizers do not look; and the optimizer neither, which would keep values in registers that these functions leave alone.
#if __has_attribute(noipa)
#define SHIM_OUT_OF_SIGHT __attribute__((noipa, no_sanitize("address", "undefined")))
#else
#define SHIM_OUT_OF_SIGHT __attribute__((noinline, no_sanitize("address", "undefined")))
#endif

[[noreturn]] SHIM_OUT_OF_SIGHT void leap(void** to) { __builtin_longjmp(to, 1); }

// Goes on at `to`; returns when somebody changes to `from`.
SHIM_OUT_OF_SIGHT void change(void** from, void** to) {
    if (__builtin_setjmp(from) == 0) {
        leap(to);
    }
}

SHIM_OUT_OF_SIGHT void change(void** from, const ucontext_t* to) {
    if (__builtin_setjmp(from) == 0) {
        setcontext(to);
    }
}

void end_turn() {
    fibers[thread.x].place.leave_for(scheduler_place);
    change(fibers[thread.x].jump, scheduler);
    fibers[thread.x].place.arrive(nullptr);
}

void go_round() {
    fibers[thread.x].place.arrive(&scheduler_place);
    while (true) {
        end_turn();
        (*running)();
        fibers[thread.x].done = true;
    }
}

void make(Fiber& fiber) {
    fiber.stack.reset(new char[kStack]);
    fiber.place = {fiber.stack.get(), kStack, nullptr};
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = fiber.stack.get();
    context.uc_stack.ss_size = kStack;
    context.uc_link = nullptr;
    makecontext(&context, go_round, 0);
    scheduler_place.leave_for(fiber.place);
    change(scheduler, &context);
    scheduler_place.arrive(nullptr);
}

void resume(Fiber& fiber) {
    scheduler_place.leave_for(fiber.place);
    change(scheduler, fiber.jump);
    scheduler_place.arrive(nullptr);
}

} // namespace

void barrier() { end_turn(); }

uint64_t exchange(uint64_t mine, unsigned from) {
    bool& odd = fibers[thread.x].odd;
    odd = !odd;
    std::vector<uint64_t>& values = slots[odd ? 1 : 0];
    values[thread.x] = mine;
    barrier();
    return values[from];
}

void run(unsigned blocks, unsigned threads, const std::function<void()>& body) {
    running = &body;
    slots[0].resize(threads);
    slots[1].resize(threads);
    for (thread.x = static_cast<unsigned>(fibers.size()); thread.x < threads; ++thread.x) {
        fibers.emplace_back();
        make(fibers.back());
    }
    for (block.x = 0; block.x < blocks; ++block.x) {
        for (unsigned i = 0; i < threads; ++i) {
            fibers[i].done = fibers[i].odd = false;
        }
        for (bool all_done = false; !all_done;) {
            all_done = true;
            for (thread.x = 0; thread.x < threads; ++thread.x) {
                Fiber& fiber = fibers[thread.x];
                if (!fiber.done) {
                    resume(fiber);
                    all_done = all_done && fiber.done;
                }
            }
        }
    }
}

} // namespace shim

extern "C" const ewc_cuda_table* ewc_cuda_table_get();

namespace ewc::test {
namespace {

class ShimPlace : public Place {
public:
    std::string name() const override { return "cuda_on_fibers"; }
    std::string missing() const override {
        return number_ >= 0 && number_ < shim::kMostDevices ? "" : "EWC_TEST_DEVICE: expected a number below that of the shim's devices";
    }
    int32_t device() const override { return number_; }
    void enter() override {
        shim::devices = number_ + 1;
        force_cuda_library(ewc_cuda_table_get());
    }
    void leave() override {
        force_cuda_library(nullptr);
        shim::devices = 1;
    }
    // Memory apart from the host's, as a device has it.
    void* allocate(size_t bytes) override { return std::malloc(bytes == 0 ? 1 : bytes); }
    void release(void* address) override { std::free(address); }
    void* allocate_pinned(size_t bytes) override { return std::malloc(bytes == 0 ? 1 : bytes); }
    void release_pinned(void* address) override { std::free(address); }
    void copy_there(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
    void copy_back(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }

private:
    const int number_ = test_device();
};

} // namespace

Place* device_place() {
    static ShimPlace place;
    return &place;
}

} // namespace ewc::test
