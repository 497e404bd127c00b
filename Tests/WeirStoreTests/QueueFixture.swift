import Glibc
import Logging
import NIOCore
import WeirStore
import WeirTestKit
import WeirWorld

/// A live temporary directory, removed at the end.
func withTemporaryDirectory<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let files = LiveFileSystem()
    let path = "/tmp/weir-store-\(getpid())-\(LiveRandom().next())"
    try files.makeDirectory(path)
    do {
        let value = try await body(path)
        removeTree(path, files)
        return value
    } catch {
        removeTree(path, files)
        throw error
    }
}

private func removeTree(_ path: String, _ files: LiveFileSystem) {
    for name in (try? files.list(path)) ?? [] {
        let child = path + "/" + name
        if (try? files.status(child))??.kind == .directory { removeTree(child, files) } else { try? files.remove(child) }
    }
    try? files.removeDirectory(path)
}

func quietLog() -> Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

func record(_ text: String, count: Int = 1, kind: UInt8 = 0, attributes: String = "") -> QueueRecord {
    QueueRecord(
        payload: ByteBuffer(string: text), count: count, kind: kind, attributes: ByteBuffer(string: attributes),
        time: WallTime(nanoseconds: 1_700_000_000_120_000_000))
}

func text(_ record: StoredRecord) -> String { String(buffer: record.payload) }
