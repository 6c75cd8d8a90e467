// Where the contract's cases run: on each instruction set of the host, on the CUDA sources compiled for the host
// (cuda_shim.h), and on a device. The cases know nothing of it but how to get memory that the verbs can reach.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "ewc/ewc.h"

namespace ewc::test {

class Place {
public:
    virtual ~Place() = default;
    virtual std::string name() const = 0;
    // Why nothing can run here; empty: it can.
    virtual std::string missing() const { return ""; }
    virtual void enter() {}
    virtual void leave() {}
    virtual int32_t device() const { return -1; }
    // Memory that the verbs reach; null: they reach the host's. Copies wait for the verbs before.
    virtual void* allocate(size_t) { return nullptr; }
    virtual void release(void*) {}
    // Memory of the host that the verbs reach where it is, pinned for a device; null: they reach all of it.
    virtual void* allocate_pinned(size_t) { return nullptr; }
    virtual void release_pinned(void*) {}
    virtual void copy_there(void*, const void*, size_t) {}
    virtual void copy_back(void*, const void*, size_t) {}
    virtual void finish() {}
};

// Every place that this build knows.
const std::vector<Place*>& places();

// The number of the device that device tests run on, from the environment variable EWC_TEST_DEVICE; 0 without it, -1 where it
// is no number.
int test_device();

// The place that the running case is at.
Place& here();
void go_to(Place* place);

enum class Where { kPlace, kPinned };

// Bytes that a test reads and writes on the host and a verb in the place's memory, copied when the other side looks, or
// in the host's own, pinned. Of exactly that size, so that AddressSanitizer or memcheck sees one more.
class Memory {
public:
    explicit Memory(size_t bytes, Where where = Where::kPlace);
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory();
    // The address for a verb, which may write there: take it anew for each verb.
    void* there() const;
    const void* read() const;
    void* write();
    size_t bytes() const { return bytes_; }

private:
    Place* place_;
    size_t bytes_;
    void* pinned_; // null: host_ is not
    void* host_;
    void* device_; // null: the verbs reach host_
    mutable bool newer_on_host_ = false; // what nobody wrote is not copied, so that initcheck sees a verb read it
    mutable bool newer_there_ = false;
};

// A scalar or struct that a verb reads or writes where its tensors lie.
template <typename T>
class Placed {
public:
    explicit Placed(const T& value) : memory_(sizeof(T)) { std::memcpy(memory_.write(), &value, sizeof(T)); }
    T* operator&() const { return static_cast<T*>(memory_.there()); }
    T get() const { return *static_cast<const T*>(memory_.read()); }

private:
    Memory memory_;
};

inline ewc_exec exec_here(int32_t threads = 2) { return {here().device(), threads, nullptr}; }

} // namespace ewc::test
