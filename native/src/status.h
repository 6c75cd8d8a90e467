// How a failure becomes a status: code inside throws Failure, and each C entry point is one translate_exceptions.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "ewc/ewc.h"

namespace ewc {

class Failure : public std::exception {
public:
    Failure(ewc_status status, std::string message) : status_(status), message_(std::move(message)) {}
    ewc_status status() const noexcept { return status_; }
    const char* what() const noexcept override { return message_.c_str(); }

private:
    ewc_status status_;
    std::string message_;
};

// Keeps the message for ewc_last_error of this thread and hands the status back.
ewc_status fail(ewc_status status, const char* message) noexcept;

template <typename Body>
ewc_status translate_exceptions(Body&& body) noexcept {
    try {
        body();
        return EWC_OK;
    } catch (const Failure& failure) {
        return fail(failure.status(), failure.what());
    } catch (const std::bad_alloc&) {
        return fail(EWC_OUT_OF_MEMORY, "out of host memory");
    } catch (const std::exception& exception) {
        return fail(EWC_INTERNAL, exception.what());
    } catch (...) {
        return fail(EWC_INTERNAL, "an exception of unknown type");
    }
}

} // namespace ewc
