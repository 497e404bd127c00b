// check --connections K --each N FILE…: are all numbered events in these files, once, in order? One line of JSON.
#include "numbers.h"
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct tally t;
    tally_open(&t, (uint32_t)atoi(option(argc, argv, "--connections", "1")), strtoull(option(argc, argv, "--each", "0"), NULL, 10));
    size_t room = 1 << 22;
    char *buffer = malloc(room);
    if (!buffer) die("malloc");
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) { i++; continue; }
        int file = open(argv[i], O_RDONLY);
        if (file < 0) die(argv[i]);
        size_t kept = 0;
        for (;;) {
            ssize_t n = read(file, buffer + kept, room - kept);
            if (n < 0) die(argv[i]);
            if (n == 0) break;
            size_t have = kept + (size_t)n;
            kept = tally_scan(&t, buffer, have);
            memmove(buffer, buffer + have - kept, kept);
        }
        close(file);
    }
    printf("{\"unique\":%lu,\"duplicates\":%lu,\"disordered\":%lu,\"strange\":%lu,\"missing\":%lu}\n", t.unique, t.duplicates,
           t.disordered, t.strange, tally_missing(&t));
    return 0;
}
