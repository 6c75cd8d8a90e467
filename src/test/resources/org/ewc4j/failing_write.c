/*
 * A disk that breaks at one write: LD_PRELOAD of FailingWriteTest's process. What the process writes to files in a folder is counted,
 * and the write of a chosen number fails once with EIO: write, writev, pwrite, sendfile and copy_file_range into a file,
 * ftruncate, fsync and fdatasync of a file or folder, rename.
 *
 *   EWC_FAILING_FOLDER     the folder
 *   EWC_FAILING_CONTROL    a file of two int64: the number of the write that fails (0: none); how many there were
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static const char* folder;
static int64_t* control;

__attribute__((constructor)) static void read_environment(void) {
    const char* file = getenv("EWC_FAILING_CONTROL");
    int descriptor = file == NULL ? -1 : open(file, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) {
        return;
    }
    void* mapped = mmap(NULL, 2 * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    control = mapped == MAP_FAILED ? NULL : mapped;
    close(descriptor);
    folder = getenv("EWC_FAILING_FOLDER");
}

static int path_fails(const char* path) {
    if (control == NULL || folder == NULL || strncmp(path, folder, strlen(folder)) != 0) {
        return 0;
    }
    int64_t number = __atomic_add_fetch(&control[1], 1, __ATOMIC_SEQ_CST);
    if (number != __atomic_load_n(&control[0], __ATOMIC_SEQ_CST)) {
        return 0;
    }
    errno = EIO;
    return 1;
}

static int file_fails(int descriptor) {
    char link[64];
    char path[PATH_MAX + 1];
    if (control == NULL) {
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    int before = errno;
    ssize_t length = readlink(link, path, PATH_MAX);
    errno = before;
    if (length <= 0) {
        return 0;
    }
    path[length] = '\0';
    return path_fails(path);
}

#define NEXT(name, ...)                                                        \
    static __typeof__(name)* next;                                             \
    if (next == NULL) {                                                        \
        next = (__typeof__(name)*)dlsym(RTLD_NEXT, #name);                     \
    }                                                                          \
    return next(__VA_ARGS__)

ssize_t write(int file, const void* bytes, size_t count) {
    if (file_fails(file)) {
        return -1;
    }
    NEXT(write, file, bytes, count);
}

ssize_t writev(int file, const struct iovec* parts, int count) {
    if (file_fails(file)) {
        return -1;
    }
    NEXT(writev, file, parts, count);
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t at) {
    if (file_fails(file)) {
        return -1;
    }
    NEXT(pwrite, file, bytes, count, at);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t at) {
    if (file_fails(file)) {
        return -1;
    }
    NEXT(pwrite64, file, bytes, count, at);
}

ssize_t sendfile64(int out, int in, off64_t* at, size_t count);
ssize_t sendfile64(int out, int in, off64_t* at, size_t count) {
    if (file_fails(out)) {
        return -1;
    }
    NEXT(sendfile64, out, in, at, count);
}

ssize_t copy_file_range(int in, off64_t* from, int out, off64_t* to, size_t count, unsigned flags) {
    if (file_fails(out)) {
        return -1;
    }
    NEXT(copy_file_range, in, from, out, to, count, flags);
}

int ftruncate64(int file, off64_t length) {
    if (file_fails(file)) {
        return -1;
    }
    NEXT(ftruncate64, file, length);
}

int fsync(int file) {
    if (file_fails(file)) {
        return -1;
    }
    NEXT(fsync, file);
}

int fdatasync(int file) {
    if (file_fails(file)) {
        return -1;
    }
    NEXT(fdatasync, file);
}

int rename(const char* from, const char* to) {
    if (path_fails(to)) {
        return -1;
    }
    NEXT(rename, from, to);
}
