#define _GNU_SOURCE
#include "CWeirSystem.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>

void weir_name_thread(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    pthread_setname_np(pthread_self(), cut);
}

void weir_tune_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_TOP_PAD, 4 << 20);
    mallopt(M_ARENA_MAX, 2);
}
