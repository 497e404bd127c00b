internal import NIOCore
internal import WeirWorld

extension Hub {
    /// Opens one connection as a client of this machine would, and resets it as soon as the target has taken it.
    package func probe(_ connector: String) async -> TunnelProbe {
        var hops: [TunnelProbe.Hop] = []
        let asked = world.time.now
        let decision = await policy.decide(
            OpenQuestion(connector: connector, listener: "probe", clientAddress: "127.0.0.1", clientPort: nil))
        hops.append(
            TunnelProbe.Hop(
                name: "policy", took: world.time.now - asked,
                outcome: ([decision.result.rawValue] + [decision.reason].compactMap(\.self)).joined(separator: ": "),
                isWell: decision.isAllowed))
        let (ways, isCut) = ways(to: connector)
        guard let way = ways.first else {
            let outcome = isCut ? "no link to the hub that has its agent" : "no agent serves it"
            hops.append(TunnelProbe.Hop(name: "agent", took: nil, outcome: outcome, isWell: false))
            return TunnelProbe(connector: connector, hops: hops)
        }
        let link = way.link
        if let forward = way.forward {
            let outcome = "\(way.agent) at \(forward.owner), epoch \(forward.epoch)"
            hops.append(TunnelProbe.Hop(name: "mesh", took: link.roundTrip, outcome: outcome, isWell: true))
        } else {
            hops.append(TunnelProbe.Hop(name: "agent", took: link.roundTrip, outcome: way.agent, isWell: true))
        }
        let began = world.time.now
        var request = OpenRequest(connector: connector, listener: "probe", decision: decision.id)
        request.forward = way.forward
        let timeout = TimeAmount.nanoseconds(settings.connectTimeout.nanoseconds)
        let outcome = await withCheckedContinuation { (done: CheckedContinuation<StreamReason?, Never>) in
            link.loop.execute { [request] in
                let carrier = link.bound.value
                _ = OpeningEnd(request, on: carrier, timeout: timeout) { result in
                    switch result {
                    case .success(let stream):
                        if let stream { carrier.reset(stream, .unspecified) }
                        done.resume(returning: nil)
                    case .failure(let failure): done.resume(returning: failure.reason)
                    }
                }
            }
        }
        hops.append(
            TunnelProbe.Hop(
                name: "dial", took: world.time.now - began, outcome: outcome?.name ?? "connected",
                isWell: outcome == nil))
        return TunnelProbe(connector: connector, hops: hops)
    }
}
