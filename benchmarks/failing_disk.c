/* Lets uses of files in a folder fail, for benchmarks/kills.py.

   FAULT_FOLDER   folder, with all that is inside
   FAULT_AT       number of the first use that fails, from 1; 0 for none
   FAULT_COUNT    how many fail
   FAULT_ERRNO    with which error

   cc -shared -fPIC -o failing_disk.so failing_disk.c -ldl; LD_PRELOAD=...  */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long used;

long uses_of_files(void) { return used; }

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int fails(const char *path) {
    const char *folder = getenv("FAULT_FOLDER");
    if (!folder || !path || strncmp(path, folder, strlen(folder))) return 0;
    long at = number("FAULT_AT");
    used++;
    if (!at || used < at || used >= at + number("FAULT_COUNT")) return 0;
    errno = (int)number("FAULT_ERRNO");
    return 1;
}

static int fails_open(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path);
}

#define WRAP(type, name, condition, parameters, values)                    \
    type name parameters {                                                 \
        static type (*real) parameters;                                    \
        if (!real) real = (type (*) parameters)dlsym(RTLD_NEXT, #name);    \
        return condition ? -1 : real values;                               \
    }

WRAP(ssize_t, write, fails_open(f), (int f, const void *b, size_t n), (f, b, n))
WRAP(ssize_t, writev, fails_open(f), (int f, const struct iovec *v, int n), (f, v, n))
WRAP(ssize_t, pwrite64, fails_open(f), (int f, const void *b, size_t n, off64_t o), (f, b, n, o))
WRAP(int, fsync, fails_open(f), (int f), (f))
WRAP(int, ftruncate64, fails_open(f), (int f, off64_t n), (f, n))
WRAP(int, truncate64, fails(p), (const char *p, off64_t n), (p, n))
WRAP(int, rename, fails(p), (const char *p, const char *q), (p, q))
WRAP(int, unlink, fails(p), (const char *p), (p))
WRAP(int, rmdir, fails(p), (const char *p), (p))
WRAP(int, mkdir, fails(p), (const char *p, mode_t m), (p, m))

#define WRAP_OPEN(name)                                                    \
    int name(const char *path, int flags, ...) {                           \
        static int (*real)(const char *, int, ...);                        \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        mode_t mode = 0;                                                   \
        if (flags & O_CREAT) {                                             \
            va_list rest;                                                  \
            va_start(rest, flags);                                         \
            mode = va_arg(rest, mode_t);                                   \
            va_end(rest);                                                  \
        }                                                                  \
        int writes = flags & (O_WRONLY | O_RDWR | O_CREAT);                \
        return writes && fails(path) ? -1 : real(path, flags, mode);       \
    }

WRAP_OPEN(open)
WRAP_OPEN(open64)
