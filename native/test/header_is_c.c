/* The header is C: compiled as C11, included twice, and linked against libewc.so alone. */
#include "ewc/ewc.h"
#include "ewc/ewc.h"

_Static_assert(sizeof(ewc_exec) == 16, "the JNI glue counts on it");
_Static_assert(sizeof(ewc_list) == 32, "the JNI glue counts on it");
_Static_assert(sizeof(ewc_matrix) == 32, "the JNI glue counts on it");
_Static_assert(sizeof(ewc_adamw_options) == 72, "the JNI glue counts on it");
_Static_assert(sizeof(ewc_adamw_values) == 40, "the JNI glue counts on it");
_Static_assert(sizeof(ewc_adamw_statistics) == 24, "the JNI glue counts on it");

int main(void) {
    float fisher_values[] = {1.0f, 2.0f}, gradient_values[] = {3.0f, 4.0f};
    const int64_t numel[] = {2};
    void* fisher_data[] = {fisher_values};
    void* gradient_data[] = {gradient_values};
    const ewc_exec exec = {-1, 1, NULL};
    const ewc_list fisher = {1, numel, fisher_data, EWC_F32};
    const ewc_list gradient = {1, numel, gradient_data, EWC_F32};
    if (ewc_abi_version() != EWC_ABI_VERSION) {
        return 1;
    }
    if (ewc_fisher_accumulate(&exec, &fisher, &gradient, 0.5, EWC_ZERO_GRADIENT) != EWC_OK) {
        return 2;
    }
    return fisher_values[0] == 5.5f && fisher_values[1] == 10.0f && gradient_values[0] == 0.0f ? 0 : 3;
}
