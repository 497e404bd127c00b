package import WeirGates
package import WeirWorld

/// Why the store did not do what it was asked, sorted by what happens next.
package enum StoreFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// Disk, quota or the reserve is used up: a state of the gate; try the same append again later.
    case noSpace(String)
    /// The file system is mounted read-only: as `noSpace`.
    case readOnly(String)
    /// Rights are missing: a person must mend it, then the same call works.
    case notAllowed(String)
    /// The process has no file descriptor left: try again later.
    case tooManyFiles(String)
    /// The device failed; the message has the call and errno. What was not acknowledged was not kept.
    case broken(String)
    /// Another process owns the directory.
    case locked(String)
    /// Written by a newer Weir: nothing was touched.
    case newerFormat(String)
    /// The file cannot be read as what it is (a ledger): nothing was touched, a person must look.
    case damaged(String)
    /// Split the batch. Nothing was written.
    case recordTooLarge(bytes: Int, limit: Int)
    case closed
    case cancelled

    package init(_ failure: FileFailure) {
        let text = failure.description
        self =
            switch failure.kind {
            case .noSpace: .noSpace(text)
            case .readOnly: .readOnly(text)
            case .notAllowed: .notAllowed(text)
            case .tooManyFiles: .tooManyFiles(text)
            case .missing, .exists, .broken: .broken(text)
            }
    }

    /// From a small closed set: it becomes a metric label and a gate's reason.
    package var code: String {
        switch self {
        case .noSpace: "disk_full"
        case .readOnly: "read_only"
        case .notAllowed: "permission_denied"
        case .tooManyFiles: "too_many_open_files"
        case .broken: "io_error"
        case .locked: "locked"
        case .newerFormat: "newer_format"
        case .damaged: "damaged"
        case .recordTooLarge: "record_too_large"
        case .closed: "closed"
        case .cancelled: "cancelled"
        }
    }

    package var description: String {
        switch self {
        case .noSpace(let text), .readOnly(let text), .notAllowed(let text), .tooManyFiles(let text), .broken(let text),
            .locked(let text), .newerFormat(let text), .damaged(let text):
            text
        case .recordTooLarge(let bytes, let limit): "a record of \(bytes) bytes is over the limit of \(limit) bytes"
        case .closed: "the queue is closed"
        case .cancelled: "cancelled"
        }
    }

    package var reason: Reason { Reason(code, description) }

    /// What `on_full` is about.
    package var isFull: Bool { if case .noSpace = self { true } else { false } }

    /// True where the same call may succeed later without a person.
    package var isTransient: Bool {
        switch self {
        case .noSpace, .readOnly, .tooManyFiles, .broken: true
        case .notAllowed, .locked, .newerFormat, .damaged, .recordTooLarge, .closed, .cancelled: false
        }
    }
}
