import Glibc
import WeirFlow
import WeirGates

/// What the file system said, for the files family.
///
/// | errno | failure | code |
/// | --- | --- | --- |
/// | ENOSPC, EDQUOT, EFBIG | busy | `disk_full` |
/// | EACCES, EPERM | busy | `permission_denied` |
/// | EROFS | busy | `read_only` |
/// | EMFILE, ENFILE | busy | `too_many_open_files` |
/// | ENOENT, ESTALE | unreachable: `open` makes the directories again | `not_found` |
/// | EWOULDBLOCK on the lock | busy | `staging_in_use` |
/// | EXDEV | misconfigured | `other_file_system` |
/// | ENOTDIR, ELOOP on the configured directories | misconfigured | `not_a_directory` |
/// | all else (EIO) | busy | `io_error` |
///
/// All but two mend themselves when there is room or permission again, so they are `busy`. Source: seeds/2,
/// Filesystem-Based Destinations.
struct OutputFailure: Error, Hashable {
    var code: Int32
    var what: String

    init(_ code: Int32, _ what: String) {
        self.code = code
        self.what = what
    }

    /// True where the name itself cannot be used: a link or a file is in the way. Only these events are refused.
    var isNameTaken: Bool { code == ELOOP || code == ENOTDIR || code == ENAMETOOLONG || code == EINVAL }

    var delivery: DeliveryFailure {
        switch code {
        case ENOSPC, EDQUOT, EFBIG: .busy(Reason("disk_full", "There is no space left to \(what)."))
        case EACCES, EPERM: .busy(Reason("permission_denied", "This user is not allowed to \(what)."))
        case EROFS: .busy(Reason("read_only", "The file system is read-only: cannot \(what)."))
        case EMFILE, ENFILE: .busy(Reason("too_many_open_files", "There is no free file descriptor to \(what)."))
        case ENOENT, ESTALE: .unreachable(Reason("not_found", "A directory is gone: cannot \(what)."))
        case EWOULDBLOCK: .busy(Reason("staging_in_use", "Another process uses the staging directory: cannot \(what)."))
        case EXDEV:
            .misconfigured(
                Reason(
                    "other_file_system",
                    "Staging and output must be on one file system, or files cannot be moved in one step."
                ))
        case ENOTDIR, ELOOP: .misconfigured(Reason("not_a_directory", "What is there is no directory: cannot \(what)."))
        default: .busy(Reason("io_error", "The file system failed (errno \(code)): cannot \(what)."))
        }
    }
}
