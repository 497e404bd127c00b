package import NIOCore
package import WeirWorld

/// A small file that is replaced whole: written beside, synced, renamed over, and the directory synced. Readers see
/// the old or the new one.
package struct AtomicFile: Sendable {
    let path: String
    let files: any FileSystem

    /// Twice what anybody keeps in such a file; more is not read.
    static let lengthMost: Int64 = 64 << 20

    package init(path: String, files: any FileSystem) {
        self.path = path
        self.files = files
    }

    package func write(_ bytes: [UInt8]) throws(StoreFailure) {
        let beside = path + ".new"
        try attempt { () throws(FileFailure) in
            let file = try files.open(beside, .write(create: true, exclusive: false))
            do throws(FileFailure) {
                defer { file.close() }
                try file.truncate(to: 0)
                try file.write(bytes, at: 0)
                try file.sync()
            } catch {
                try? files.remove(beside)
                throw error
            }
            try files.rename(beside, to: path)
            try files.syncDirectory(directory)
        }
    }

    /// `nil` when there is no file.
    package func read() throws(StoreFailure) -> ByteBuffer? {
        try attempt { () throws(FileFailure) in
            guard let status = try files.status(path) else { return nil }
            let file = try files.open(path, .read)
            defer { file.close() }
            return try file.bytes(at: 0, count: Int(min(status.length, AtomicFile.lengthMost)))
        }
    }

    private var directory: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
