import NIOCore
import WeirStore
import WeirWorld

/// The files of bundles that are too large for the queue, one directory for each connector. Blocking work runs on the
/// queue's own lane.
struct BundleSpool: Sendable {
    let directory: String
    /// Where poisoned ones go, for people.
    let deadDirectory: String
    let files: any FileSystem
    let lane: any BlockingLane

    /// A file that is being written.
    struct Writing: Sendable {
        var name: String
        var handle: any FileHandle
        var length: Int64 = 0
    }

    func begin(_ name: String) async throws(StoreFailure) -> Writing {
        try await onLane { () throws(FileFailure) in
            try files.makeDirectory(directory)
            let handle = try files.open(directory + "/" + name, .write(create: true, exclusive: true))
            return Writing(name: name, handle: handle)
        }
    }

    func write(_ bytes: ByteBuffer, to writing: Writing) async throws(StoreFailure) {
        try await onLane { () throws(FileFailure) in
            try bytes.withUnsafeReadableBytes { bytes throws(FileFailure) in
                try writing.handle.write([bytes], at: writing.length)
            }
        }
    }

    /// Makes the file and its name durable. After a failure the file is worth nothing.
    func finish(_ writing: Writing) async throws(StoreFailure) {
        try await onLane { () throws(FileFailure) in
            defer { writing.handle.close() }
            try writing.handle.sync()
            try files.syncDirectory(directory)
        }
    }

    /// Closes a file whose content need not outlive a crash.
    func close(_ writing: Writing) async {
        try? await onLane { () throws(FileFailure) in writing.handle.close() }
    }

    func abandon(_ writing: Writing, isOpen: Bool) async {
        try? await onLane { () throws(FileFailure) in
            if isOpen { writing.handle.close() }
            try files.remove(directory + "/" + writing.name)
        }
    }

    /// The next bytes of a file; empty at its end.
    func read(_ name: String, at offset: Int64, count: Int) async throws(StoreFailure) -> ByteBuffer {
        try await onLane { () throws(FileFailure) in
            var path = directory + "/" + name
            // A stop came between putting it aside and writing its dead letter.
            if try files.status(path) == nil { path = deadDirectory + "/" + name }
            let file = try files.open(path, .read)
            defer { file.close() }
            var buffer = ByteBuffer()
            var failure: FileFailure?
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
                do throws(FileFailure) {
                    return try file.read(into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]), at: offset)
                } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            return buffer
        }
    }

    func remove(_ names: [String]) {
        if names.isEmpty { return }
        lane.enqueue { for name in names { try? files.remove(directory + "/" + name) } }
    }

    /// Removes a poisoned bundle that was put aside.
    func removeAside(_ name: String) { lane.enqueue { try? files.remove(deadDirectory + "/" + name) } }

    /// Removes files that no record names: pushes that were cut off, and bundles that were settled just before a stop.
    /// - Returns: how many.
    func removeOrphans(keeping names: Set<String>) async throws(StoreFailure) -> Int {
        try await onLane { () throws(FileFailure) in
            guard try files.status(directory) != nil else { return 0 }
            let orphans = try files.list(directory).filter { !names.contains($0) }
            for name in orphans { try files.remove(directory + "/" + name) }
            return orphans.count
        }
    }

    /// Puts a poisoned bundle where people find it. The oldest go when all of them take more than `most` bytes.
    /// - Returns: its path, and how many others were removed for it.
    func putAside(_ name: String, most: Int64) async throws(StoreFailure) -> (path: String, removed: Int) {
        try await onLane { () throws(FileFailure) in
            let path = deadDirectory + "/" + name
            try files.makeDirectory(deadDirectory)
            if try files.status(path) == nil {
                try files.rename(directory + "/" + name, to: path)
                try files.syncDirectory(deadDirectory)
                try files.syncDirectory(directory)
            }
            var aside: [(name: String, status: FileStatus)] = []
            for other in try files.list(deadDirectory) where other != name {
                if let status = try files.status(deadDirectory + "/" + other) { aside.append((other, status)) }
            }
            var total = aside.reduce(try files.status(path)?.length ?? 0) { $0 + $1.status.length }
            var removed = 0
            for other in aside.sorted(by: { $0.status.modified < $1.status.modified }) where total > most {
                try files.remove(deadDirectory + "/" + other.name)
                total -= other.status.length
                removed += 1
            }
            return (path, removed)
        }
    }

    private func onLane<Value: Sendable>(
        _ body: @escaping @Sendable () throws(FileFailure) -> Value
    ) async throws(StoreFailure) -> Value {
        let result: Result<Value, FileFailure> = await withCheckedContinuation { continuation in
            lane.enqueue { continuation.resume(returning: Result { () throws(FileFailure) in try body() }) }
        }
        do throws(FileFailure) { return try result.get() } catch { throw StoreFailure(error) }
    }
}
