package import NIOCore

/// How an agent reaches a hub: TLS or WebSocket, straight or through a proxy. The channel that comes back is ready:
/// the hub has shown who it is, the agent too, and bytes are yamux from here.
package protocol LinkDialler: Sendable {
    /// - Parameter ready: adds the link's handler; called on the channel's event loop when the channel is ready.
    func dial(on loop: any EventLoop, ready: @escaping @Sendable (any Channel) throws -> Void)
        async throws(TunnelFailure) -> any Channel
    /// The hub that was dialled last does not take this agent, or has gone silent: another one next, where there are
    /// several.
    func moveOn()
}

extension LinkDialler {
    package func moveOn() {}
}
