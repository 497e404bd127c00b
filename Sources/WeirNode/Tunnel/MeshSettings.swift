package import WeirSettings
internal import WeirTunnel
internal import WeirWorld

/// Several hubs that are one to clients and agents.
package struct MeshSettings: Settings {
    package enum Mode: String, SettingChoice {
        case off, shadow, active

        package var help: String {
            switch self {
            case .off: "This hub is alone."
            case .shadow:
                "Agents are claimed in the registry and compared, what hubs know of them is shared; no client "
                    + "is forwarded."
            case .active: "Clients are forwarded to the hub that has their agent."
            }
        }
    }

    package var mode = Mode.off
    package var registry = ""
    package var user: String?
    package var password = Secret()
    package var registryCA: String?
    package var prefix = "weir"
    package var secret = Secret()
    package var listen = "127.0.0.1:8766"
    package var advertise: String?
    package var lease = Duration.seconds(10)

    package init() {}

    package static let fields: [Field<Self>] = [
        field("mode", \.mode, "Whether this hub is one of several."),
        field(
            "registry", \.registry,
            check: { $0.isEmpty || RedisAddress($0) != nil ? nil : "must be `redis://HOST:PORT/DB` or `rediss://…`" },
            examples: ["redis://127.0.0.1:6379", "rediss://redis.example.org:6379/2"],
            "A Redis server (6 or later) that all hubs reach. What is in it may be lost: hubs put it there again."),
        field("user", \.user, "Name to log in with at the registry, where it has users."),
        field(
            "password", \.password, examples: ["{ file: /run/credentials/weir/redis }"],
            "To log in with at the registry."),
        field("registry_ca", \.registryCA, "PEM file with the authority of its certificate; the system's unless set."),
        field(
            "prefix", \.prefix,
            check: { text in
                text.isEmpty || text.contains { "{}: ".contains($0) } ? "must be a word without `{`, `}`, `:`" : nil
            }, "Before all its keys, so that several meshes may share a registry."),
        field(
            "secret", \.secret, examples: ["{ file: /run/credentials/weir/mesh }"],
            "The same for all hubs of a mesh, and nobody else: what they share of agents is sealed with it, and the "
                + "authority that makes hubs and agents known to each other. 16 characters at least."),
        field(
            "listen", \.listen, check: TunnelSettings.listening, examples: ["0.0.0.0:8766"],
            "Where other hubs come in, with certificates of the mesh's own authority on both sides."),
        field(
            "advertise", \.advertise, check: { $0.flatMap(TunnelSettings.listening) },
            examples: ["hub-a.example.org:8766"],
            "Where other hubs find that; `listen` unless set."),
        field(
            "lease", \.lease, range: .seconds(2)...(.seconds(300)),
            "How long a hub has its agents after the registry has last answered it. So long after a hub has died "
                + "without a word, others forget what it had."),
    ]

    package func mistakes() -> [SettingMistake] {
        guard mode != .off else { return [] }
        var mistakes: [SettingMistake] = []
        if registry.isEmpty {
            mistakes.append(
                SettingMistake(
                    "registry", "a mesh needs a registry", help: "write `registry: redis://HOST:6379`, or `mode: off`"))
        }
        if !secret.isSet || (!secret.text.isEmpty && secret.text.utf8.count < 16) {
            mistakes.append(
                SettingMistake(
                    "secret", secret.isSet ? "is shorter than 16 characters" : "a mesh needs a secret",
                    help: "make one with `openssl rand -hex 32` and give all hubs the same: `secret: { file: … }`"))
        }
        if advertise == nil, ["0.0.0.0", "::"].contains(address.host) {
            mistakes.append(
                SettingMistake(
                    "advertise", "other hubs cannot dial \(address.host)",
                    help: "write the address by which they reach this machine"))
        }
        return mistakes
    }

    var address: NetworkAddress { NetworkAddress(listening: listen) ?? NetworkAddress(host: "127.0.0.1", port: 8_766) }
}
