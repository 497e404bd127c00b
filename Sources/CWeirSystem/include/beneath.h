#pragma once
// Files and directories below an open directory, one name at a time, without ever following a symbolic link.
// Names must not hold a slash; that, "", "." and ".." are refused with EINVAL. All return 0 (or a descriptor), or -errno.
#include <stdint.h>
#include <sys/types.h>

/// Opens a directory by path, as the operator wrote it: links in it are followed.
int weir_open_directory(const char *path);
/// Opens the directory `name` in `parent`; with `create` it is made (mode 0750) when missing. 1 is written to `made` then.
int weir_open_beneath(int parent, const char *name, int create, int *made);
/// Makes and opens a new file (mode 0640) for writing. EEXIST when the name is taken.
int weir_create_beneath(int parent, const char *name);
/// Opens a regular file for reading and writing.
int weir_reopen_beneath(int parent, const char *name);
/// Renames a file; never replaces another one (EEXIST).
int weir_rename_beneath(int from_parent, const char *from, int to_parent, const char *to);
int weir_remove_beneath(int parent, const char *name, int is_directory);
/// Takes the lock file `name` in `parent` for this descriptor (flock). EWOULDBLOCK when another has it.
int weir_lock_beneath(int parent, const char *name);
/// 0 when both directories are on one file system, else -EXDEV.
int weir_same_file_system(int a, int b);
/// 1 when both descriptors are the same directory.
int weir_same_directory(int a, int b);
/// What `name` is: 1 file, 2 directory, 0 something else (a link, a device).
int weir_kind_beneath(int parent, const char *name);
/// Writes the names in a directory into `names`, each ended by a NUL; returns the bytes that they need, or -errno. Call again with
/// more room when it is more than `room`.
ssize_t weir_list_beneath(int directory, char *names, size_t room);
