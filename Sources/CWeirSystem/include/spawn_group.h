#pragma once
// Programs in a process group of their own.
#include <sys/types.h>

/// Makes a pipe whose ends (read, write) are 10 or above and closed in other programs. Returns 0, or an errno.
int weir_pipe(int ends[2]);

/// Starts `path` with `arguments` and `environment` (both ended by NULL), in the directory `directory` (NULL: ours), as the
/// leader of a new process group, with default signals, nothing on standard input, the three given descriptors
/// as 1, 2 and 3, and no others. The program is looked for in the PATH of `environment` when `path` has no slash.
/// Returns 0 and writes the process id, or an errno.
int weir_spawn_group(const char *path, char *const arguments[], char *const environment[], const char *directory, int output,
                     int errors, int state, pid_t *process);

/// Blocks until the leader of the group has ended, and kills what is left of its group. The number of the process still belongs to
/// it. Returns 0, or an errno.
int weir_await_group(pid_t process);

/// Collects a process that has ended. Returns 0 and the wait status, or an errno.
int weir_collect(pid_t process, int *status);

/// The exit code of a wait status, or minus the signal that ended it.
int weir_exit_code(int status);
