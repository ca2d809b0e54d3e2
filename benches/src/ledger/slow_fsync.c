/* Preloaded into a benchmark: every fsync and fdatasync takes SLOW_FSYNC_US microseconds longer.
   It makes a fast disk behave like a common cloud disk, for us and for the floor alike. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_a_while(void) {
    const char *text = getenv("SLOW_FSYNC_US");
    long us = text ? atol(text) : 0;
    struct timespec rest = {us / 1000000, (us % 1000000) * 1000};
    nanosleep(&rest, NULL);
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_a_while();
    return real(fd);
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_a_while();
    return real(fd);
}
