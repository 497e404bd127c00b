package import WeirGates
package import WeirSettings
internal import WeirTunnel

/// A hub: where agents behind firewalls come in, and where clients reach what they serve. Absent: there is none.
package struct TunnelSettings: Settings {
    package var listen = "127.0.0.1:8765"
    package var path = "/tunnel"
    package var name = "hub"
    package var names: [String] = []
    package var tls: TunnelTLS?
    package var isPlain = false
    package var connectors = SettingMap<TunnelConnectorSettings>()
    package var limits = TunnelLimits()
    package var memory = ByteCount.mebibytes(64)
    package var pingEvery = Duration.seconds(11)
    package var pingTimeout = Duration.seconds(10)
    package var certificateLife = Duration.seconds(14 * 86_400)
    package var jwt: TunnelJWTSettings?
    package var policy: TunnelPolicySettings?
    package var mesh: MeshSettings?

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "listen", \.listen, check: listening, examples: ["127.0.0.1:8765", "0.0.0.0:8765"],
            "Where agents come in, with TLS 1.3 or `wss://`. Agents of other machines need an address that they can "
                + "reach."),
        field("path", \.path, check: { $0.hasPrefix("/") ? nil : "must begin with `/`" }, "Where the WebSocket is."),
        field("name", \.name, "What this hub calls itself."),
        field(
            "names", \.names, examples: ["[ hub.example.org ]"],
            "Host names and addresses by which agents call it, for the certificate that it makes for itself; "
                + "`localhost` and 127.0.0.1 always."),
        field(
            "tls", \.tls,
            "Its own certificate in place of one from its own authority, and other authorities of agents."),
        field(
            "plain", \.isPlain,
            "No TLS here: a proxy before the hub brings it. Agents can then only show bearer tokens; refused on "
                + "addresses other than loopback."),
        field("connectors", \.connectors, required: true, "What clients reach through it, by name."),
        field("limits", \.limits, "How many, how long, how much at once."),
        field(
            "memory", \.memory, range: .mebibytes(1)...(.gibibytes(4)),
            "For what has come from an agent and was not taken by its client, for each link; then the link is not read."
        ),
        field(
            "ping_interval", \.pingEvery, range: .seconds(1)...(.seconds(300)),
            "Between two pings of a link, 20 % more or less. With the timeout it says how soon a dead agent is found: "
                + "within 25 s unless set."),
        field(
            "ping_timeout", \.pingTimeout, range: .seconds(1)...(.seconds(300)),
            "A link that brings nothing for so long after a ping is dead: its connections are reset."),
        field(
            "certificate_life", \.certificateLife, range: .seconds(60)...(.seconds(365 * 86_400)),
            "How long an agent's certificate is good. It is renewed at two thirds."),
        field("jwt", \.jwt, "Bearer tokens of an identity provider, for agents that do not enrol."),
        field(
            "policy", \.policy, "Who decides whether a client may be connected. Absent: whoever the listener lets in."),
        field("mesh", \.mesh, "Other hubs, so that a client may come to any of them. Absent: this hub is alone."),
    ]

    static let listening: @Sendable (String) -> String? = { text in
        NetworkAddress(listening: text) == nil ? NetworkAddress.wanted : nil
    }

    var address: NetworkAddress { NetworkAddress(listening: listen) ?? NetworkAddress(host: "127.0.0.1", port: 8_765) }

    package func mistakes() -> [SettingMistake] {
        var mistakes: [SettingMistake] = []
        if isPlain, !APIAddress.isLoopback(address.host) {
            mistakes.append(
                SettingMistake(
                    "plain", "tokens of agents would cross the network unencrypted",
                    help: "let the hub bring TLS, or listen on loopback behind a proxy that does"))
        }
        if isPlain, jwt == nil {
            mistakes.append(
                SettingMistake(
                    "plain", "without TLS no agent can prove who it is", help: "add `jwt`, or leave `plain` out"))
        }
        if name == TunnelSettings().name, let mesh, mesh.mode != .off {
            mistakes.append(
                SettingMistake(
                    "name", "every hub of a mesh needs a name of its own", help: "write `name: hub-a`, for example"))
        }
        if isPlain, let mesh, mesh.mode != .off {
            mistakes.append(
                SettingMistake(
                    "mesh", "hubs that share agents know them by certificates, which `plain` cannot see",
                    help: "let the hub bring TLS, or leave `mesh` out"))
        }
        return mistakes
    }
}

/// Certificates that others have made.
package struct TunnelTLS: Settings {
    package var certificate: String?
    package var key: String?
    package var clientCA: String?

    package init() {}

    package static let fields: [Field<Self>] = [
        field("cert", \.certificate, "PEM file with the hub's certificate and the intermediate ones after it."),
        field("key", \.key, "PEM file with its private key."),
        field(
            "client_ca", \.clientCA,
            "PEM file with authorities whose agents are let in without enrolling, by the name in their certificate."),
    ]

    package func mistakes() -> [SettingMistake] {
        (certificate == nil) == (key == nil)
            ? [] : [SettingMistake("cert", "certificate and key go together", help: "write both `cert` and `key`")]
    }
}

/// What clients reach under one name.
package struct TunnelConnectorSettings: Settings {
    package var listen: OneOrMany<String> = []
    package var allow: [String] = []
    package var connectionsMost: Int?
    package var perClientMost: Int?
    package var bandwidth: ByteRate?
    package var balancers: [String] = []

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "listen", \.listen, required: true,
            check: { value in value.values.lazy.compactMap(TunnelSettings.listening).first },
            examples: ["127.0.0.1:1389"], "Where clients come in; one address or several."),
        field(
            "allow", \.allow, check: ranges, examples: ["[ 10.0.0.0/8, \"fd00::/8\" ]"],
            "Whose clients may come; everybody's when empty."),
        field(
            "max_connections", \.connectionsMost, range: 1...1_000_000,
            "At the same time; more are refused with a reset. No limit of its own unless set."),
        field(
            "max_connections_per_client", \.perClientMost, range: 1...1_000_000,
            "Of one address at the same time. No limit unless set."),
        field(
            "bandwidth", \.bandwidth, check: rate, examples: ["10MiB/s"],
            "Of all its connections in both directions together. Nothing is dropped: senders wait their "
                + "turn, and `weir why tunnel/NAME` says so. No limit unless set."),
        field(
            "proxy_protocol_from", \.balancers, check: ranges, examples: ["[ 10.0.0.5 ]"],
            "Balancers before this listener: connections of theirs begin with a PROXY header, version 1 or 2, that "
                + "says who the client is."),
    ]

    private static let rate: @Sendable (ByteRate?) -> String? = { rate in
        rate.map { $0.perSecond < .kibibytes(1) } ?? false ? "must be at least `1KiB/s`" : nil
    }

    private static let ranges: @Sendable ([String]) -> String? = { texts in
        texts.first { AddressRange($0) == nil }.map { "has `\($0)`, which is no address and no range (CIDR)" }
    }
}

/// The limits of NowConnect's hub, under its names and with its meaning.
package struct TunnelLimits: Settings {
    package var connectionsMost = 2_000
    package var queueDepth = 256
    package var idleTimeout: Duration?
    package var connectTimeout = Duration.seconds(5)

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "max_conn_total", \.connectionsMost, range: 1...1_000_000,
            "Connections of all clients at the same time; more are refused with a reset."),
        field(
            "queue_depth_per_cid", \.queueDepth, range: 16...1_024,
            "Frames of 16 KiB that may wait for one client. A sender gets no credit for more, so nothing overflows and "
                + "nothing is cut off: its window grows up to that."),
        field(
            "idle_timeout", \.idleTimeout, range: .seconds(1)...(.seconds(7 * 86_400)),
            "How long a connection may be silent before it is reset. No limit unless set."),
        field(
            "connect_timeout", \.connectTimeout, range: .milliseconds(100)...(.seconds(120)),
            "For the agent's answer to a new connection, its dial to the target included."),
    ]
}

/// Bearer tokens (JWT) of agents.
package struct TunnelJWTSettings: Settings {
    package var keys = ""
    package var audience = "weir"
    package var issuer: String?
    package var requiresScopes = false

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "jwks", \.keys, required: true, examples: ["https://id.example.org/.well-known/jwks.json"],
            "Where the provider publishes its keys, or a file."),
        field("audience", \.audience, "What a token's `aud` must name."),
        field("issuer", \.issuer, "What its `iss` must be; any unless set."),
        field(
            "require_connector_scopes", \.requiresScopes,
            "A token that names no connectors (`connectors`, or `connector:NAME` in `scope`) may serve none."),
    ]
}

/// Who decides whether a client may be connected.
package struct TunnelPolicySettings: Settings {
    package enum OnError: String, SettingChoice {
        case deny, allow

        package var help: String {
            switch self {
            case .deny: "Clients are refused while nobody can decide."
            case .allow: "Clients are let in while nobody can decide (`fail_open`)."
            }
        }
    }

    package var url: String?
    package var token = Secret()
    package var timeout = Duration.milliseconds(500)
    package var cacheFor = Duration.seconds(5)
    package var onError = OnError.deny
    package var recheckEvery: Duration?
    package var publicURL: String?
    package var rules: [TunnelRuleSettings] = []

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "url", \.url, check: httpAddress, examples: ["https://pdp.example.org/access/v1/evaluation"],
            "An AuthZEN decision point, asked before each connection."),
        field("token", \.token, examples: ["{ file: /run/credentials/weir/pdp }"], "Sent to it as a bearer token."),
        field(
            "timeout", \.timeout, range: .milliseconds(10)...(.seconds(30)), "For one decision; then it is an error."),
        field(
            "cache_ttl", \.cacheFor, range: .zero...(.seconds(3_600)),
            "How long an allow is good for the same client and connector; a deny as long, and at most a second. With 0 "
                + "each connection asks."),
        field("on_error", \.onError, "What follows when nobody can decide: a timeout, another status, no Boolean."),
        field(
            "rules", \.rules,
            examples: ["[ { name: office, when: 'context.client_ip == \"10.0.0.9\"', decision: allow } ]"],
            "Decides here, without a decision point elsewhere: the first rule whose condition holds; no when none "
                + "does. Served to others as AuthZEN at `/access/v1/evaluation` of the API's address."),
        field(
            "recheck", \.recheckEvery, range: .seconds(1)...(.seconds(86_400)),
            "How often it is asked again about connections that are open; one that is let in no more is reset. That "
                + "nobody answers ends no connection. Never unless set."),
        field(
            "public_url", \.publicURL, check: httpAddress, examples: ["https://pdp.example.org"],
            "Under which others reach the decision point of `rules`, for its discovery document; the API's address "
                + "unless set."),
    ]

    private static let httpAddress: @Sendable (String?) -> String? = { text in
        guard let text else { return nil }
        return text.hasPrefix("http://") || text.hasPrefix("https://")
            ? nil : "must be an `http://` or `https://` address"
    }

    package func mistakes() -> [SettingMistake] {
        switch (url, rules.isEmpty) {
        case (nil, true):
            [SettingMistake("url", "there is nobody to decide", help: "write `url`, or `rules`")]
        case (.some, false):
            [SettingMistake("rules", "there are two who decide", help: "write `url` or `rules`, not both")]
        default: []
        }
    }
}

/// One rule of the decision point that is built in.
package struct TunnelRuleSettings: Settings {
    package enum Decision: String, SettingChoice {
        case allow, deny
    }

    package var name = ""
    package var when = ExpressionText("true")
    package var decision = Decision.allow

    package init() {}

    package static let fields: [Field<Self>] = [
        field("name", \.name, required: true, "Its name, for logs and answers."),
        field(
            "when", \.when, examples: ["'resource.id == \"addomain\"'"],
            "When it holds, as an expression over `subject`, `action`, `resource` and `context`. One that cannot be "
                + "evaluated lets nobody in."),
        field("decision", \.decision, "What it decides."),
    ]
}

/// What `/metrics` gives beside Weir's own names.
package struct MetricsSettings: Settings {
    package enum TunnelNames: String, SettingChoice {
        case weir, nowconnect

        package var help: String {
            switch self {
            case .weir: "Weir's own."
            case .nowconnect: "Also those of NowConnect, so that its panels and alerts go on."
            }
        }
    }

    package var tunnelNames = TunnelNames.weir

    package init() {}

    package static let fields: [Field<Self>] = [
        field("tunnel_names", \.tunnelNames, "Names of the tunnel's series.")
    ]
}
