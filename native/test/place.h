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
    // Memory that both the verbs and the test can read and write, once finish() was called.
    virtual void* allocate(size_t bytes);
    virtual void release(void* address);
    virtual void finish() {}
};

// Every place that this build knows.
const std::vector<Place*>& places();

// The place that the running case is at.
Place& here();
void go_to(Place* place);

// A list of bytes in the place's memory, of exactly that size so that AddressSanitizer or memcheck sees one more.
class Memory {
public:
    explicit Memory(size_t bytes) : place_(&here()), bytes_(bytes), data_(place_->allocate(bytes)) {}
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() { place_->release(data_); }
    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }

private:
    Place* place_;
    size_t bytes_;
    void* data_;
};

// A scalar or struct that a verb reads or writes where its tensors lie.
template <typename T>
class Placed {
public:
    explicit Placed(const T& value) : memory_(sizeof(T)) { std::memcpy(memory_.data(), &value, sizeof(T)); }
    T* operator&() const { return static_cast<T*>(memory_.data()); }
    T get() const {
        here().finish();
        return *static_cast<const T*>(memory_.data());
    }

private:
    Memory memory_;
};

inline ewc_exec exec_here(int32_t threads = 2) { return {here().device(), threads, nullptr}; }

} // namespace ewc::test
