// The fibers of cuda_runtime.h, and the place where the contract's cases meet them.
#include <cuda_runtime.h>

#include <csetjmp>
#include <cstdlib>
#include <cstring>
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

// Entered as a context, on its own stack; from then on by _longjmp, which unlike swapcontext makes no system call.
struct Fiber {
    ucontext_t context;
    jmp_buf jump;
    std::vector<char> stack;
    Stack place;
    bool entered;
    bool done;
};

std::vector<Fiber> fibers;
std::vector<uint64_t> slots;
jmp_buf scheduler;
Stack scheduler_place;
const std::function<void()>* running;

void enter() {
    fibers[thread.x].place.arrive(&scheduler_place);
    (*running)();
    fibers[thread.x].done = true;
    fibers[thread.x].place.leave_for(scheduler_place);
    _longjmp(scheduler, 1);
}

void start(Fiber& fiber) {
    fiber.entered = false;
    fiber.done = false;
    fiber.place = {fiber.stack.data(), fiber.stack.size(), nullptr};
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, enter, 0);
}

// One turn of a fiber. No local variable is changed between _setjmp and _longjmp.
void resume(Fiber& fiber) {
    if (_setjmp(scheduler) == 0) {
        scheduler_place.leave_for(fiber.place);
        if (fiber.entered) {
            _longjmp(fiber.jump, 1);
        }
        fiber.entered = true;
        setcontext(&fiber.context);
    }
    scheduler_place.arrive(nullptr);
}

} // namespace

void barrier() {
    if (_setjmp(fibers[thread.x].jump) == 0) {
        fibers[thread.x].place.leave_for(scheduler_place);
        _longjmp(scheduler, 1);
    }
    fibers[thread.x].place.arrive(nullptr);
}

uint64_t exchange(uint64_t mine, unsigned from) {
    slots[thread.x] = mine;
    barrier();
    const uint64_t theirs = slots[from];
    barrier(); // before anyone writes a slot again
    return theirs;
}

void run(unsigned blocks, unsigned threads, const std::function<void()>& body) {
    running = &body;
    fibers.resize(threads);
    slots.resize(threads);
    for (block.x = 0; block.x < blocks; ++block.x) {
        for (Fiber& fiber : fibers) {
            fiber.stack.resize(kStack);
            start(fiber);
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
    int32_t device() const override { return 0; }
    void enter() override { force_cuda_library(ewc_cuda_table_get()); }
    void leave() override { force_cuda_library(nullptr); }
    // Memory apart from the host's, as a device has it.
    void* allocate(size_t bytes) override { return std::malloc(bytes == 0 ? 1 : bytes); }
    void release(void* address) override { std::free(address); }
    void* allocate_pinned(size_t bytes) override { return std::malloc(bytes == 0 ? 1 : bytes); }
    void release_pinned(void* address) override { std::free(address); }
    void copy_there(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
    void copy_back(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
};

} // namespace

Place* device_place() {
    static ShimPlace place;
    return &place;
}

} // namespace ewc::test
