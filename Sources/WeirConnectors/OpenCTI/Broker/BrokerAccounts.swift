internal import Foundation
internal import NIOHTTP1

/// A user of its own in RabbitMQ for each connector, who may publish to the connector's own exchange and do nothing
/// else. RabbitMQ has no permissions by routing key for direct exchanges, so each connector gets an exchange.
struct BrokerAccounts: Sendable {
    let management: BrokerManagement

    private struct User: Encodable, Sendable {
        var password: String
        var tags = ""
    }

    private struct Permissions: Encodable, Sendable {
        var configure = "^$"
        var write: String
        var read = "^$"
    }

    /// Users are the whole broker's, so the vhost stands in their name.
    static func name(of id: ConnectorID, vhost: String) -> String { "weir:\(vhost):\(id)" }

    func name(of id: ConnectorID) -> String { Self.name(of: id, vhost: management.vhost) }

    /// Makes or renews it. What its password was before opens nothing any more.
    func make(_ key: ConnectorKey) async throws(BrokerTrouble) {
        let user = BrokerManagement.segment(name(of: key.connector))
        let exchange = ConnectorTopology(key.connector).ownExchange
        try await order(.PUT, "users/\(user)", User(password: key.secret))
        try await order(
            .PUT, "permissions/\(BrokerManagement.segment(management.vhost))/\(user)",
            Permissions(write: "^\(Self.literal(exchange))$"))
    }

    /// RabbitMQ ends the connections of a user that is deleted.
    func remove(_ id: ConnectorID) async throws(BrokerTrouble) {
        try await order(.DELETE, "users/\(BrokerManagement.segment(name(of: id)))", nil)
        let vhost = BrokerManagement.segment(management.vhost)
        let exchange = BrokerManagement.segment(ConnectorTopology(id).ownExchange)
        try await order(.DELETE, "exchanges/\(vhost)/\(exchange)", nil)
    }

    private func order(
        _ method: HTTPMethod, _ path: String, _ body: (any Encodable & Sendable)?
    ) async throws(BrokerTrouble) {
        let status: HTTPResponseStatus
        do throws(BrokerManagement.Silence) {
            status = try await management.call(method, path, body).status
        } catch {
            throw BrokerTrouble(
                .unreachable, "RabbitMQ's management API at \(management.address) makes no users: \(error.what).")
        }
        switch status {
        case .created, .noContent, .ok: return
        // It has gone already.
        case .notFound where method == .DELETE: return
        case .unauthorized, .forbidden:
            throw BrokerTrouble(
                .refused,
                "RabbitMQ's management API at \(management.address) lets `\(management.user)` make no users: "
                    + "`opencti.broker.accounts` needs the tag `administrator`.")
        default:
            throw BrokerTrouble(
                .refused,
                "RabbitMQ's management API at \(management.address) makes no user: it answered \(status.code).")
        }
    }

    /// A regular expression that is only this text.
    static func literal(_ text: String) -> String {
        String(
            text.flatMap { $0.isASCII && !$0.isLetter && !$0.isNumber && $0 != "_" ? ["\\", $0] : [$0] } as [Character])
    }
}
