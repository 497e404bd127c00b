/// What a connector is told when it registers.
struct Registration: Sendable {
    var id: String
    /// As the platform keeps it.
    var state: String?
    var userID: String
    var broker: BrokerAddress?

    init(_ object: JSONObject?) throws(PlatformFailure) {
        guard let object, let id = object["id"]?.text else {
            throw PlatformFailure(.nonsense, "The platform answered without `registerConnector`.")
        }
        self.id = id
        state = object["connector_state"]?.text
        userID = object["connector_user_id"]?.text ?? ""
        broker = BrokerAddress(object["config"]?.object)
    }
}

/// Where bundles are published by AMQP, and with what.
struct BrokerAddress: Sendable, Hashable {
    var host: String
    var port: Int
    var vhost: String
    var usesTLS: Bool
    var user: String
    var password: String
    var exchange: String
    var routingKey: String

    /// `nil` where the platform offers none: Weir then tells the port 0.
    init?(_ config: JSONObject?) {
        guard let config, let connection = config["connection"]?.object, let host = connection["host"]?.text,
            let port = BrokerAddress.number(connection["port"]), port > 0, let exchange = config["push_exchange"]?.text,
            let routingKey = config["push_routing"]?.text
        else { return nil }
        self.host = host
        self.port = port
        self.exchange = exchange
        self.routingKey = routingKey
        vhost = connection["vhost"]?.text ?? "/"
        usesTLS = connection["use_ssl"] == .bool(true)
        user = connection["user"]?.text ?? ""
        password = connection["pass"]?.text ?? ""
    }

    private static func number(_ value: JSONValue?) -> Int? {
        switch value {
        case .integer(let number): Int(exactly: number)
        case .string(let text): Int(text)
        default: nil
        }
    }

    /// With what a person has set instead.
    func with(_ overrides: BrokerOverrides) -> BrokerAddress {
        var address = self
        address.host = overrides.host ?? host
        address.port = overrides.port ?? port
        address.vhost = overrides.vhost ?? vhost
        address.usesTLS = overrides.usesTLS ?? usesTLS
        address.user = overrides.user ?? user
        address.password = overrides.password ?? password
        return address
    }
}
