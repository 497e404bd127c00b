/// What a listener lets in before anybody is asked: addresses and counts. A value; the hub keeps one for all listeners.
package struct ListenerRules: Sendable {
    package struct Limits: Sendable, Hashable {
        /// Whose clients may come; everybody's when empty.
        package var allow: [AddressRange] = []
        /// Of this listener at the same time; no limit of its own.
        package var connectionsMost: Int?
        /// Of one client address at this listener at the same time; no limit.
        package var perClientMost: Int?

        package init() {}
    }

    package enum Refusal: String, Error, Sendable, Hashable, CaseIterable {
        case address = "address_not_allowed"
        case hubLimit = "hub_limit"
        case listenerLimit = "listener_limit"
        case connectorLimit = "connector_limit"
        case clientLimit = "client_limit"
    }

    private let limits: [Limits]
    /// Of the whole hub; 2,000 as in the original (`max_conn_total`).
    private let totalMost: Int
    private let connectorMost: [String: Int]
    package private(set) var total = 0
    private var perListener: [Int]
    private var perConnector: [String: Int] = [:]
    private var perClient: [Client: Int] = [:]

    private struct Client: Hashable, Sendable {
        var listener: Int
        var address: AddressBits
    }

    /// A connection that was let in; give it back at its end.
    package struct Pass: Sendable, Hashable {
        package var listener: Int
        package var connector: String
        package var address: AddressBits?
    }

    package init(_ limits: [Limits], totalMost: Int = 2_000, connectorMost: [String: Int] = [:]) {
        self.limits = limits
        self.totalMost = totalMost
        self.connectorMost = connectorMost
        perListener = Array(repeating: 0, count: limits.count)
    }

    package mutating func enter(_ listener: Int, connector: String, from address: AddressBits?) throws(Refusal) -> Pass
    {
        let limit = limits[listener]
        if !limit.allow.isEmpty {
            // What is not known is not allowed.
            guard let address, limit.allow.contains(where: { $0.contains(address) }) else { throw .address }
        }
        guard total < totalMost else { throw .hubLimit }
        guard perListener[listener] < limit.connectionsMost ?? .max else { throw .listenerLimit }
        guard perConnector[connector, default: 0] < connectorMost[connector] ?? .max else { throw .connectorLimit }
        if let address, let most = limit.perClientMost {
            let client = Client(listener: listener, address: address)
            guard perClient[client, default: 0] < most else { throw .clientLimit }
            perClient[client, default: 0] += 1
        }
        total += 1
        perListener[listener] += 1
        perConnector[connector, default: 0] += 1
        return Pass(listener: listener, connector: connector, address: address)
    }

    package mutating func leave(_ pass: Pass) {
        total -= 1
        perListener[pass.listener] -= 1
        perConnector[pass.connector, default: 1] -= 1
        if perConnector[pass.connector] == 0 { perConnector[pass.connector] = nil }
        guard let address = pass.address, limits[pass.listener].perClientMost != nil else { return }
        let client = Client(listener: pass.listener, address: address)
        perClient[client, default: 1] -= 1
        if perClient[client] == 0 { perClient[client] = nil }
    }

    /// Which limit would refuse the next client at each of these listeners of a connector, whoever it is; `nil` while
    /// one of them has room.
    package func fullness(of connector: String, at listeners: [Int]) -> Refusal? {
        if total >= totalMost { return .hubLimit }
        if perConnector[connector, default: 0] >= connectorMost[connector] ?? .max { return .connectorLimit }
        let isFull =
            !listeners.isEmpty && listeners.allSatisfy { perListener[$0] >= limits[$0].connectionsMost ?? .max }
        return isFull ? .listenerLimit : nil
    }

    package func count(of listener: Int) -> Int { perListener[listener] }
}
