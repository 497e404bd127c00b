import Logging
import Synchronization
import WeirFlow
import WeirGates
import WeirWorld

extension DeliveryChain {
    private static let retry = Duration.seconds(5)

    /// Looks up the hosts and makes, keeps and retires endpoints accordingly. Each address of a host is an endpoint
    /// with the host's weight; an address that is listed by itself counts there and not under the host.
    /// - Returns: false where a host could not be looked up; what was known of it stays.
    @discardableResult
    func resolve() async -> Bool {
        var wanted: [(plan: Int, address: String?)] = []
        var failed: Set<Int> = []
        let listed = Set(plan.endpoints.compactMap(\.host))
        for (place, endpoint) in plan.endpoints.enumerated() {
            guard let host = endpoint.host else {
                wanted.append((place, nil))
                continue
            }
            var addresses = (try? await resolver.addresses(of: host)) ?? []
            if addresses.isEmpty { failed.insert(place) }
            addresses = addresses.filter { $0 == host || !listed.contains($0) }
            for address in addresses.prefix(64) { wanted.append((place, address)) }
        }
        let gone = change { shared, _, _ in
            shared.state.setEndpoints(wanted, keeping: failed, of: plan)
        }
        for destination in gone { await destination.close() }
        if !failed.isEmpty {
            world.log.warning(
                "A host could not be looked up.",
                metadata: ["destination": "\(name)", "hosts": "\(failed.count)"])
        }
        return failed.isEmpty
    }

    func keepResolving() async {
        var isWell = shared.withLock { !$0.state.usable.isEmpty }
        while !Task.isCancelled {
            let pause = isWell ? plan.resolveEvery ?? .seconds(600) : Self.retry
            do { try await world.time.sleep(for: pause) } catch { return }
            isWell = await resolve()
        }
    }
}

extension DeliveryState {
    /// - Returns: destinations that nobody needs any more.
    mutating func setEndpoints(
        _ wanted: [(plan: Int, address: String?)], keeping failed: Set<Int>, of plan: DestinationPlan
    ) -> [any Destination] {
        var gone: [any Destination] = []
        for place in endpoints.indices.reversed() {
            let endpoint = endpoints[place]
            if failed.contains(endpoint.plan) { continue }
            let isWanted = wanted.contains { $0.plan == endpoint.plan && $0.address == endpoint.address }
            endpoints[place].isRetired = !isWanted
            if !isWanted && endpoint.inFlight == 0 {
                gone.append(endpoint.destination)
                endpoints.remove(at: place)
            }
        }
        for (place, address) in wanted {
            if endpoints.contains(where: { $0.plan == place && $0.address == address }) { continue }
            let entry = plan.endpoints[place]
            let name = address.map { $0 == entry.host ? entry.name : "\(entry.name) (\($0))" } ?? entry.name
            endpoints.append(
                Endpoint(
                    id: nextEndpoint, name: name, plan: place, address: address, weight: entry.weight,
                    destination: entry.make(address),
                    backoff: Backoff(first: settings.retry.first, most: settings.retry.most),
                    concurrency: shape.isOrdered ? 1 : shape.concurrency))
            nextEndpoint += 1
        }
        endpoints.sort { ($0.plan, $0.id) < ($1.plan, $1.id) }
        balancer.set(endpoints.filter { !$0.isRetired }.map { ($0.id, $0.weight) })
        return gone
    }
}
