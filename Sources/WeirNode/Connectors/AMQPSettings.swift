package import WeirGates
package import WeirSettings
package import WeirSources

/// The embedded AMQP 0-9-1 ingress: it takes what connectors publish, and nothing else. Each connector gets a key of
/// its own when it registers.
package struct AMQPSettings: Settings {
    package var listen = "127.0.0.1:5673"
    package var told = ToldAddressSettings()
    package var isUnencrypted = false
    package var connectionsMost = 5_000
    package var memory = ByteCount.mebibytes(64)
    package var tls: ServerTLS?

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "listen", \.listen, examples: ["127.0.0.1:5673", "0.0.0.0:5671", "\"off\""],
            "Address and port; connectors are told it when they register. Beyond loopback only with `tls`, or with "
                + "`unencrypted: true`. `off`: only those with CONNECTOR_QUEUE_PROTOCOL=api can push."),
        field(
            "connectors", \.told, "What connectors are told when they register, where they reach it otherwise."),
        field(
            "unencrypted", \.isUnencrypted,
            "Listen beyond loopback without TLS: whoever is on the way reads the connectors' keys and bundles."),
        field(
            "max_connections", \.connectionsMost, range: 1...100_000,
            "Connections at once; a connector opens one for each call that sends bundles. Further ones wait to be "
                + "accepted."),
        field(
            "memory", \.memory, range: .mebibytes(1)...(.gibibytes(8)),
            "Bytes of messages in memory that are not on disk yet; then connections are not read."),
        field(
            "tls", \.tls,
            "TLS, optionally with client certificates; connectors are told to use it when they register, and verify it "
                + "by MQ_USE_SSL_CA and MQ_USE_SSL_REJECT_UNAUTHORIZED."),
    ]

    /// `nil` for `off`.
    var address: NetworkAddress? { listen == "off" ? nil : NetworkAddress(listening: listen) }

    package func mistakes() -> [SettingMistake] {
        if listen == "off" { return [] }
        guard let address else {
            return [
                SettingMistake(
                    "listen", "`\(listen)` is not an address and a port", help: "write `127.0.0.1:5673`, or `off`")
            ]
        }
        var mistakes = [tls?.fileMistake(key: "tls")].compactMap { $0 }
        if APIAddress.isLoopback(address.host) { return mistakes }
        if tls == nil, !isUnencrypted {
            mistakes.append(
                SettingMistake(
                    "listen",
                    "beyond loopback the connectors' keys and bundles could be read on the way, so "
                        + "`\(listen)` needs `tls`",
                    help: "write `tls: { cert: PATH, key: PATH }`, or `unencrypted: true` where nobody else is on the "
                        + "network"))
        }
        if ["0.0.0.0", "::"].contains(address.host), told.host.isEmpty {
            mistakes.append(
                SettingMistake(
                    "listen", "connectors cannot be told `\(address.host)`, which is every address of this machine",
                    help: "write `connectors: { host: NAME }` with the name or address under which they reach it"))
        }
        return mistakes
    }
}

/// What connectors are told of the ingress.
package struct ToldAddressSettings: Settings {
    package var host = ""
    package var port: Int?

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "host", \.host, examples: ["weir.example.org"],
            "Where they reach it; with TLS the name that its certificate has."),
        field("port", \.port, range: 1...65_535, "Its port there."),
    ]
}
