internal import Synchronization

/// Who a connector is in RabbitMQ: all the same, or each its own user.
extension RabbitBroker {
    package func exchange(for id: ConnectorID) -> String {
        settings.hasAccounts ? ConnectorTopology(id).ownExchange : ConnectorTopology.workerExchange
    }

    func told(_ id: ConnectorID) async throws(ConnectorFailure) -> BrokerConnection {
        guard settings.hasAccounts else { return settings.told }
        let key = try await keys.key(of: id, orKeep: ConnectorKey(for: id, world: world))
        var told = settings.told
        do throws(BrokerTrouble) {
            let accounts = try accounts
            try await accounts.make(key)
            told.user = accounts.name(of: id)
        } catch {
            throw refusal(id, "The account of connector \(id) cannot be made in RabbitMQ.", error)
        }
        told.password = key.secret
        return told
    }

    /// - Returns: what went wrong.
    func removeAccount(_ id: ConnectorID) async -> ConnectorFailure? {
        guard settings.hasAccounts else { return nil }
        do throws(BrokerTrouble) {
            try await accounts.remove(id)
        } catch {
            return ConnectorFailure(
                .storage,
                "The connector was removed, but its user in RabbitMQ was not. \(error.sentence) Delete "
                    + "`\(BrokerAccounts.name(of: id, vhost: settings.address.vhost))` there.")
        }
        do throws(ConnectorFailure) {
            try await keys.revoke(id)
            return nil
        } catch {
            return error
        }
    }

    private var accounts: BrokerAccounts {
        get throws(BrokerTrouble) {
            guard let management = state.withLock({ $0.management }) else {
                throw BrokerTrouble(.stopped, "Weir stops.")
            }
            return BrokerAccounts(management: management)
        }
    }
}
