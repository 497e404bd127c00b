#define _GNU_SOURCE
#include "beneath.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_name(const char *name) {
    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strchr(name, '/') == NULL;
}

int weir_open_directory(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int weir_open_beneath(int parent, const char *name, int create, int *made) {
    *made = 0;
    if (!is_name(name)) return -EINVAL;
    // Twice: between "not there" and "made" another may have made or removed it.
    for (int attempt = 0; attempt < 2; attempt++) {
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) return fd;
        if (errno != ENOENT || !create) return -errno;
        if (mkdirat(parent, name, 0750) == 0) *made = 1;
        else if (errno != EEXIST) return -errno;
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int weir_create_beneath(int parent, const char *name) {
    if (!is_name(name)) return -EINVAL;
    int fd = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    return fd < 0 ? -errno : fd;
}

int weir_reopen_beneath(int parent, const char *name) {
    if (!is_name(name)) return -EINVAL;
    // Non-blocking: a FIFO would wait for its other end.
    int fd = openat(parent, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int weir_rename_beneath(int from_parent, const char *from, int to_parent, const char *to) {
    if (!is_name(from) || !is_name(to)) return -EINVAL;
    if (renameat2(from_parent, from, to_parent, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -errno;
    // A file system without the flag (NFS, some FUSE): a link never replaces either.
    if (linkat(from_parent, from, to_parent, to, 0) != 0) return -errno;
    return unlinkat(from_parent, from, 0) == 0 ? 0 : -errno;
}

int weir_remove_beneath(int parent, const char *name, int is_directory) {
    if (!is_name(name)) return -EINVAL;
    return unlinkat(parent, name, is_directory ? AT_REMOVEDIR : 0) == 0 ? 0 : -errno;
}

int weir_lock_beneath(int parent, const char *name) {
    if (!is_name(name)) return -EINVAL;
    // Not for writing: an open writer would keep the file system from being remounted read-only.
    int fd = openat(parent, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0) return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

int weir_same_file_system(int a, int b) {
    struct stat first, second;
    if (fstat(a, &first) != 0 || fstat(b, &second) != 0) return -errno;
    return first.st_dev == second.st_dev ? 0 : -EXDEV;
}

int weir_same_directory(int a, int b) {
    struct stat first, second;
    if (fstat(a, &first) != 0 || fstat(b, &second) != 0) return -errno;
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino && second.st_nlink > 0;
}

int weir_kind_beneath(int parent, const char *name) {
    struct stat status;
    if (!is_name(name)) return -EINVAL;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
    return S_ISREG(status.st_mode) ? 1 : S_ISDIR(status.st_mode) ? 2 : 0;
}

ssize_t weir_list_beneath(int directory, char *names, size_t room) {
    // A descriptor of its own: fdopendir takes it over.
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int error = errno;
        close(fd);
        return -error;
    }
    size_t need = 0;
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (!is_name(entry->d_name)) continue;
        size_t length = strlen(entry->d_name) + 1;
        if (need + length <= room) memcpy(names + need, entry->d_name, length);
        need += length;
    }
    closedir(stream);
    return (ssize_t)need;
}
