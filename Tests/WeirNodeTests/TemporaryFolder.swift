import Glibc
import Logging
import WeirWorld

@testable import WeirNode

/// A directory of a test's own.
struct TemporaryFolder {
    struct Failure: Error {}

    let path: String

    init() throws {
        var template = Array(("/tmp/weir-node-" + String(repeating: "X", count: 6)).utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure() }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() {
        let world = World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try? QueueShelf.remove(path, files: world.files)
    }
}
