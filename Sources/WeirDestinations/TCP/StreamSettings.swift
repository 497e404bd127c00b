import WeirCalls
import WeirFlow
import WeirSettings

/// What the stream destinations share in their settings.
enum StreamSettings {
    static let isAddress: @Sendable (String) -> String? = { text in
        text.isEmpty || NetworkAddress(text) != nil ? nil : NetworkAddress.wanted
    }

    static func mistakes(address: String, addresses: [WeightedAddress]) -> [SettingMistake] {
        switch (address.isEmpty, addresses.isEmpty) {
        case (true, true):
            [
                SettingMistake(
                    "address", "`address` is missing", help: "write `address: HOST:PORT`, or a list of `addresses`")
            ]
        case (false, false):
            [SettingMistake("addresses", "`address` and `addresses` exclude each other", help: "keep one")]
        case (true, false) where addresses.allSatisfy({ $0.weight == 0 }):
            [
                SettingMistake(
                    "addresses", "every address has weight 0, so none is ever used", help: "give one a weight of 1")
            ]
        default: []
        }
    }

    /// One endpoint per address. A single `address` is looked up when connecting; of a list, each address of a name is
    /// an endpoint of its own.
    static func plan(
        address: String, addresses: [WeightedAddress], tls: TLSSettings?, resolveEvery: Duration,
        _ planning: inout DestinationPlanning,
        make: @escaping @Sendable (DestinationMeans, StreamTarget) -> any Destination
    ) -> DestinationPlan? {
        tls?.check(&planning)
        let isList = address.isEmpty
        let means = planning.means
        var endpoints: [EndpointPlan] = []
        let all = isList ? addresses.map { ($0.address, $0.weight) } : [(address, 1)]
        for (index, (text, weight)) in all.enumerated() {
            guard let place = NetworkAddress(text) else {
                planning.mistake(
                    isList ? "addresses[\(index)].address" : "address", "`address` \(NetworkAddress.wanted)")
                continue
            }
            endpoints.append(
                EndpointPlan(
                    name: place.description, weight: weight, host: isList && !place.isLiteral ? place.host : nil
                ) {
                    make(means, StreamTarget(address: place, resolved: $0, tls: tls))
                })
        }
        if planning.hasErrors { return nil }
        // The deadline of one send is far off: a slow receiver is held back by, not failed; one that takes nothing
        // fails by `write_timeout`.
        let shape = DeliveryShape(
            bytesMost: 1 << 20, linger: .zero, concurrency: max(endpoints.count, 8), isOrdered: true,
            timeout: .seconds(3_600),
            joinsContexts: true)
        let hasNames = endpoints.contains { $0.host != nil }
        return DestinationPlan(shape: shape, endpoints: endpoints, resolveEvery: hasNames ? resolveEvery : nil)
    }
}

extension TLSSettings {
    func check(_ planning: inout DestinationPlanning, key: String = "tls") {
        planning.note([fileMistake(key: key)].compactMap { $0 })
    }
}
