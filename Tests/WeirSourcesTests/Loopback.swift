import Logging
import NIOCore
import NIOPosix
import WeirFlow
import WeirSources
import WeirWorld

let loops = MultiThreadedEventLoopGroup.singleton

extension World {
    static var tests: World {
        .live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

/// Opens a source, runs it beside `body`, stops it, and waits until it is done.
func running<Value: Sendable>(
    _ source: any Source, _ body: (any Source) async throws -> sending Value
) async throws -> sending Value {
    try await source.open()
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await source.run() }
        do {
            let value = try await body(source)
            await source.stop()
            try await group.waitForAll()
            return value
        } catch {
            group.cancelAll()
            await source.stop()
            throw error
        }
    }
}

extension Source {
    func port(_ prefix: String = "tcp") throws -> Int {
        guard let address = addresses.first(where: { $0.hasPrefix(prefix) }),
            let text = address.split(separator: ":").last,
            let port = Int(text)
        else { throw TestTrouble("no address with \(prefix) in \(addresses)") }
        return port
    }
}

struct TestTrouble: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A sender on loopback.
struct Sender: Sendable {
    let channel: any Channel

    static func connect(_ port: Int) async throws -> Sender {
        Sender(
            channel: try await ClientBootstrap(group: loops)
                .connect(host: "127.0.0.1", port: port).get())
    }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }
    func send(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes).get() }
    func halfClose() async throws { try await channel.close(mode: .output).get() }
    func close() async throws { try await channel.close().get() }
}
