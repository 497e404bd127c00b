import Synchronization
import WeirDelivery

/// Addresses that a test sets.
package final class FixedAddresses: AddressResolver {
    private let table: Mutex<[String: [String]]>

    package init(_ table: [String: [String]] = [:]) { self.table = Mutex(table) }

    package func set(_ host: String, _ addresses: [String]) { table.withLock { $0[host] = addresses } }

    package func addresses(of host: String) async throws -> [String] { table.withLock { $0[host] ?? [] } }
}
