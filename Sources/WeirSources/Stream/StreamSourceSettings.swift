package import WeirGates
package import WeirSettings

/// The settings that every source with TCP connections of lines or messages has.
package protocol StreamSourceSettings: WeirSettings.Settings {
    var listen: OneOrMany<String> { get set }
    var eventMost: ByteCount { get set }
    var connectionsMost: Int { get set }
    var idleTimeout: Duration? { get set }
    var buffer: ByteCount { get set }
    var tls: ServerTLS? { get set }
}

extension StreamSourceSettings {
    static func listenField(examples: [String], _ help: String) -> Field<Self> {
        field("listen", \.listen, required: true, check: { ListenAddress.check($0) }, examples: examples, help)
    }

    /// - Parameter event: what a long one is called: `event`, `message`.
    static func connectionFields(
        event: String, eventMost: ByteCount, connections: String, buffer: String, tls: String
    ) -> [Field<Self>] {
        [
            field(
                "max_event", \.eventMost, range: ByteCount.kibibytes(1)...eventMost,
                "Longest \(event); what is longer is cut, ends with …[cut] and counts as malformed `too_long`."),
            field(
                "max_connections", \.connectionsMost, range: 1...1_000_000,
                "\(connections) at a time; more are closed at once and counted as refused."),
            field("idle_timeout", \.idleTimeout, "Close a connection that sent nothing for so long. Default: never."),
            field("buffer", \.buffer, range: ByteCount.mebibytes(1)...ByteCount.gibibytes(4), buffer),
            field("tls", \.tls, tls),
        ]
    }

    /// What its connections have in common.
    func shared(_ handing: Handing) -> StreamShared {
        StreamShared(
            handing: handing, streams: OpenStreams(limit: connectionsMost), budget: ByteBudget(limit: buffer.asInt),
            eventMost: eventMost.asInt, idleTimeout: idleTimeout)
    }
}
