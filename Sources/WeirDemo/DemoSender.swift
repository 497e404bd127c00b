package import NIOCore
import NIOPosix
import ServiceLifecycle
package import WeirWorld

/// Sends lines that really exist on this machine to a Weir source, over TCP and for ever, so that the demo's gates have
/// something to do. When Weir stops reading, the sender stops too: that is the backpressure, seen from outside.
package struct DemoSender: Service {
    private let port: Int
    private let lines: [String]
    private let perSecond: Int
    private let time: any TimeSource
    private let group: any EventLoopGroup

    /// - Parameters:
    ///   - lines: sent one after the other, from the start again at the end; without line feeds.
    ///   - perSecond: lines a second while Weir takes them.
    package init(port: Int, lines: [String], perSecond: Int, time: any TimeSource, group: any EventLoopGroup) {
        precondition(!lines.isEmpty && perSecond > 0, "nothing to send: \(lines.count) lines, \(perSecond) a second")
        self.port = port
        self.lines = lines
        self.perSecond = perSecond
        self.time = time
        self.group = group
    }

    package func run() async throws {
        let channel = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port).get()
        var next = 0
        let ticksPerSecond = 10
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            var buffer = ByteBuffer()
            for _ in 0..<max(1, perSecond / ticksPerSecond) {
                buffer.writeString(lines[next])
                buffer.writeString("\n")
                next = (next + 1) % lines.count
            }
            // Waits for the socket: a sender that Weir holds back sends no more than the kernel's buffers take.
            try await channel.writeAndFlush(buffer)
            try await time.sleep(for: .milliseconds(1000 / ticksPerSecond))
        }
        try await channel.close()
    }
}
