package import WeirWorld

/// What lets one connector in at the AMQP ingress, where its id is the user name, or at a RabbitMQ.
package struct ConnectorKey: Sendable, Hashable, Codable {
    package var connector: ConnectorID
    /// Made by chance, 192 bits in hexadecimal; not a person's password.
    package var secret: String
    package var madeAt: WallTime

    package init(connector: ConnectorID, secret: String, madeAt: WallTime) {
        self.connector = connector
        self.secret = secret
        self.madeAt = madeAt
    }

    /// A new one.
    init(for connector: ConnectorID, world: World) {
        let secret = (0..<3).map { _ in
            let digits = String(world.random.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
        self.init(connector: connector, secret: secret, madeAt: world.time.wall)
    }

    /// Takes as long for a wrong secret as for the right one.
    package func isOpened(by secret: String) -> Bool {
        let given = Array(secret.utf8)
        let kept = Array(self.secret.utf8)
        var difference: UInt8 = given.count == kept.count && !kept.isEmpty ? 0 : 1
        for (index, byte) in given.enumerated() where !kept.isEmpty { difference |= byte ^ kept[index % kept.count] }
        return difference == 0
    }
}

/// Keeps the keys, durably, beside the registrations; the core does it.
package protocol ConnectorKeys: Sendable {
    /// The key that is kept; keeps `candidate` where there is none. Answered when that is durable.
    func key(of id: ConnectorID, orKeep candidate: ConnectorKey) async throws(ConnectorFailure) -> ConnectorKey
    func key(of id: ConnectorID) async -> ConnectorKey?
    /// Forgets it; the next registration makes another one.
    func revoke(_ id: ConnectorID) async throws(ConnectorFailure)
}
