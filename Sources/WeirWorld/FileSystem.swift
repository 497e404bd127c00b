/// Files as Weir needs them: append, read at an offset, sync, rename, list. Blocking; call it on a `BlockingLane`.
///
/// The simulated one forgets what was not synced, tears the last page and says "no space" on command.
package protocol FileSystem: Sendable {
    /// Opens a file. With `create` it is made (mode 0600) when missing; with `exclusive` it must not exist.
    func open(_ path: String, _ access: FileAccess) throws(FileFailure) -> any FileHandle
    func rename(_ from: String, to: String) throws(FileFailure)
    func remove(_ path: String) throws(FileFailure)
    /// Makes the directory and what is missing above it (mode 0700).
    func makeDirectory(_ path: String) throws(FileFailure)
    func removeDirectory(_ path: String) throws(FileFailure)
    /// Names in a directory, sorted, without `.` and `..`.
    func list(_ directory: String) throws(FileFailure) -> [String]
    /// `nil` when nothing is there. Symbolic links are followed.
    func status(_ path: String) throws(FileFailure) -> FileStatus?
    /// Makes creations, renames and removals in a directory durable.
    func syncDirectory(_ path: String) throws(FileFailure)
    /// The file system that holds `path`.
    func space(_ path: String) throws(FileFailure) -> DiskSpace
    /// Makes the file when missing and takes its exclusive lock, which ends with `release()` or with the process.
    /// - Returns: `nil` when another process (or another part of this one) holds it.
    func lock(_ path: String) throws(FileFailure) -> (any FileLock)?
}

/// The right of one owner to write in a directory.
package protocol FileLock: AnyObject, Sendable {
    func release()
}

package enum FileAccess: Sendable, Hashable {
    case read
    case write(create: Bool, exclusive: Bool)
    /// Read and write; created when missing.
    case readWrite
}

/// An open file. One owner at a time; closing twice is a mistake.
package protocol FileHandle: AnyObject, Sendable {
    /// Reads at most `buffer.count` bytes at `offset`; 0 at the end of the file. Short reads happen only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFailure) -> Int
    /// Writes all bytes of all pieces, one after the other, from `offset` on.
    func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int64) throws(FileFailure)
    /// Makes the contents (and the length) durable: `fdatasync`.
    /// After a failure the file's state on disk is unknown (the kernel may have dropped the dirty pages): do not sync
    /// again, write what matters to a new file.
    func sync() throws(FileFailure)
    func truncate(to length: Int64) throws(FileFailure)
    var length: Int64 { get throws(FileFailure) }
    func close()
}

package struct FileStatus: Sendable, Hashable {
    package enum Kind: Sendable, Hashable { case file, directory, other }
    package var kind: Kind
    package var length: Int64
    package var modified: WallTime
    package var device: UInt64
    package var inode: UInt64
    /// The lower nine bits of the mode: 0o640.
    package var permissions: UInt16

    package init(
        kind: Kind, length: Int64, modified: WallTime, device: UInt64, inode: UInt64, permissions: UInt16 = 0o600
    ) {
        self.kind = kind
        self.length = length
        self.modified = modified
        self.device = device
        self.inode = inode
        self.permissions = permissions
    }
}

/// The size of a file system, in bytes.
package struct DiskSpace: Sendable, Hashable {
    package var total: Int64
    /// For an unprivileged user.
    package var free: Int64

    package init(total: Int64, free: Int64) {
        self.total = total
        self.free = free
    }
}

/// What the operating system said, sorted by what the caller does next.
package struct FileFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable, Hashable {
        /// ENOSPC, EDQUOT, EFBIG: a state of the gate, not an accident.
        case noSpace = "disk_full"
        /// EROFS.
        case readOnly = "read_only"
        /// EACCES, EPERM.
        case notAllowed = "permission_denied"
        /// ENOENT.
        case missing = "not_found"
        /// EEXIST.
        case exists
        /// EMFILE, ENFILE.
        case tooManyFiles = "too_many_open_files"
        /// EIO and all else.
        case broken = "io_error"
    }
    package var kind: Kind
    package var operation: String
    package var path: String
    package var code: Int32

    package init(kind: Kind, operation: String, path: String, code: Int32) {
        self.kind = kind
        self.operation = operation
        self.path = path
        self.code = code
    }

    package var description: String { "\(operation) \(path): \(kind.rawValue) (errno \(code))" }
}
