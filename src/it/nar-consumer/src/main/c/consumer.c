/* Another project's C code, with ewc.h and libewc.so from the .nar. */
#include <ewc/ewc.h>
#include <stdio.h>

int main(void) {
    float fisher[] = {1.0f, 2.0f}, gradient[] = {3.0f, 4.0f};
    const int64_t numel[] = {2};
    void* fisher_data[] = {fisher};
    void* gradient_data[] = {gradient};
    const ewc_exec exec = {-1, 1, NULL};
    const ewc_list fisher_list = {1, numel, fisher_data, EWC_F32};
    const ewc_list gradient_list = {1, numel, gradient_data, EWC_F32};
    if (ewc_fisher_accumulate(&exec, &fisher_list, &gradient_list, 0.5, 0) != EWC_OK) {
        fprintf(stderr, "%s\n", ewc_last_error());
        return 1;
    }
    printf("nar-consumer: linked libewc ABI %d, fisher = {%g, %g}\n", ewc_abi_version(), fisher[0], fisher[1]);
    return fisher[0] == 5.5f && fisher[1] == 10.0f ? 0 : 1;
}
