import Glibc

/// The files of this machine. Every call blocks; interrupted calls are repeated.
package struct LiveFileSystem: FileSystem {
    package init() {}

    package func open(_ path: String, _ access: FileAccess) throws(FileFailure) -> any FileHandle {
        var flags = O_CLOEXEC | O_NOCTTY
        switch access {
        case .read: flags |= O_RDONLY
        case .write(let create, let exclusive):
            flags |= O_WRONLY | (create ? O_CREAT : 0) | (exclusive ? O_CREAT | O_EXCL : 0)
        case .readWrite: flags |= O_RDWR | O_CREAT
        }
        let descriptor = try system("open", path) { Glibc.open(path, flags, 0o600) }
        return LiveFile(descriptor: descriptor, path: path)
    }

    package func lock(_ path: String) throws(FileFailure) -> (any FileLock)? {
        let descriptor = try system("open", path) {
            Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o600)
        }
        do {
            _ = try system("flock", path) { flock(descriptor, LOCK_EX | LOCK_NB) }
            return LiveLock(descriptor: descriptor)
        } catch {
            Glibc.close(descriptor)
            if error.code == EWOULDBLOCK { return nil }
            throw error
        }
    }

    package func rename(_ from: String, to: String) throws(FileFailure) {
        _ = try system("rename", from) { Glibc.rename(from, to) }
    }

    package func remove(_ path: String) throws(FileFailure) {
        _ = try system("unlink", path) { unlink(path) }
    }

    package func makeDirectory(_ path: String) throws(FileFailure) {
        do {
            _ = try system("mkdir", path) { mkdir(path, 0o700) }
        } catch {
            switch error.kind {
            case .exists: return
            case .missing:
                guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { throw error }
                try makeDirectory(String(path[..<slash]))
                do {
                    _ = try system("mkdir", path) { mkdir(path, 0o700) }
                } catch {
                    // A trailing slash, or somebody else was quicker.
                    if error.kind != .exists { throw error }
                }
            default: throw error
            }
        }
    }

    package func removeDirectory(_ path: String) throws(FileFailure) {
        _ = try system("rmdir", path) { rmdir(path) }
    }

    package func list(_ directory: String) throws(FileFailure) -> [String] {
        guard let stream = opendir(directory) else { throw failure("opendir", directory, errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package func status(_ path: String) throws(FileFailure) -> FileStatus? {
        var found = stat()
        do {
            _ = try system("stat", path) { stat(path, &found) }
        } catch {
            if error.kind == .missing { return nil }
            throw error
        }
        let kind: FileStatus.Kind =
            switch found.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            default: .other
            }
        return FileStatus(
            kind: kind, length: Int64(found.st_size),
            modified: WallTime(
                nanoseconds: Int64(found.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(found.st_mtim.tv_nsec)),
            device: UInt64(found.st_dev), inode: UInt64(found.st_ino),
            permissions: UInt16(truncatingIfNeeded: found.st_mode & 0o777))
    }

    package func syncDirectory(_ path: String) throws(FileFailure) {
        let descriptor = try system("open", path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { Glibc.close(descriptor) }
        _ = try system("fsync", path) { fsync(descriptor) }
    }

    package func space(_ path: String) throws(FileFailure) -> DiskSpace {
        var found = statvfs()
        _ = try system("statvfs", path) { statvfs(path, &found) }
        func bytes(_ blocks: some FixedWidthInteger) -> Int64 {
            let (product, isTooBig) = UInt64(blocks).multipliedReportingOverflow(by: UInt64(found.f_frsize))
            return isTooBig ? .max : Int64(clamping: product)
        }
        return DiskSpace(total: bytes(found.f_blocks), free: bytes(found.f_bavail))
    }
}

private final class LiveFile: FileHandle {
    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFailure) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try system("read", path) {
                pread(
                    descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset) + off_t(done)
                )
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int64) throws(FileFailure) {
        var vectors = pieces.compactMap { piece in
            piece.isEmpty
                ? nil : iovec(iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress), iov_len: piece.count)
        }
        var position = off_t(offset)
        var next = 0
        while next < vectors.count {
            // 1024 is the kernel's limit (UIO_MAXIOV).
            let count = Int32(min(vectors.count - next, 1024))
            var written = try vectors.withUnsafeBufferPointer { vectors throws(FileFailure) in
                try system("write", path) {
                    pwritev(descriptor, vectors.baseAddress?.advanced(by: next), count, position)
                }
            }
            // Nothing written and no error is not promised away by POSIX: said as what it means.
            if written == 0 { throw failure("write", path, ENOSPC) }
            position += off_t(written)
            while next < vectors.count, written >= vectors[next].iov_len {
                written -= vectors[next].iov_len
                next += 1
            }
            if written > 0 {
                vectors[next].iov_base = vectors[next].iov_base?.advanced(by: written)
                vectors[next].iov_len -= written
            }
        }
    }

    func sync() throws(FileFailure) { _ = try system("fdatasync", path) { fdatasync(descriptor) } }

    func truncate(to length: Int64) throws(FileFailure) {
        _ = try system("ftruncate", path) { ftruncate(descriptor, off_t(length)) }
    }

    var length: Int64 {
        get throws(FileFailure) {
            var found = stat()
            _ = try system("fstat", path) { fstat(descriptor, &found) }
            return Int64(found.st_size)
        }
    }

    func close() { Glibc.close(descriptor) }
}

private final class LiveLock: FileLock {
    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    func release() { Glibc.close(descriptor) }
}

/// Calls the system until it is not interrupted; `errno` is read before anything else can change it.
private func system<Value: FixedWidthInteger>(
    _ operation: String, _ path: String, _ call: () -> Value
) throws(FileFailure) -> Value {
    while true {
        let result = call()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw failure(operation, path, code) }
    }
}

private func failure(_ operation: String, _ path: String, _ code: Int32) -> FileFailure {
    let kind: FileFailure.Kind =
        switch code {
        case ENOSPC, EDQUOT, EFBIG: .noSpace
        case EROFS: .readOnly
        case EACCES, EPERM: .notAllowed
        case ENOENT: .missing
        case EEXIST: .exists
        case EMFILE, ENFILE: .tooManyFiles
        default: .broken
        }
    return FileFailure(kind: kind, operation: operation, path: path, code: code)
}
