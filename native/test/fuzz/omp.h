// OpenMP's functions for a build without OpenMP: one thread. Clang does not read GCC's header.
#pragma once

inline int omp_get_max_threads() { return 1; }
inline int omp_get_num_threads() { return 1; }
inline int omp_get_thread_num() { return 0; }
