import CWeirSystem
import Glibc

/// A directory tree that nothing written through it can leave: every step goes from an open directory to one name, and
/// a symbolic link is never followed.
///
/// `@unchecked Sendable`: the descriptor belongs to one lane.
final class OutputTree: @unchecked Sendable {
    private(set) var descriptor: Int32
    let path: String

    /// Opens the root, as the operator wrote it.
    init(_ path: String) throws(OutputFailure) {
        self.path = path
        descriptor = weir_open_directory(path)
        if descriptor < 0 { throw OutputFailure(-descriptor, "open `\(path)`") }
    }

    deinit { Glibc.close(descriptor) }

    /// Runs `body` with the directory of a partition open; makes what is missing with `create`.
    /// - Parameter syncs: make new directories durable.
    func with<Value>(
        _ partition: [String], create: Bool, syncs: Bool = false, _ body: (Int32) throws(OutputFailure) -> Value
    ) throws(OutputFailure) -> Value {
        var current = descriptor
        defer { if current != descriptor { Glibc.close(current) } }
        for name in partition {
            var made: Int32 = 0
            let next = weir_open_beneath(current, name, create ? 1 : 0, &made)
            if next < 0 {
                throw OutputFailure(-next, "use the directory `\(path)/\(partition.joined(separator: "/"))`")
            }
            if made != 0, syncs { fsync(current) }
            if current != descriptor { Glibc.close(current) }
            current = next
        }
        return try body(current)
    }

    /// Names in a directory, sorted.
    static func names(in directory: Int32, of path: String) throws(OutputFailure) -> [String] {
        var room = 16_384
        while room <= 64 << 20 {
            var bytes = [CChar](repeating: 0, count: room)
            let need = weir_list_beneath(directory, &bytes, room)
            if need < 0 { throw OutputFailure(Int32(-need), "list `\(path)`") }
            if need <= room {
                return bytes.prefix(need).split(separator: 0).map { name in
                    String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                }.sorted()
            }
            room = need + 4_096
        }
        throw OutputFailure(EFBIG, "list `\(path)`")
    }

    /// Removes the empty directories of a partition, from the innermost up; one that is not empty ends it.
    func prune(_ partition: [String]) {
        for depth in stride(from: partition.count, to: 0, by: -1) {
            let parent = Array(partition[..<(depth - 1)])
            let name = partition[depth - 1]
            let code = try? with(parent, create: false) { (directory) throws(OutputFailure) in
                weir_remove_beneath(directory, name, 1)
            }
            if code != 0 { return }
        }
    }
}
