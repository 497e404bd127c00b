package import WeirGates
import WeirWorld

/// What the gate of a composed destination shows: it holds nothing itself, so it is read off its members' gates.
///
/// | kind | a sender is held while | so its state is that of |
/// | --- | --- | --- |
/// | router | one of its members is | the worst member |
/// | balance | all of its members are | the mildest member |
/// | fallback | all of its members are | the first member that takes events, else the first |
///
/// A member that is held while others take its place is named in the reason (`member_held`).
package enum ComposedGate {
    package enum Kind: String, Sendable, Hashable {
        case router, balance, fallback
    }

    /// - Parameters:
    ///   - members: the gates that it may send to, in the order of the configuration.
    ///   - sentEvents: events given to each of them, where that is known.
    package static func reading(
        _ name: String, _ kind: Kind, members: [GateReading], sentEvents: [UInt64]? = nil, senders: [String],
        counters: FlowCounters
    ) -> GateReading? {
        guard let decisive = decisive(kind, members) else { return nil }
        return GateReading(
            id: name, kind: .stream, state: decisive.state, reason: reason(kind, members, decisive),
            since: decisive.since, level: decisive.level, limit: decisive.limit,
            reopens: decisive.state.isHeld ? "\(decisive.id): \(decisive.reopens)" : decisive.reopens,
            details: details(kind, members, sentEvents), senders: senders, receiver: name, members: members.map(\.id),
            counters: counters, forecast: decisive.forecast)
    }

    private static func decisive(_ kind: Kind, _ members: [GateReading]) -> GateReading? {
        switch kind {
        case .router: extreme(members, >)
        case .balance: extreme(members, <)
        case .fallback: members.first { !$0.state.isHeld } ?? members.first
        }
    }

    /// The first of equals, in the order of the configuration.
    private static func extreme(_ members: [GateReading], _ isMoreSo: (Int, Int) -> Bool) -> GateReading? {
        members.reduce(nil) { best, next in
            best.map { isMoreSo(next.state.severity, $0.state.severity) ? next : $0 } ?? next
        }
    }

    private static func reason(_ kind: Kind, _ members: [GateReading], _ decisive: GateReading) -> Reason {
        let sentence = { (gate: GateReading) in "\(gate.id) is \(gate.state.rawValue): \(gate.reason.sentence)" }
        guard let worst = extreme(members, >), worst.state != .open else {
            return Reason("open", members.count == 1 ? "Its member accepts." : "Its members accept.")
        }
        if decisive.state.isHeld {
            let others = kind != .router && members.count > 1 ? "No member takes events. " : ""
            return Reason(decisive.reason.code, others + sentence(decisive))
        }
        guard worst.state.isHeld else { return Reason(worst.reason.code, sentence(worst)) }
        let taking = members.filter { !$0.state.isHeld }.map(\.id)
        let receivers = kind == .fallback ? decisive.id : taking.joined(separator: ", ")
        return Reason("member_held", "Events go to \(receivers). \(sentence(worst))")
    }

    private static func details(
        _ kind: Kind, _ members: [GateReading], _ sentEvents: [UInt64]?
    ) -> [GateReading.Detail] {
        var details = [
            GateReading.Detail(
                "\(kind.rawValue) of", "\(members.count) \(members.count == 1 ? "destination" : "destinations")"),
            GateReading.Detail("is held while", kind == .router ? "one of them is" : "all of them are"),
        ]
        for (place, member) in members.enumerated() {
            var text = member.state.rawValue
            if let level = member.level, member.limit.unit == .bytes {
                text += ", \(ByteCount(level).shortText) of \(ByteCount(member.limit.amount).shortText)"
            }
            if let sentEvents, sentEvents.indices.contains(place) { text += ", \(sentEvents[place]) events given" }
            if member.state.isHeld { text += "; \(member.reason.code)" }
            details.append(GateReading.Detail("to \(member.id)", text))
        }
        return details
    }
}
