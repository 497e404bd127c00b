package import WeirCalls
package import WeirConnectors
package import WeirSettings

/// A RabbitMQ beside Weir: `broker: amqp://weir@127.0.0.1` or, with more to say, a group.
package struct BrokerSettings: Settings {
    package enum QueueType: String, SettingChoice {
        case quorum, classic

        package var help: String {
            switch self {
            case .quorum: "Replicated; what RabbitMQ recommends for data that must not be lost."
            case .classic: "One copy."
            }
        }
    }

    package var url = BrokerURL()
    package var user = ""
    package var password = Secret()
    package var queueType = QueueType.quorum
    package var prefetch = 100
    package var hasAccounts = false
    package var tls = TLSSettings()
    package var told = ToldBrokerSettings()

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "url", \.url, required: true, examples: ["amqp://10.0.0.5:5672/opencti", "amqps://mq.example.org"],
            "Where it is: `amqp://` or `amqps://` (TLS, verified), host, port (5672, with TLS 5671) and vhost (`/`; a "
                + "slash in its name is %2F). `broker: URL` is short for a group with nothing else."),
        field("user", \.user, "Who Weir is there; in place of the one in `url`. RabbitMQ's `guest` unless set."),
        field("password", \.password, examples: ["{ file: /run/credentials/weir/rabbitmq }"], "Its password."),
        field(
            "queue_type", \.queueType,
            "What kind of queues are made for connectors. Those that are there already are used as they are."),
        field(
            "prefetch", \.prefetch, range: 1...10_000,
            "Bundles that RabbitMQ sends ahead for each connector; they are acknowledged when all their events are "
                + "settled."),
        field(
            "accounts", \.hasAccounts,
            "Gives each connector a user and an exchange of its own in RabbitMQ, with the right to publish there and "
                + "nothing else; both go with the connector. Weir's user needs the tag `administrator`."),
        field(
            "tls", \.tls,
            "How its certificate is verified, for `amqps://` and `https://`. `server_name` is used where "
                + "`management` is not set, too."),
        field("connectors", \.told, "What connectors are told when they register, where that differs."),
    ]

    package func mistakes() -> [SettingMistake] {
        var mistakes = [tls.fileMistake(key: "tls")].compactMap { $0 }
        if hasAccounts, !told.user.isEmpty || told.password.isSet {
            mistakes.append(
                SettingMistake(
                    "connectors.user", "with `accounts` each connector has a user of its own",
                    help: "take `user` and `password` out, or `accounts`"))
        }
        return mistakes
    }

    var address: BrokerAddress {
        var address = url.address
        if !user.isEmpty { address.user = user }
        if password.isSet { address.password = password.text }
        return address
    }

    /// Reads the files of `tls`. Blocking.
    func broker(management: String, version: String) throws(TLSFileFailure) -> RabbitBroker.Settings {
        let address = address
        var settings = RabbitBroker.Settings(
            address: address, tls: try tls.configuration(), management: management, told: told(address))
        if management.isEmpty {
            // Its certificate is the broker's, so it is called by the name that this one has.
            var named = address
            if !tls.serverName.isEmpty { named.host = tls.serverName }
            settings.management = named.management
            if named.host != address.host { settings.managementNames = [named.host: address.host] }
        }
        settings.serverName = tls.serverName
        settings.usesQuorumQueues = queueType == .quorum
        settings.prefetch = UInt16(clamping: prefetch)
        settings.hasAccounts = hasAccounts
        settings.version = version
        return settings
    }

    private func told(_ address: BrokerAddress) -> BrokerConnection {
        let usesTLS = told.usesTLS ?? address.usesTLS
        let port = usesTLS == address.usesTLS ? address.port : BrokerAddress.port(usesTLS: usesTLS)
        return BrokerConnection(
            host: told.host.isEmpty ? address.host : told.host, port: told.port ?? port, vhost: address.vhost,
            usesTLS: usesTLS, user: told.user.isEmpty ? address.user : told.user,
            password: told.password.isSet ? told.password.text : address.password)
    }
}

/// What connectors are told of the broker.
package struct ToldBrokerSettings: Settings {
    package var host = ""
    package var port: Int?
    package var usesTLS: Bool?
    package var user = ""
    package var password = Secret()

    package init() {}

    package static let fields: [Field<Self>] = [
        field("host", \.host, examples: ["rabbitmq.example.org"], "Where they reach it, if Weir calls it otherwise."),
        field("port", \.port, range: 1...65_535, "Its port there; 5672 or 5671 where only `tls` differs."),
        field(
            "tls", \.usesTLS,
            "Whether they speak TLS there, if it is not as in `url`. They verify it by MQ_USE_SSL_CA and "
                + "MQ_USE_SSL_REJECT_UNAUTHORIZED."),
        field(
            "user", \.user,
            "Who they are. Every connector gets these credentials, so give them a user that may only write to "
                + "`amqp.worker.exchange`."),
        field("password", \.password, "Its password."),
    ]
}

/// `broker: URL` or `broker: { url: URL, … }`.
package struct BrokerEntry: SettingValue {
    package var settings: BrokerSettings

    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> BrokerEntry? {
        guard case .scalar = node.content else {
            return BrokerSettings.read(node, &reading).map { BrokerEntry(settings: $0) }
        }
        return BrokerURL.read(node, &reading).map { url in
            var settings = BrokerSettings()
            settings.url = url
            return BrokerEntry(settings: settings)
        }
    }

    package static var shape: SettingShape { .either([BrokerURL.shape, BrokerSettings.shape]) }
    package var plain: PlainValue { settings.plain }
}

/// `amqp://user:password@host:5672/vhost`. A password in it is hidden like any other secret.
package struct BrokerURL: SettingValue {
    /// RabbitMQ's defaults on this machine, unless set.
    package var address = BrokerAddress()

    package init() {}

    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> BrokerURL? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "the URL of a RabbitMQ", help: "write `amqp://USER@HOST:5672/VHOST`")
            return nil
        }
        do throws(BrokerAddress.Mistake) {
            var url = BrokerURL()
            url.address = try BrokerAddress(scalar.text)
            if url.address.hasPassword {
                reading.conceal(node.origin)
                reading.problem(
                    "\(reading.subject) has its password in it, so everybody who reads this file has it",
                    at: node.origin, help: "write `password: { file: PATH }` beside `url`", severity: .warning)
            }
            return url
        } catch {
            // It may have a password in it although it cannot be read.
            if scalar.text.contains("@") { reading.conceal(node.origin) }
            reading.problem(
                "\(reading.subject) \(error.message)", at: node.origin, help: "write `amqp://USER@HOST:5672/VHOST`")
            return nil
        }
    }

    package static var shape: SettingShape { .text }
    package var plain: PlainValue { .text(address.description) }
}
