// The fuzz target where no libFuzzer is: so many inputs of random bytes, the same on every run.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int count, char** arguments) {
    const long inputs = count > 1 ? std::strtol(arguments[1], nullptr, 10) : 20000;
    std::mt19937 random(1);
    uint8_t input[768];
    for (long i = 0; i < inputs; ++i) {
        for (uint8_t& byte : input) {
            byte = static_cast<uint8_t>(random());
        }
        LLVMFuzzerTestOneInput(input, sizeof(input));
    }
    std::printf("%ld calls\n", inputs);
    return 0;
}
