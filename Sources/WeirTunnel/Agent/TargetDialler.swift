package import NIOCore
internal import NIOPosix

/// How an agent reaches its targets.
package protocol TargetDialler: Sendable {
    /// - Parameter request: for whom.
    /// - Returns: a channel on `loop`, as `SocketEnd.options` has it: it is read only when asked, and may be half
    ///   closed. Fails with what the system said of the dial.
    func dial(_ target: Agent.Target, for request: OpenRequest, on loop: any EventLoop, within limit: TimeAmount)
        -> EventLoopFuture<any Channel>
}

/// By TCP.
package struct SocketDialler: TargetDialler {
    package init() {}

    package func dial(
        _ target: Agent.Target, for request: OpenRequest, on loop: any EventLoop, within limit: TimeAmount
    ) -> EventLoopFuture<any Channel> {
        SocketEnd.options(ClientBootstrap(group: loop))
            .connectTimeout(limit)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { LoopbackPath.prepare(channel, to: target.host) }
            }
            .connect(to: target)
    }
}

extension ClientBootstrap {
    /// An address needs no resolver, which is a thread of its own.
    fileprivate func connect(to target: Agent.Target) -> EventLoopFuture<any Channel> {
        guard let address = try? SocketAddress(ipAddress: target.host, port: target.port) else {
            return connect(host: target.host, port: target.port)
        }
        return connect(to: address)
    }
}
